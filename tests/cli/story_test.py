"""show, errors and diff: one operation's story, what went wrong, and how two operations differ."""

import csv
import fcntl
import io
import json
import os
import pty
import struct
import termios

import cli_support
from cli_support import ProgramTest, WEIRD_NAME

WIDE_NAME = "/photos/写真/é́".encode()


class StoryTest(ProgramTest):
    """A completed operation (events 1 to 9) with a pause, a takeover and four errors, and one that failed (10 to 12)."""

    def setUp(self):
        super().setUp()
        self.env["TZ"], self.env["LC_ALL"] = "UTC", "C.UTF-8"
        self.first = self.start("--root", "/photos", "--root", "/music", "--meta", "what=nightly")
        for number in (1, 2):
            self.text("checkpoint", "--files", str(10 * number), "--last", "/photos/%d.jpg" % number,
                      "--error", "cannot read '/x': error %d" % number, "--error-path", "/photos/%d/a b" % number)
        self.text("pause", "--reason", "backup")
        self.text("resume")
        self.text("recover", "--force", "--reason", "moved")
        self.text("checkpoint", "--files", "30", "--error", "not found", "--error-path", "/music/1")
        self.text("checkpoint", "--files", "40", "--error", "not found", "--error-path", "/music/1")
        self.text("complete")
        self.second = self.start("--type", "incremental", "--root", "/music", "--meta", "what=weekly")
        self.text("checkpoint", "--files", "5", "--error", "not found", "--error-path", "/music/1")
        self.text("fail", "--error", "disk full")

    def on_terminal(self, columns, *args):
        """What a terminal so wide is sent."""
        pid, fd = pty.fork()
        if pid == 0:
            env = {**self.env, "FOLDLOG_PAGER": "cat", "NO_COLOR": "1", "TERM": "xterm"}
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
            os.execve(self.program, [self.program, *args, "--log", self.log], env)
        output = b""
        try:
            while part := os.read(fd, 65536):
                output += part
        except OSError:  # its end
            pass
        os.close(fd)
        self.assertEqual(os.waitpid(pid, 0)[1], 0, output)
        return output.replace(b"\r\n", b"\n")


class ShowTest(StoryTest):
    def test_the_story_is_told(self):
        shown = self.json("show", self.first)
        self.assertEqual([step["sequence"] for step in shown["progress"]], list(range(1, 10)))
        self.assertEqual([step["files_processed"] for step in shown["progress"]], [0, 10, 20, 20, 20, 20, 30, 40, 40])
        self.assertEqual(len(shown["rates"]), 10)
        pause, = shown["pauses"]
        self.assertEqual((pause["sequence"], pause["ended_sequence"], pause["reason"]), (4, 5, "backup"))
        self.assertGreaterEqual(pause["duration_s"], 0)
        recovery, = shown["recoveries"]
        self.assertEqual((recovery["sequence"], recovery["evidence"], recovery["reason"]), (6, "forced", "moved"))
        self.assertEqual([(group["name"], group["count"]) for group in shown["error_groups"]],
                         [("cannot read <text>: error <n>", 2), ("not found", 2)])
        self.assertEqual(shown["error_groups"][0]["examples"][0]["error"]["path"], "/photos/1/a b")
        self.assertEqual(shown["events"], {"started": 1, "checkpoint": 4, "paused": 1, "resumed": 1, "recovered": 1,
                                           "completed": 1})

    def test_of_long_texts_the_events_in_it_have_the_beginning(self):
        self.start("--root", "/music")
        self.text("checkpoint", "--files", "1", "--error", "é" * 30_000, "--error-path", "/music/1")
        self.text("fail", "--error", "broken " + "z" * 100_000)
        shown = self.json("show", "last")
        error, failure = shown["errors"][-1]["error"]["error"], shown["milestones"][-1]["failure"]
        self.assertRegex(error, r"\Aé+ … \[cut, of 60000 bytes\]\Z")
        self.assertRegex(failure, r"\Abroken z+ … \[cut, of 100007 bytes\]\Z")
        for text in (error, failure):
            self.assertGreater(len(text.encode()), 16 * 1024 - 4)
            self.assertLessEqual(len(text.encode()), 16 * 1024)
        self.assertEqual(self.json_lines("events", "--errors", "--operation", "last")[0]["error"]["error"], "é" * 30_000)

    def test_people_see_curve_and_tables(self):
        text = self.text("show", self.first)
        self.assertRegex(text, "\nRate curve     [▁▂▃▄▅▆▇█]{24}  up to ")
        self.assertRegex(text, r"\nTIME \(UTC\) +AT WORK +FILES +FILES/S +ERRORS  LAST FILE\n")
        self.assertRegex(text, r"\nPAUSED \(UTC\) +FOR  REASON\n.* ms  backup\n")
        self.assertRegex(text, r"\nINTERRUPTED \(UTC\) +LOST  EVIDENCE  REASON\n.* forced    moved\n")
        self.assertRegex(text, r"\n +2  .*  cannot read <text>: error <n>\n +/photos/1/a b: cannot read '/x': error 1\n")
        self.env["LC_ALL"] = "C"
        self.assertRegex(self.text("show", self.first), r"\nRate curve     [_.:=+*#-]{24}  up to ")

    def test_tables_fit_the_terminal(self):
        self.start("--meta", "what=wide")
        for name in (WEIRD_NAME, WIDE_NAME):
            self.text("checkpoint", "--files", "1", "--last", name * 9, "--error", name * 9, "--error-path", b"/" + name * 9)
        for args in (["show", "last"], ["errors"], ["diff", "last~1", "last"]):
            for columns in (80, 200):
                output = self.on_terminal(columns, *args)
                self.assert_safe(output)
                for table in output.decode().split("\n\n"):
                    rows = table.split("\n")
                    if rows[0].split("  ")[0].strip() not in ("COUNT", "TIME (UTC)", "Progress", "FIRST"):
                        continue
                    for row in rows:
                        self.assertLessEqual(len(row) if "     /" not in row else 0, columns, row)
            self.assert_safe(self.foldlog(*args).stdout)


