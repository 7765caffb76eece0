"""The index command of the foldlog program: its progress, its signals, and going on after a stop."""

import fcntl
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
        self.assertEqual(self.json("status")["status"], "idle")

    def test_a_catalog_inside_the_log_is_refused(self):
        done = self.foldlog("index", self.dir, "--catalog", os.path.join(self.log, "catalog"), status=1)
        self.assertIn(b"inside the log", done.stderr)
        self.assertFalse(os.path.exists(os.path.join(self.log, "catalog")))

    def test_a_short_run_shows_no_progress_where_there_is_no_terminal(self):
        tree = self.make_tree(3)
        done = self.foldlog("index", tree, "--catalog", self.catalog)
        self.assertEqual(done.stderr, b"")

    def test_sigint_and_sigterm_pause_and_the_same_command_goes_on(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            if number == signal.SIGINT:
                indexer = self.stopped_indexer(args=["--quiet"])
            else:
                indexer = self.restarted_and_stopped()
            before = self.json("status")["files_processed"]
            indexer.send_signal(number)
            indexer.send_signal(signal.SIGCONT)
            status, out, err = self.finish(indexer)
            self.assertEqual((status, err), (0, ""))
            self.assertRegex(out, r"(?m)^Status +paused")
            self.assertIn('"foldlog index"', out)
            status = self.json("status")
            self.assertEqual((status["status"], status["pause_reason"]), ("paused", number.name))
            self.assertGreaterEqual(status["files_processed"], before)
        self.assertRegex(self.index(), r"(?m)^Status +completed; went on")  # directories and catalog are remembered
        status = self.json("status")
        self.assertEqual((status["status"], status["files_processed"]), ("completed", 3000))
        self.assertEqual(self.json("show")["events"]["resumed"], 2)

    def restarted_and_stopped(self):
        indexer = self.spawn("index", "--batch", "1", "--quiet")
        cli_support.wait_for(lambda: self.json("status")["status"] == "in_progress", "the indexer to go on")
        indexer.send_signal(signal.SIGSTOP)
        self.assertEqual(self.json("status")["status"], "in_progress", "it ended before it could be stopped")
        return indexer

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

    def index_on_terminal(self, *args, files, term="xterm"):
        """Runs an indexer with a pseudo-terminal for standard error, and returns what came there."""
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

    def test_quiet_shows_nothing(self):
        self.assertEqual(self.index_on_terminal("--quiet", files=20), b"")

    def test_a_dumb_terminal_gets_no_sequences(self):
        self.assertNotIn(b"\x1b", self.index_on_terminal(files=20, term="dumb"))


if __name__ == "__main__":
    cli_support.main()
