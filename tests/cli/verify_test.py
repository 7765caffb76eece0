"""foldlog verify as people and scripts meet it."""

import json
import os
import re
import shutil
import sqlite3

import cli_support
from cli_support import ProgramTest


class VerifyTest(ProgramTest):
    def setUp(self):
        super().setUp()
        self.foldlog("start")
        self.foldlog("complete", "--stat", "text=" + "x" * 3000)

    def verify(self, *args, log=None):
        return self.run_raw("verify", *args, "--log", log or self.log)

    def damage(self):
        """A copy of the log with a batch that can't be read."""
        copy = os.path.join(self.dir, "copy")
        shutil.copytree(self.log, copy)
        with open(os.path.join(copy, "log.mdb"), "r+b") as file:
            for found in re.finditer(b"FLG[1Z]", file.read()):  # those of earlier transactions, too
                file.seek(found.start() + 60)
                file.write(b"damaged!")
        return copy

    def test_sound_log_ends_with_0_and_says_so(self):
        done = self.verify()
        self.assertEqual(done.returncode, 0)
        self.assertRegex(done.stdout.decode(), r"^sound: 2 events in [12] batch(es)? and the tail, 0\.\d MB, verified in ")
        self.assertRegex(self.verify("--quick").stdout.decode(), "^sound: 2 events .* looked at quickly in ")

    def test_damage_ends_with_3_and_says_where_how_much_and_what_next(self):
        copy = self.damage()
        done = self.verify(log=copy)
        self.assertEqual(done.returncode, 3)
        line = done.stdout.decode().splitlines()[0]
        self.assertRegex(line, rf"^damaged: batch: .*; hides events? \d+.* \[{copy}/log.mdb, page \d+, byte \d+\]; next: .*"
                               rf"foldlog events --from \d+ --beyond-damage --log {copy}")
        self.assertRegex(done.stdout.decode().splitlines()[-1], r"^damaged in \d+ places?: ")

    def test_json_is_a_line_for_each_finding_and_a_summary(self):
        *findings, summary = map(json.loads, self.verify("--json", log=self.damage()).stdout.splitlines())
        self.assertEqual({finding["part"] for finding in findings if finding["kind"] == "damage"}, {"batch"})
        self.assertFalse(summary["sound"])
        self.assertEqual(summary["kind"], "summary")

    def test_no_log_is_refused_and_wrong_options_are_wrong_usage(self):
        self.assertEqual(self.verify(log=os.path.join(self.dir, "none")).returncode, 1)
        for wrong in (["--quick", "--full"], ["--jobs", "0"], ["--jobs", "x"]):
            self.assertEqual(self.verify(*wrong).returncode, 2, wrong)

    def test_row_of_the_mirror_is_compared(self):
        mirror = os.path.join(self.dir, "state.db")
        self.foldlog("project", "--sqlite", mirror)
        self.assertEqual(self.verify("--mirror", mirror).returncode, 0)
        with sqlite3.connect(mirror) as database:
            database.execute("UPDATE indexing_state SET status = 'failed'")
        database.close()
        done = self.verify("--mirror", mirror)
        self.assertEqual(done.returncode, 3)
        self.assertIn("damaged: mirror: ", done.stdout.decode())
        self.foldlog("project", "--sqlite", mirror, "--check", "--heal")
        self.assertEqual(self.verify("--mirror", mirror).returncode, 0)

    def test_nothing_is_written(self):
        before = {name: os.stat(os.path.join(self.log, name)).st_mtime_ns for name in os.listdir(self.log)}
        self.verify()
        after = {name: os.stat(os.path.join(self.log, name)).st_mtime_ns for name in os.listdir(self.log)}
        self.assertEqual(before, after)

    def test_progress_is_for_terminals(self):
        self.assertEqual(self.verify().stderr, b"")


if __name__ == "__main__":
    cli_support.main()
