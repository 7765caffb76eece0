"""bench/run.py: that a run which is stopped, killed or torn goes on and measures nothing twice, and what it writes.

usage: run_test.py SOURCE FOLDLOG     (the source tree; the foldlog program)

What it calls is a stand-in for peer_benchmark, which measures nothing and notes its calls.
"""
import getpass
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
from unittest import mock
from xml.etree import ElementTree

PROGRAM = '''#!/usr/bin/python3 -B
import json, os, sys, time
here = os.path.dirname(os.path.abspath(__file__))
if sys.argv[1:] == ["--list"]:
    for name in ("foldlog", "sqlite_log", "limit_overwrite"):
        print(json.dumps({"system": name, "version": "1.0", "levels": ["durable"] + ["kill_safe"] * (name[0] != "l"),
                          "is_limit": name[0] == "l", "keeps_history": name[0] != "l", "keeps_errors": True, "shared": True,
                          "many_threads": name[0] != "l", "singly": True, "in_bulk": name[0] != "l"}))
    sys.exit()
arguments = dict(argument.lstrip("-").split("=", 1) for argument in sys.argv[1:])
with open(here + "/calls", "a") as calls:
    calls.write(" ".join(sys.argv[1:]) + "\\n")
with open(here + "/calls") as calls:
    number = len(calls.readlines())
open(arguments["directory"] + "/left", "w").close()
if os.path.exists(here + "/hang_at") and number == int(open(here + "/hang_at").read()):
    with open(here + "/hanging.new", "w") as hanging:
        hanging.write(str(os.getpid()))
    os.rename(here + "/hanging.new", here + "/hanging")
    time.sleep(600)
if os.path.exists(here + "/fail_at") and number == int(open(here + "/fail_at").read()):
    sys.exit("a checkpoint is missing in " + arguments["directory"])
print(json.dumps({"system": arguments["system"], "workload": arguments["workload"], "level": "durable", "promise": "none",
                  "settings": "none | at all", "version": "1.0", "build": "release", "check": "passed",
                  "figures": {"per_second": 1000.0 * number, "mean_ns": 1.5, "p50_ns": 2.0, "p99_ns": 3.0, "p99.9_ns": 4.0,
                              "p99.99_ns": 5.0, "answer_us": 2.0, "answer_us_min": 1.0, "answer_us_max": 4.0, "open_us": 3.0}}))
'''

MEMORY = "/dev/shm"
ONLY = "durable_1,old_run"
EXPECTED = 2 * 3 + 2  # the rows of durable_1 in two rounds, those of old_run, which are long, in one


