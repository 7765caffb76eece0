"""export and import of the foldlog program: lines of JSON and back, CSV, SQLite; whole files or none."""

import csv
import fcntl
import io
import json
import os
import signal
import sqlite3
import subprocess
import unittest

import cli_support
from cli_support import WEIRD_NAME, ProgramTest


class ExportTest(ProgramTest):
    def setUp(self):
        super().setUp()
        self.first = self.start("--root", WEIRD_NAME, "--meta", "a=1")
        self.text("checkpoint", "--files", "1", "--path", WEIRD_NAME, "--last", 'quoted "a", b\r\n')
        self.text("checkpoint", "--files", "2", "--error", "bad", "--error-path", WEIRD_NAME)
        self.text("complete", "--stat", "n=1")
        self.second = self.start()
        self.text("fail", "--error", "no disk")
        self.copy = os.path.join(self.dir, "copy")

    def file(self, name):
        return os.path.join(self.dir, name)

    def exported(self, *args):
        return self.foldlog("export", *args).stdout

    def left(self):
        """What is in the test's directory besides the log."""
        return sorted(set(os.listdir(self.dir)) - {"log"})

    def import_lines(self, lines, status=0):
        with open(self.file("lines"), "wb") as file:
            file.write(lines)
        done = self.run_raw("import", "--jsonl", self.file("lines"), "--log", self.copy)
        self.assertEqual(done.returncode, status, done.stderr)
        os.remove(self.file("lines"))
        return done.stderr.decode()

    def events_of(self, log):
        return self.run_raw("events", "--json", "--hash", "--log", log).stdout


class JsonLinesTest(ExportTest):
    def test_import_gives_the_same_log(self):
        self.foldlog("export", "--jsonl", self.file("a.jsonl"))
        self.assertEqual(self.run_raw("import", "--jsonl", self.file("a.jsonl"), "--log", self.copy).returncode, 0)
        self.assertEqual(self.events_of(self.copy), self.events_of(self.log))
        again = self.run_raw("export", "--jsonl", "-", "--log", self.copy)
        self.assertEqual(again.stdout, self.exported("--jsonl", "-"))
        with open(self.file("a.jsonl"), "rb") as file:
            self.assertEqual(file.read(), again.stdout)
        self.assertEqual(self.left(), ["a.jsonl", "copy"])

    def test_lines_show_what_events_show(self):
        lines = [json.loads(line) for line in self.exported("--jsonl", "-").splitlines()]
        self.assertEqual([line["kind"] for line in lines[:2]] + [lines[-1]["kind"]], ["export_begin", "started", "export_end"])
        for line, shown in zip(lines[1:-1], self.json_lines("events", "--hash"), strict=True):
            line.pop("line_hash")
            self.assertEqual(line, shown)

    def test_import_reads_standard_input(self):
        done = self.run_raw("import", "--jsonl", "-", "--log", self.copy, stdin=None, input=self.exported("--jsonl", "-"))
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        self.assertEqual(self.events_of(self.copy), self.events_of(self.log))

    def test_what_is_no_export_is_refused_with_its_line(self):
        lines = self.exported("--jsonl", "-").splitlines(keepends=True)
        self.assertIn("line 3: ", self.import_lines(b"".join(lines[:2] + [lines[2].replace(b"1", b"2", 1)] + lines[3:]), 1))
        self.assertIn("line 2: ", self.import_lines(b"".join(lines[:1] + lines[2:]), 1))
        self.assertIn("cut short", self.import_lines(b"".join(lines[:-1]), 1))
        self.assertIn("line 1: ", self.import_lines(b"hello\n", 1))
        self.assertIn("not one line", self.import_lines(b"", 1))
        self.assertEqual(self.left(), [])

    def test_a_part_is_for_reading_only(self):
        lines = self.exported("--jsonl", "-", "--kind", "checkpoint", "--from", "3")
        self.assertEqual([json.loads(line)["kind"] for line in lines.splitlines()], ["export_begin", "checkpoint", "export_end"])
        self.assertIn("line 1: only a part", self.import_lines(lines, 1))
        self.assertEqual(len(self.exported("--jsonl", "-", "--operation", self.second).splitlines()), 4)

    def test_a_log_is_not_replaced(self):
        lines = self.exported("--jsonl", "-")
        self.import_lines(lines)
        self.assertIn("already", self.import_lines(lines, 1))


class CsvTest(ExportTest):
    def rows(self, *args):
        text = self.exported("--csv", "-", *args).decode(errors="surrogateescape")
        return list(csv.DictReader(io.StringIO(text, newline="")))

    def test_rows_hold_what_events_show(self):
        rows, events = self.rows(), self.json_lines("events", "--hash")
        self.assertEqual(len(rows), len(events))
        for row, event in zip(rows, events):
            error = event.pop("error", None)
            if error:
                event.update(error_path=error["path"], error=error["error"])
            event.pop("clock_step_s", None)
            for name, value in event.items():
                nested = isinstance(value, (dict, list))
                self.assertEqual(json.loads(row[name]) if nested else row[name], value if nested else "" if value is None else str(value))

    def test_lines_end_as_the_standard_says(self):
        text = self.exported("--csv", "-", "--kind", "completed")
        self.assertEqual(text.count(b"\r\n"), 2)
        self.assertTrue(text.endswith(b"\r\n"))

    def test_filters(self):
        self.assertEqual([row["sequence"] for row in self.rows("--errors")], ["3", "6"])


