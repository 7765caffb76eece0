"""The index command of the foldlog program: its progress, its signals, and going on after a stop."""

import fcntl
import json
import os
import pty
import re
import signal
import struct
import termios
import unittest

import cli_support
from cli_support import ProgramTest, WEIRD_NAME


class IndexTest(ProgramTest):
    def setUp(self):
        super().setUp()
        self.catalog = os.path.join(self.dir, "catalog.db")

    def index(self, *args, **options):
        return self.text("index", *args, **options)

    def test_a_run_ends_with_a_summary(self):
        tree = self.make_tree(25)
        summary = self.index(tree, "--catalog", self.catalog, "--batch", "10")
        status = self.json("status")
        self.assertEqual((status["status"], status["files_processed"], status["total_files"]), ("completed", 25, 25))
        self.assertRegex(summary, r"(?m)^Operation +%s \(initial\)$" % status["operation_id"])
        self.assertRegex(summary, r"(?m)^Status +completed$")
        self.assertRegex(summary, r"(?m)^Files +25$")
        self.assertRegex(summary, r"(?m)^Took +\S")
        self.assertIn(self.catalog, summary)
        self.assertGreaterEqual(self.json("show")["events"]["checkpoint"], 3)

    def test_types_and_exclusions_are_passed_on(self):
        tree = self.make_tree(5)
        self.index(tree, "--catalog", self.catalog)
        self.index(tree, "--catalog", self.catalog, "--type", "incremental", "--one-file-system", "--exclude",
                   os.path.join(tree, "file00000"))
        status = self.json("status")
        self.assertEqual((status["operation_type"], status["files_processed"]), ("incremental", 4))

    def test_directories_of_any_name_are_found(self):
        names = [b"[a,b]", b"-x", b"status", WEIRD_NAME]
        for name in names:
            self.make_tree(1, name=name)
        done = self.run_raw("--log", self.log, "index", "--catalog", self.catalog, "--", *names, cwd=self.dir)
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        self.assertEqual(self.json("status")["files_processed"], len(names))

    def test_what_cannot_be_indexed_is_refused(self):
        tree = self.make_tree(1)
        missing = os.path.join(self.dir, "missing")
        self.assertIn(missing, self.refused("index", missing, "--catalog", self.catalog))
        self.refused("index", tree)
        self.refused("index", "--catalog", self.catalog)
        self.refused("status")

    def test_a_catalog_inside_the_log_is_refused(self):
        done = self.foldlog("index", self.dir, "--catalog", os.path.join(self.log, "catalog"), status=1)
        self.assertIn(b"inside the log", done.stderr)
        self.assertFalse(os.path.exists(os.path.join(self.log, "catalog")))

    def test_a_short_run_shows_no_progress_where_there_is_no_terminal(self):
        tree = self.make_tree(3)
        done = self.foldlog("index", tree, "--catalog", self.catalog)
        self.assertEqual(done.stderr, b"")

    def test_each_signal_to_stop_pauses_with_status_5_and_the_same_command_goes_on(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if number == signal.SIGINT:
                indexer = self.stopped_indexer(args=["--json"])
            else:
                indexer = self.restarted_and_stopped()
            before = self.json("status")["files_processed"]
            indexer.send_signal(number)
            indexer.send_signal(signal.SIGCONT)
            status, out, err = self.finish(indexer)
            self.assertEqual(status, 5)
            self.assertRegex(err, r"\Afoldlog: paused by %s before the end; \"foldlog index\".*\n\Z" % number.name)
            self.assertEqual(json.loads(out)["status"], "paused")
            status = self.json("status")
            self.assertEqual((status["status"], status["pause_reason"]), ("paused", number.name))
            self.assertGreaterEqual(status["files_processed"], before)
        self.assertRegex(self.index(), r"(?m)^Status +completed; went on")  # directories and catalog are remembered
        status = self.json("status")
        self.assertEqual((status["status"], status["files_processed"]), ("completed", 3000))
        self.assertEqual(self.json("show")["events"]["resumed"], 3)

    def restarted_and_stopped(self):
        indexer = self.spawn("index", "--batch", "1", "--json")
        cli_support.wait_for(lambda: self.json("status")["status"] == "in_progress", "the indexer to go on")
        indexer.send_signal(signal.SIGSTOP)
        self.assertEqual(self.json("status")["status"], "in_progress", "it ended before it could be stopped")
        return indexer

    def test_sighup_that_was_ignored_from_the_start_stays_ignored(self):
        indexer = self.stopped_indexer(args=["--quiet"], preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
        indexer.send_signal(signal.SIGHUP)
        indexer.send_signal(signal.SIGCONT)
        self.assertEqual(self.finish(indexer), (0, "", ""))

    def test_the_time_limit_pauses_with_status_5(self):
        tree = self.make_tree(1)
        with open(os.path.join(tree, "huge"), "wb") as file:
            file.truncate(1 << 42)  # a hole that takes hours to read
        done = self.foldlog("index", tree, "--catalog", self.catalog, "--time-limit", "1", "--quiet", status=5)
        self.assertIn(b"paused by the time limit before the end", done.stderr)
        self.assertEqual(self.json("status")["pause_reason"], "the time limit")
        self.assertIn("--time-limit", self.refused("index", "--time-limit", "0", status=2))

    def test_files_with_errors_are_named_and_strict_ends_with_status_4(self):
        tree = self.make_tree(3)
        for name in "abcdefg":
            os.symlink(name, os.path.join(tree, name))  # not followed, so no error
        removed = self.tree_that_loses_files(tree, 7)
        out = self.run_raw("index", tree, removed, "--catalog", self.catalog, "--type", "incremental", "--log", self.log)
        self.assertEqual(out.returncode, 0)
        self.assertRegex(out.stdout.decode(), r"(?m)^Errors +1$")
        self.assertIn("Error          %s: 7 rows without a file kept" % removed, out.stdout.decode())
        command = re.search(r"(?m)^All errors +foldlog (.*)$", out.stdout.decode()).group(1).split()
        self.assertEqual(len(self.text(*command).splitlines()), 1)
        done = self.run_raw("index", tree, removed, "--catalog", self.catalog, "--type", "incremental", "--strict",
                            "--quiet", "--log", self.log)
        self.assertEqual((done.returncode, done.stdout), (4, b""))
        self.assertRegex(done.stderr, rb'\Afoldlog: completed, but 1 error was found; "foldlog events --errors .*\n\Z')

    def tree_that_loses_files(self, tree, files):
        """A root whose files are all gone after it was indexed, together with the other one."""
        lost = self.make_tree(files, name=b"lost")
        self.index(tree, lost, "--catalog", self.catalog)
        for name in os.listdir(lost):
            os.remove(os.path.join(lost, name))
        return lost

    def test_accept_removed_drops_the_rows_of_an_empty_root(self):
        tree = self.make_tree(3)
        lost = self.tree_that_loses_files(tree, 7)
        args = [tree, lost, "--catalog", self.catalog, "--type", "incremental", "--json"]
        self.assertEqual(json.loads(self.index(*args))["kept"], 7)
        done = json.loads(self.index(*args, "--accept-removed", "--strict"))
        self.assertEqual((done["kept"], done["removed"], done["errors"], done["first_errors"]), (0, 7, 0, []))

    def test_json_is_one_object_that_agrees_with_the_log(self):
        tree = self.make_tree(25)
        done = json.loads(self.index(tree, "--catalog", self.catalog, "--json"))
        self.assertEqual((done["status"], done["files"], done["added"], done["resumed"]), ("completed", 25, 25, False))
        self.assertEqual((done["catalog"], done["damaged_catalog"]), (self.catalog, None))
        shown = self.json("show")
        self.assertEqual(done["operation_id"], shown["operation_id"])
        for name, value in shown["stats"].items():
            self.assertEqual(done[name], value, name)

    def test_quiet_is_quiet(self):
        tree = self.make_tree(3)
        self.assertEqual(self.index(tree, "--catalog", self.catalog, "--quiet"), "")
        with open(os.path.join(tree, "file00001"), "w") as file:
            file.write("changed")
        self.assertEqual(self.index(tree, "--catalog", self.catalog, "--quiet", "--type", "recovery"), "")

    def test_what_is_refused_leaves_no_log_behind(self):
        tree = self.make_tree(1)
        letter = os.path.join(self.dir, "letter")
        with open(letter, "w") as file:
            file.write("x" * 5000)
        before = sorted(os.listdir(self.dir))
        for args in ([tree], [os.path.join(self.dir, "missing"), "--catalog", self.catalog], ["--catalog", self.catalog],
                     [tree, "--catalog", os.path.join(self.dir, "none", "catalog.db")], [tree, "--catalog", tree],
                     [tree, "--catalog", letter], [tree, "--catalog", self.catalog, "--exclude", self.dir],
                     ["/proc/self", "--catalog", self.catalog], [letter, "--catalog", self.catalog],
                     [tree, "--catalog", os.path.join(self.log, "catalog.db")]):
            self.refused("index", *args)
            self.assertEqual(sorted(os.listdir(self.dir)), before, args)

    def test_pseudo_file_systems_are_indexed_only_if_asked_for(self):
        self.assertIn("--pseudo-file-systems", self.refused("index", "/proc/self/net", "--catalog", self.catalog))
        done = json.loads(self.index("/proc/self/attr", "--catalog", self.catalog, "--pseudo-file-systems", "--json"))
        self.assertGreater(done["files"], 0)

    def test_a_killed_run_is_recovered_by_the_same_command(self):
        indexer = self.stopped_indexer()
        indexer.kill()
        indexer.wait()
        self.index(os.path.join(self.dir, "tree"), "--catalog", self.catalog)
        entry = self.json_lines("history")[0]
        self.assertEqual((entry["status"], entry["files_processed"], entry["interruptions"]), ("completed", 3000, 1))

    def test_no_resume_refuses_to_go_on(self):
        indexer = self.stopped_indexer()
        indexer.kill()
        indexer.wait()
        tree = os.path.join(self.dir, "tree")
        self.assertIn(self.json("status")["operation_id"],
                      self.refused("index", tree, "--catalog", self.catalog, "--no-resume"))
        self.assertEqual(self.json("status")["status"], "in_progress")
        self.index(tree, "--catalog", self.catalog)

    def test_another_type_is_not_resumed(self):
        indexer = self.stopped_indexer()
        indexer.kill()
        indexer.wait()
        self.assertIn("initial", self.refused("index", "--type", "incremental"))


class TerminalTest(ProgramTest):
    """Progress on a terminal: a line that renews itself."""

    COLUMNS = 40

    def index_on_terminal(self, *args, files, term="xterm", columns_later=None):
        """Runs an indexer with a pseudo-terminal for standard error, and returns what came there.

        With `columns_later`, the terminal has another width after the first line.
        """
        try:
            master, terminal = pty.openpty()
        except OSError as error:
            self.skipTest(f"no pseudo-terminal, as in a bare root without /dev/pts: {error}")
        self.addCleanup(os.close, master)
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, self.COLUMNS, 0, 0))
        tree = self.make_tree(files)
        self.make_tree(1, name=b"tree/" + WEIRD_NAME)
        indexer = self.spawn("index", tree, "--catalog", os.path.join(self.dir, "catalog.db"), "--batch", "1", *args,
                             stderr=terminal, env={**self.env, "TERM": term})
        os.close(terminal)
        shown = b""
        while True:
            try:
                part = os.read(master, 65536)
            except OSError:  # how Linux says that the last one closed the terminal
                break
            if not part:
                break
            shown += part
            if columns_later:
                fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns_later, 0, 0))
        self.assertEqual(indexer.wait(cli_support.TIMEOUT_S), 0)
        return shown

    def test_the_line_renews_itself_fits_and_goes(self):
        # Enough that the line is renewed a few times, at a tenth of a second each.
        shown = self.index_on_terminal(files=3000)
        self.assertNotIn(b"\n", shown)
        lines = shown.split(b"\r\x1b[K")
        self.assertGreaterEqual(len(lines), 3)
        self.assertEqual((lines[0], lines[-1]), (b"", b""))
        for line in lines:
            self.assertLess(len(line.decode()), self.COLUMNS)
            self.assert_safe(line)
        self.assertTrue(any(re.search(rb" of 3,001 files \(\d", line) for line in lines), lines)

    def test_the_line_follows_the_width_of_the_terminal(self):
        lines = self.index_on_terminal(files=3000, columns_later=17).split(b"\r\x1b[K")
        self.assertGreaterEqual(len(lines), 5)
        for line in lines[3:]:  # the first, and one that may have been on its way
            self.assertLess(len(line.decode()), 17)

    def test_quiet_shows_nothing(self):
        self.assertEqual(self.index_on_terminal("--quiet", files=20), b"")

    def test_a_dumb_terminal_gets_no_sequences(self):
        self.assertNotIn(b"\x1b", self.index_on_terminal(files=20, term="dumb"))


if __name__ == "__main__":
    cli_support.main()