class ErrorsTest(StoryTest):
    def groups(self, *args):
        return [(line["by"], line["name"], line["count"]) for line in self.json_lines("errors", *args)]

    def test_errors_are_in_groups(self):
        self.assertEqual(self.groups(), [("message", "not found", 3), ("message", "cannot read <text>: error <n>", 2),
                                         ("message", "disk full", 1), ("directory", "/music", 3),
                                         ("directory", "/photos/1", 1), ("directory", "/photos/2", 1)])
        self.assertEqual(self.groups("last"), [("message", "not found", 1), ("message", "disk full", 1),
                                               ("directory", "/music", 1)])
        self.assertEqual(self.groups("--path", "/photos/"), [("message", "cannot read <text>: error <n>", 2),
                                                             ("directory", "/photos/1", 1),
                                                             ("directory", "/photos/2", 1)])
        self.assertEqual(self.groups("--since", "now"), [])
        self.assertEqual(len(self.groups("--since", "1h", "--until", "now")), 6)
        self.assertEqual(self.groups("-n", "1"), [("message", "not found", 3), ("message", None, 3),
                                                  ("directory", "/music", 3), ("directory", None, 2)])
        self.refused("errors", "--since", "now", "--until", "1h", status=2)
        self.refused("errors", "nobody")

    def test_csv_has_the_same(self):
        rows = list(csv.DictReader(io.StringIO(self.foldlog("errors", "--csv").stdout.decode(), newline="")))
        self.assertEqual([(row["by"], row["name"], int(row["count"])) for row in rows], self.groups())
        self.refused("errors", "--csv", "--json", status=2)

    def test_people_see_totals_and_examples(self):
        text = self.text("errors")
        self.assertIn("Errors         6, 1 of them failures\n", text)
        self.assertRegex(text, r"\nCOUNT  FIRST \(UTC\) +LAST \(UTC\) +KIND\n +3 .*  not found\n +/music/1: not found\n")
        self.assertRegex(text, r"\nCOUNT  FIRST \(UTC\) +LAST \(UTC\) +DIRECTORY\n +3 .*  /music\n")
        self.assertIn("\n… and 3 more errors, of other groups\n", self.text("errors", "-n", "1"))
        self.assertEqual(self.text("errors", "--since", "now"), "No error with --since now; \"foldlog errors\" counts all.\n")

    def test_paths_come_once_and_as_they_are(self):
        self.assertEqual(self.text("errors", "--paths"), "/photos/1/a b\n/photos/2/a b\n/music/1\n")
        self.assertEqual(self.text("errors", "last", "--paths"), "/music/1\n")
        self.assertEqual(self.text("errors", "--paths", "-n", "1"), "/photos/1/a b\n")
        self.start()
        self.text("checkpoint", "--files", "1", "--error", "bad", "--error-path", WEIRD_NAME)
        self.assertEqual(self.foldlog("errors", "last", "--paths", "-0").stdout, WEIRD_NAME + b"\0")
        self.assertEqual(os.fsencode(self.json("errors", "last", "--paths")["path"]), WEIRD_NAME)
        self.assertIn("line breaks, 1 of them", self.refused("errors", "last", "--paths"))
        self.assert_safe(self.on_terminal(80, "errors", "last", "--paths"))
        self.refused("errors", "-0", status=2)


    def test_an_empty_answer_says_what_was_asked(self):
        self.assertEqual(self.text("errors", "--path", "/no\n", "--since", "7d"),
                         "No error with --since 7d --path /no\\n; \"foldlog errors\" counts all.\n")


class DiffTest(StoryTest):
    def test_two_operations_side_by_side(self):
        diff = self.json("diff", "last~1", "last")
        self.assertEqual((diff["first"]["operation_id"], diff["second"]["operation_id"]), (self.first, self.second))
        self.assertEqual((diff["first"]["roots_only_here"], diff["second"]["roots_only_here"]), (["/photos"], []))
        self.assertEqual(diff["metadata_changes"], [{"name": "what", "first": ["nightly"], "second": ["weekly"]}])
        self.assertEqual((len(diff["first"]["rates"]), len(diff["second"]["rates"])), (10, 10))
        self.assertEqual(diff["errors_in_both"], 1)
        self.assertEqual([group["name"] for group in diff["new_errors"]], ["disk full"])
        self.assertEqual([(group["name"], group["count"]) for group in diff["gone_errors"]],
                         [("cannot read <text>: error <n>", 2)])
        self.assertFalse(diff["same_type"])
        self.refused("diff", "last", "nobody")
        self.refused("diff", "last", status=2)

    def test_people_see_both(self):
        text = self.text("diff", "last~1", "last")
        self.assertRegex(text, r"\nOperation +%s  %s\n" % (self.first, self.second))
        self.assertRegex(text, r"\nFiles +40 +5 +-35\n")
        self.assertRegex(text, r"\nTIME AT WORK +FILES/S +FILES/S\n +to 10 % ")
        self.assertIn("\nRoots gone     /photos\n", text)
        self.assertIn("\nMetadata       what: nightly → weekly\n", text)
        self.assertRegex(text, r"NEW ERRORS\n +1 .*  disk full\n")
        self.assertRegex(text, r"ERRORS THAT ARE GONE\n +2 .*  cannot read <text>: error <n>\n")


if __name__ == "__main__":
    cli_support.main()