class Home:
    """A build with stand-ins, and where its runs leave their results."""

    def __init__(self):
        # In memory if there is such a place: nothing here measures, and a flush then costs nothing.
        self.place = tempfile.TemporaryDirectory(dir=MEMORY if os.access(MEMORY, os.W_OK) else None)
        self.home = pathlib.Path(self.place.name)
        self.build = self.home / "build"
        self.build.mkdir()
        self.make_program()
        (self.build / "foldlog").symlink_to(FOLDLOG)
        (self.build / "CMakeCache.txt").write_text("CMAKE_BUILD_TYPE:STRING=Debug\n")

    def make_program(self, more=""):
        (self.build / "peer_benchmark").write_text(PROGRAM + more)
        (self.build / "peer_benchmark").chmod(0o755)

    def command(self, *more):
        return [sys.executable, "-B", str(SOURCE / "bench/run.py"), "--rounds=2", f"--only={ONLY}", f"--build={self.build}",
                f"--results={self.home / 'results'}", f"--work={self.home / 'work'}", *more]

    def run(self, *more):
        return subprocess.run(self.command(*more), capture_output=True, text=True, check=False)

    def calls(self):
        return (self.build / "calls").read_text().splitlines()

    def results(self, number=0):
        return sorted((self.home / "results").iterdir())[number]

    def raw(self, number=0):
        return [json.loads(line) for line in (self.results(number) / "raw.jsonl").read_text().splitlines()]

    def status(self):
        done = subprocess.run([FOLDLOG, "--log", self.home / "work/progress.foldlog", "status", "--json"],
                              capture_output=True, text=True, check=True)
        return json.loads(done.stdout)

    def start_until_call(self, number):
        """A run that hangs in its call `number`."""
        (self.build / "hang_at").write_text(str(number))
        process = subprocess.Popen(self.command(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while not (self.build / "hanging").exists():
            if process.poll() is not None:
                raise AssertionError(f"the run ended early, with {process.returncode}")
            time.sleep(0.01)
        (self.build / "hang_at").unlink()
        return process

    def stop_at_call(self, number):
        process = self.start_until_call(number)
        process.send_signal(signal.SIGTERM)
        return process.wait()


class StoppedRun(unittest.TestCase):
    def setUp(self):
        self.home = Home()
        self.addCleanup(self.home.place.cleanup)

    def assert_goes_on(self, behind):
        done = self.home.run()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(f"Going on behind {behind} of {EXPECTED}", done.stdout)
        rows = [(line["row"], line["round"]) for line in self.home.raw()]
        self.assertEqual(len(rows), EXPECTED)
        self.assertEqual(len(set(rows)), EXPECTED)
        self.assertEqual(len(self.home.calls()), EXPECTED + 1)  # the one that was stopped, once more
        self.assertEqual(self.home.status()["status"], "completed")
        self.assertEqual(self.home.status()["files_processed"], EXPECTED)

    def test_a_killed_run_goes_on(self):
        process = self.home.start_until_call(4)
        process.kill()
        process.wait()
        os.kill(int((self.home.build / "hanging").read_text()), signal.SIGKILL)
        self.assertTrue(self.home.status()["interrupted"])
        self.assert_goes_on(behind=3)

    def test_a_stopped_run_pauses_and_goes_on(self):
        self.assertEqual(self.home.stop_at_call(5), 5)
        self.assertEqual(self.home.status()["status"], "paused")
        self.assertEqual(list((self.home.home / "work/scratch").iterdir()), [])
        self.assert_goes_on(behind=4)

    def test_a_result_that_was_not_counted_is_measured_again(self):
        self.home.stop_at_call(4)
        with open(self.home.results() / "raw.jsonl", "a", encoding="utf-8") as raw:
            raw.write('{"row": "torn')
        self.assert_goes_on(behind=3)

    def test_lost_results_are_not_passed_over(self):
        self.home.stop_at_call(2)
        (self.home.results() / "raw.jsonl").write_text("")
        done = self.home.run()
        self.assertEqual(done.returncode, 1)
        self.assertIn("has lost results", done.stderr)

    def test_another_program_starts_over(self):
        self.home.stop_at_call(2)
        self.home.make_program("# built again\n")
        self.assertEqual(self.home.run().returncode, 0)
        self.assertEqual(len(self.home.raw(1)), EXPECTED)

    def test_another_seed_is_another_order(self):
        sys.path.insert(0, str(SOURCE / "bench"))
        import plan  # pylint: disable=import-outside-toplevel
        rows = [plan.Row(group, system, ()) for group in "abc" for system in "defg"]
        self.assertEqual(plan.schedule(rows, 2, 1), plan.schedule(rows, 2, 1))
        self.assertNotEqual(plan.schedule(rows, 2, 1), plan.schedule(rows, 2, 2))
        self.assertEqual(set(plan.schedule(rows, 2, 1)), set(plan.schedule(rows, 2, 2)))


class BusyMachine(unittest.TestCase):
    def test_others_are_told_from_own_children(self):
        sys.path.insert(0, str(SOURCE / "bench"))
        import machine  # pylint: disable=import-outside-toplevel
        with mock.patch.object(machine, "processor_seconds", side_effect=[(100.0, 40.0), (110.0, 47.0)]), \
                mock.patch.object(machine.Others, "own_seconds", side_effect=[5.0, 9.0]):
            self.assertAlmostEqual(machine.Others().share(), 0.3)  # of ten seconds seven were busy, four of them its own

    def test_own_children_are_seen(self):
        sys.path.insert(0, str(SOURCE / "bench"))
        import machine  # pylint: disable=import-outside-toplevel
        before = machine.Others.own_seconds()
        subprocess.run([sys.executable, "-c", "sum(range(3_000_000))"], check=True)
        self.assertGreater(machine.Others.own_seconds(), before + 0.01)


class FinishedRun(unittest.TestCase):
    """One run, of which one check has failed."""

    @classmethod
    def setUpClass(cls):
        cls.home = Home()
        cls.addClassCleanup(cls.home.place.cleanup)
        (cls.home.build / "fail_at").write_text("3")
        cls.done = cls.home.run()
        cls.table = (cls.home.results() / "table.md").read_text()

    def test_each_row_is_measured_in_each_round(self):
        rows = [(line["row"], line["round"]) for line in self.home.raw()]
        self.assertEqual(len(rows), EXPECTED)
        self.assertEqual(len(set(rows)), EXPECTED)
        self.assertEqual(len(self.home.calls()), EXPECTED)
        self.assertTrue(all(0 <= line["others_share"] <= 1 for line in self.home.raw()))

    def test_systems_of_a_group_run_beside_each_other(self):
        groups = [(line["group"], line["round"]) for line in self.home.raw()]
        changes = sum(1 for before, after in zip(groups, groups[1:]) if before != after)
        self.assertEqual(changes, len(set(groups)) - 1)
        self.assertEqual([turn for _, turn in groups], sorted(turn for _, turn in groups))

    def test_a_failed_check_is_told(self):
        self.assertEqual(self.done.returncode, 1, self.done.stderr)
        self.assertIn("**Failed: ", self.table)
        self.assertIn("a checkpoint is missing in DIR", self.table)

    def test_the_table_compares_and_warns(self):
        self.assertIn("**foldlog**", self.table)
        self.assertIn("of the limit", self.table)
        self.assertRegex(self.table, r"\| sqlite_log \| [\d.]+ k")
        self.assertIn("| 2 µs (1 µs – 4 µs) | 3 µs |", self.table)
        self.assertIn("the build is Debug", self.table)
        self.assertIn("the build is Debug", self.done.stderr)
        if self.home.place.name.startswith(MEMORY):
            self.assertIn("the file system is tmpfs", self.table)

    def test_plots_can_be_read(self):
        plots = list(self.home.results().glob("*.svg"))
        if shutil.which("gnuplot"):
            self.assertIn("durable.svg", [plot.name for plot in plots])
        for plot in plots:
            self.assertIn("svg", ElementTree.parse(plot).getroot().tag)

    def test_results_name_no_machine_user_or_place(self):
        for file in self.home.results().iterdir():
            text = file.read_text()
            for name in (str(self.home.home), *(name for name in (socket.gethostname(), getpass.getuser()) if len(name) > 4)):
                self.assertNotIn(name, text, file.name)


if __name__ == "__main__":
    SOURCE, FOLDLOG = pathlib.Path(sys.argv[1]).resolve(), os.path.realpath(sys.argv[2])
    del sys.argv[1:]
    unittest.main()