class SqliteTest(ExportTest):
    def test_tables_hold_the_log(self):
        self.foldlog("export", "--sqlite", self.file("a.db"))
        db = sqlite3.connect(self.file("a.db"))
        self.addCleanup(db.close)
        self.assertEqual(db.execute("SELECT operation_id, status, files_processed, error_count FROM runs ORDER BY first_sequence").fetchall(),
                         [(self.first, "completed", 2, 1), (self.second, "failed", 0, 1)])
        events = self.json_lines("events", "--hash")
        self.assertEqual(db.execute("SELECT sequence, time, kind, operation_id, hash FROM events ORDER BY sequence").fetchall(),
                         [tuple(event[name] for name in ("sequence", "time", "kind", "operation_id", "hash")) for event in events])
        self.assertEqual(json.loads(db.execute("SELECT data FROM events WHERE kind = 'completed'").fetchone()[0]), {"stats": {"n": 1}})
        self.assertEqual(db.execute("SELECT files_processed, current_path FROM checkpoints").fetchall(), [(1, WEIRD_NAME), (2, None)])
        self.assertEqual(db.execute("SELECT run, path, error, of_file FROM errors ORDER BY sequence").fetchall(),
                         [(1, WEIRD_NAME, "bad", 1), (5, None, "no disk", 0)])
        self.assertEqual(db.execute("PRAGMA journal_mode").fetchone(), ("delete",))
        self.assertEqual(self.left(), ["a.db"])

    def test_a_part(self):
        self.foldlog("export", "--sqlite", self.file("a.db"), "--operation", self.second)
        db = sqlite3.connect(self.file("a.db"))
        self.addCleanup(db.close)
        self.assertEqual(db.execute("SELECT (SELECT count(*) FROM runs), (SELECT count(*) FROM events)").fetchone(), (1, 2))


class FileTest(ExportTest):
    def test_nothing_is_replaced(self):
        for option in ("--jsonl", "--csv", "--sqlite"):
            with open(self.file("there"), "w", encoding="utf-8") as file:
                file.write("precious")
            self.assertIn("already", self.refused("export", option, self.file("there")))
            with open(self.file("there"), encoding="utf-8") as file:
                self.assertEqual(file.read(), "precious")
        self.assertEqual(self.left(), ["there"])

    def test_usage(self):
        for args in ([], ["--csv", "-", "--jsonl", "-"], ["--sqlite", "-"], ["--csv", "-", "--from", "3", "--to", "2"],
                     ["--csv", "-", "--kind", "born"]):
            self.refused("export", *args, status=2)
        self.refused("import", status=2)

    def test_a_full_disk_leaves_nothing(self):
        for option in ("--jsonl", "--csv", "--sqlite"):
            done = subprocess.run(["sh", "-c", 'ulimit -f 1; exec "$0" "$@"', self.program, "export", option, self.file("full"),
                                   "--log", self.log], capture_output=True, env=self.env, timeout=cli_support.TIMEOUT_S)
            self.assertEqual(done.returncode, 1, (option, done.stderr))
            self.assertEqual(self.left(), [], option)

    def test_only_leftovers_of_this_file_are_removed(self):
        names = ["a.part-01234567", "a.part-0123456x", "a.part-0123456", "b.part-01234567", "a.part-89abcdef"]
        for name in names:
            with open(self.file(name), "w", encoding="utf-8"):
                pass
        with open(self.file(names[-1]), "r+", encoding="utf-8") as busy:
            fcntl.flock(busy, fcntl.LOCK_EX)  # as its program does
            self.foldlog("export", "--sqlite", self.file("a"))
        self.assertEqual(self.left(), sorted(["a", *names[1:]]))

    def test_an_interruption_leaves_nothing(self):
        read, write = os.pipe()
        self.addCleanup(os.close, write)
        importer = self.run_import_of_pipe(read)
        os.write(write, self.exported("--jsonl", "-").splitlines(keepends=True)[0])
        cli_support.wait_for(lambda: self.catches(importer.pid, signal.SIGINT), "the import to catch signals")
        importer.send_signal(signal.SIGINT)
        os.write(write, b"x\n")
        status, _, err = self.finish(importer)
        self.assertEqual(status, 1)
        self.assertIn("interrupted", err)
        self.assertEqual(self.left(), [])

    def run_import_of_pipe(self, read):
        process = subprocess.Popen([self.program, "import", "--jsonl", "-", "--log", self.copy], stdin=read, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, env=self.env)
        os.close(read)
        self.addCleanup(self._reap, process)
        return process

    @staticmethod
    def catches(pid, signal_number):
        with open(f"/proc/{pid}/status", encoding="ascii") as status:
            caught = next(line for line in status if line.startswith("SigCgt:"))
        return int(caught.split()[1], 16) >> (signal_number - 1) & 1


if __name__ == "__main__":
    cli_support.main()
