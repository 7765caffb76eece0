"""What a system does in every workload of peer_benchmark, small; and that a lost checkpoint is found out.

usage: peer_benchmark_test.py PROGRAM SYSTEM     (SYSTEM: a name of --list, or "limits" for all limits)

Ends with 77 if the system was not built, for ctest to call it skipped.
"""
import json
import subprocess
import sys
import tempfile
import unittest

SKIPPED = 77
CHECKPOINTS = {"durable": 20, "kill_safe": 300}
SECONDS = 20  # a bound that no run should reach: how many checkpoints there are decides


def run(*arguments):
    with tempfile.TemporaryDirectory() as place:
        return subprocess.run([PROGRAM, *arguments, f"--directory={place}", f"--seconds={SECONDS}"],
                              capture_output=True, text=True, check=False)


def command(system, workload, level, **more):
    more = {"checkpoints": CHECKPOINTS[level], **more}
    return [f"--system={system}", f"--workload={workload}", f"--level={level}",
            *(f"--{name.replace('_', '-')}={value}" for name, value in more.items())]


def workloads(system, levels):
    """Everything that the system can do at these levels: the arguments of a run each."""
    for level in levels:
        if system["singly"]:
            for threads in (1, 4) if system["many_threads"] else (1,):
                yield "record", level, {"threads": threads}
            yield "bytes", level, {}
        if system["in_bulk"]:
            yield "stream", level, {"checkpoints": 3000}
    level = levels[-1]
    if system["singly"] and system["keeps_errors"]:
        yield "record", level, {"errors": 1500, "pace_ns": 20_000}
    if system["in_bulk"] and system["singly"]:
        yield "stream", level, {"batch": 1}
        yield "reopen", level, {"checkpoints": CHECKPOINTS[level], "samples": 2}
    if system["keeps_history"]:
        yield "scan", level, {"checkpoints": 3000, "samples": 2}
        yield "old_run", level, {"checkpoints": 3000, "operations": 7, "samples": 3}
    if system["shared"]:
        yield "queries", level, {}


class PeerBenchmark(unittest.TestCase):
    def for_each(self, levels, check):
        for system in CHOSEN:
            for workload, level, more in workloads(system, system["levels"][-levels:]):
                with self.subTest(system=system["system"], workload=workload, level=level, **more):
                    check(system["system"], workload, level, more)

    def test_what_was_acknowledged_is_there(self):
        def check(system, workload, level, more):
            done = run(*command(system, workload, level, **more))
            self.assertEqual(done.returncode, 0, done.stderr)
            result = json.loads(done.stdout)
            self.assertEqual(result["check"], "passed")
            self.assertTrue(result["settings"] and result["promise"])
            self.assertTrue(all(value >= 0 for value in result["figures"].values()), result)
        self.for_each(2, check)

    def test_a_lost_checkpoint_is_found_out(self):
        def check(system, workload, level, more):
            if system == "limit_packing":
                return  # it packs the same frames each time, and keeps only how many there were
            done = run(*command(system, workload, level, **more, drop=more.get("errors", 0) + 11))
            self.assertEqual(done.returncode, 1, "a checkpoint was lost, and the check has passed")
            self.assertIn("DATA_LOSS", done.stderr)
        self.for_each(1, check)

    def test_an_unknown_system_is_wrong_usage(self):
        self.assertEqual(run(*command("no_such_store", "record", "durable")).returncode, 2)


if __name__ == "__main__":
    PROGRAM, NAME = sys.argv[1:]
    del sys.argv[1:]
    LISTED = [json.loads(line) for line in
              subprocess.run([PROGRAM, "--list"], capture_output=True, text=True, check=True).stdout.splitlines()]
    CHOSEN = [system for system in LISTED if (system["is_limit"] if NAME == "limits" else system["system"] == NAME)]
    if not CHOSEN:
        print(f"{NAME} was not built: its library was missing when this was configured")
        sys.exit(SKIPPED)
    unittest.main()
