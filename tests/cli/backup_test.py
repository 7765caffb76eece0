"""foldlog backup and foldlog restore as people and scripts meet them."""

import json
import os
import pty
import re
import subprocess
import tempfile

import cli_support
from cli_support import ProgramTest


class BackupTest(ProgramTest):
    def setUp(self):
        super().setUp()
        self.backup = os.path.join(self.dir, "backup")
        self.restored = os.path.join(self.dir, "restored")
        self.foldlog("start")
        self.foldlog("complete", "--stat", "text=" + "x" * 3000)

    def back_up(self, *args, dest=None):
        return self.run_raw("backup", dest or self.backup, *args, "--log", self.log)

    def restore(self, *args, source=None, to=None, **more):
        return self.run_raw("restore", source or self.backup, *args, "--log", to or self.restored, **more)

    def restore_stream(self, stream, to=None):
        with tempfile.TemporaryFile(dir=self.dir) as file:
            file.write(stream)
            file.seek(0)
            return self.restore(source="-", to=to, stdin=file)

    def last(self, log):
        status = json.loads(self.run_raw("status", "--json", "--log", log).stdout)
        return status["last_sequence"], status["last_hash"]

    def test_first_copies_all_then_what_is_new(self):
        done = self.back_up()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout.decode(), r"^copied 2 events, .* in .*s: the backup ends with event 2, hash [0-9a-f]{16}\n$")
        self.assertRegex(self.back_up().stdout.decode(), r"^nothing new: the backup ends with event 2, hash ")
        self.foldlog("clear")
        self.assertRegex(self.back_up().stdout.decode(), r"^copied 1 event, .* ends with event 3,")
        self.assertEqual(self.last(self.backup), self.last(self.log))
        self.assertEqual(self.run_raw("verify", "--log", self.backup).returncode, 0)

    def test_json_has_the_same(self):
        said = json.loads(self.back_up("--json").stdout)
        self.assertEqual((said["created"], said["events"], said["previous_sequence"], said["last_sequence"]), (True, 2, 0, 2))
        self.assertEqual(said["last_hash"], self.last(self.log)[1])
        again = json.loads(self.back_up("--json").stdout)
        self.assertEqual((again["created"], again["events"], again["previous_sequence"]), (False, 0, 2))
        restored = json.loads(self.restore("--json").stdout)
        self.assertEqual((restored["events"], restored["log_id"]), (2, said["log_id"]))

    def test_check_looks_through_what_was_written(self):
        done = self.back_up("--check")
        self.assertEqual(done.returncode, 0)
        self.assertRegex(done.stdout.decode().splitlines()[1], "^sound: 2 events ")
        path = os.path.join(self.backup, "log.mdb")
        with open(path, "r+b") as file:
            for found in re.finditer(b"FLG[1Z]", file.read()):
                file.seek(found.start() + 60)
                file.write(b"damaged!")
        done = self.back_up("--check")
        self.assertEqual(done.returncode, 3, done)

    def test_refusals_end_with_1_and_say_why(self):
        other = os.path.join(self.dir, "other")
        self.run_raw("start", "--log", other)
        done = self.back_up(dest=other)
        self.assertEqual(done.returncode, 1)
        self.assertIn("holds another log", done.stderr.decode())
        self.back_up()
        self.assertEqual(self.run_raw("clear", "--log", self.backup).returncode, 0)
        self.foldlog("reset", "--reason", "another way")
        done = self.back_up()
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr.decode(), "have diverged: event 3 has the hash [0-9a-f]{16} in the backup and [0-9a-f]{16} in the log")

    def test_wrong_usage_ends_with_2(self):
        for wrong in (["backup"], ["restore"], ["backup", "-", "--check"], ["backup", "a", "b"]):
            self.assertEqual(self.run_raw(*wrong, "--log", self.log).returncode, 2, wrong)

    def test_restored_log_says_so_and_nothing_is_overwritten(self):
        self.back_up()
        done = self.restore()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout.decode(), "^restored 2 events, .*: the log ends with event 2, hash ")
        self.assertEqual(self.last(self.restored), self.last(self.log))
        status = self.run_raw("status", "--log", self.restored).stdout.decode()
        self.assertRegex(status, rf"Restored +.* from {re.escape(self.backup)} on .*, up to event 2\n")
        restored = json.loads(self.run_raw("status", "--json", "--log", self.restored).stdout)["restored"]
        self.assertEqual((restored["source"], restored["last_sequence"]), (self.backup, 2))
        self.assertIsNone(json.loads(self.run_raw("status", "--json", "--log", self.log).stdout)["restored"])
        self.assertEqual(self.run_raw("clear", "--log", self.restored).returncode, 0)
        done = self.restore()
        self.assertEqual(done.returncode, 1)
        self.assertIn("there is a log at", done.stderr.decode())
        self.assertEqual(self.run_raw("verify", "--log", self.restored).returncode, 0)

    def test_stream_there_and_back(self):
        sent = self.back_up("--json", dest="-")
        self.assertEqual(sent.returncode, 0, sent.stderr)
        self.assertEqual(json.loads(sent.stderr)["events"], 2)
        done = self.restore_stream(sent.stdout)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.last(self.restored), self.last(self.log))
        for size in (0, 40, 100, len(sent.stdout) - 1):
            cut = os.path.join(self.dir, "cut")
            done = self.restore_stream(sent.stdout[:size], cut)
            self.assertEqual(done.returncode, 3 if size else 1, (size, done.stderr))
            self.assertFalse(os.path.exists(cut))
        damaged = bytearray(sent.stdout)
        damaged[150] ^= 1
        done = self.restore_stream(bytes(damaged), cut)
        self.assertEqual(done.returncode, 3)
        self.assertIn("has a damaged batch", done.stderr.decode())
        self.assertFalse(os.path.exists(cut))

    def test_a_terminal_gets_no_stream_and_a_progress_line(self):
        main, terminal = pty.openpty()
        done = subprocess.run([self.program, "backup", "-", "--log", self.log], stdout=terminal, stderr=subprocess.PIPE,
                              env=self.env, check=False)
        os.close(terminal)
        os.close(main)
        self.assertEqual(done.returncode, 1)
        self.assertIn("no text for a terminal", done.stderr.decode())
        self.assertEqual(self.back_up().stderr, b"")

    def test_every_command_reads_a_backup(self):
        self.back_up()
        for command in (["status"], ["history"], ["events"], ["show", "last"], ["export", "--jsonl", "-"], ["verify"]):
            done = self.run_raw(*command, "--log", self.backup)
            self.assertEqual(done.returncode, 0, (command, done.stderr))
        events = self.run_raw("events", "--hash", "--json", "--log", self.log).stdout
        self.assertEqual(self.run_raw("events", "--hash", "--json", "--log", self.backup).stdout, events)


if __name__ == "__main__":
    cli_support.main()
