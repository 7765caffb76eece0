"""tools/read_log.py beside the program: every field that `foldlog events --json` shows stands in the script's lines, too."""

import contextlib
import datetime
import json
import os
import re
import sqlite3
import subprocess
import unittest

import cli_support
from cli_support import WEIRD_NAME, ProgramTest

SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools", "read_log.py")
TIMES = {"time", "booted_at", "started_at", "last_update", "updated_at", "ended_at"}
OTHER_NAMES = {"operation_type": "type", "boot_id": "bootId"}
NO_TIME = str(-2**63)
ENUMERATORS = {"evidence", "status", "operation_type"}
ONLY_SHOWN = {"id"}  # the row's, which is 1 always
# Of an event of this kind, this field is told by the log as a whole and not by the event.
FROM_THE_STATE = {"operation_id", "clock_step_s"}


def camel(name):
    name = OTHER_NAMES.get(name, name)
    return re.sub("_(.)", lambda found: found[1].upper(), name)


def nanoseconds(text):
    whole, fraction = text.rstrip("Z").split(".")
    seconds = datetime.datetime.fromisoformat(whole + "+00:00").timestamp()
    return int(seconds) * 10**9 + int(fraction)


class ReadLogTest(ProgramTest):
    def script(self):
        done = subprocess.run(["/usr/bin/python3", "-B", SCRIPT, self.log], capture_output=True, timeout=cli_support.TIMEOUT_S)
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        return [json.loads(line) for line in done.stdout.splitlines()]

    def assert_same(self, shown, raw, name):
        """What the program shows is what the script read."""
        if name in TIMES and isinstance(shown, str):
            shown = nanoseconds(shown)
        if isinstance(shown, dict) and isinstance(raw, list):  # names and values
            raw = {pair["name"]: pair.get("value", pair.get("integer", pair.get("real", pair.get("text")))) for pair in raw}
            self.assertEqual({key: str(value) for key, value in shown.items()},
                             {key: str(value) for key, value in raw.items()})
        elif isinstance(shown, dict):
            for key in shown.keys() - ONLY_SHOWN:
                value = shown[key]
                inside = {("error", "error"): "message", ("row", "operation_type"): "operationType"}.get((name, key), camel(key))
                self.assert_same(value, raw.get(inside), key)
        elif shown is None:
            self.assertIn(raw, (None, "-1", "", "0", NO_TIME), name)
        elif isinstance(shown, (bool, list, float)) or isinstance(raw, int):
            self.assertEqual(shown, raw, name)
        else:
            self.assertEqual(camel(shown) if name in ENUMERATORS and raw != shown else str(shown), raw or "", name)

    def assert_all_read(self):
        shown_events, lines = self.json_lines("events", "--hash"), self.script()
        self.assertEqual(len(shown_events), len(lines))
        for shown, line in zip(shown_events, lines):
            if shown["kind"] == "failed":
                shown["error"] = shown.pop("failure")
            body = {**line, **line[shown["kind"]]} if line.get(shown["kind"]) else line
            for name, value in shown.items():
                if name == "kind" or name in FROM_THE_STATE and shown["kind"] != "started":
                    continue
                with self.subTest(sequence=shown["sequence"], name=name):
                    self.assert_same(value, body.get(camel(name)), name)
        return {event["kind"] for event in shown_events}

    def test_events_of_a_life(self):
        self.text("start", "--total", "9", "--root", WEIRD_NAME, "--meta", "a=b")
        self.text("checkpoint", "--files", "3", "--path", WEIRD_NAME, "--last", "x", "--batch", "4")
        self.text("checkpoint", "--files", "4", "--error", WEIRD_NAME, "--error-path", WEIRD_NAME)
        self.text("pause", "--reason", "night")
        self.text("resume")
        self.text("complete", "--stat", "n=1", "--stat", "r=0.5", "--stat", "t=text")
        self.text("clear")
        self.text("start")
        self.text("fail", "--error", "no disk")
        self.text("reset", "--reason", "maintenance")
        kinds = self.assert_all_read()
        self.assertEqual(kinds, {"started", "checkpoint", "paused", "resumed", "completed", "cleared", "failed", "reset"})

    def test_recovery(self):
        owner = self.sleeper()
        self.text("start", "--owner-pid", str(owner.pid))
        owner.kill()
        owner.wait()
        self.text("resume")
        self.assertIn("recovered", self.assert_all_read())

    def test_import(self):
        database = os.path.join(self.dir, "state.db")
        with contextlib.closing(sqlite3.connect(database)) as connection, connection:
            connection.execute("CREATE TABLE indexing_state (id INTEGER PRIMARY KEY CHECK (id = 1), operation_type TEXT, "
                               "status TEXT, checkpoint_data TEXT, started_at INTEGER, updated_at INTEGER, completed_at INTEGER)")
            connection.execute("INSERT INTO indexing_state VALUES (1, 'initial', 'paused', ?, 1700000000, 1700000060, NULL)",
                               (json.dumps({"files_processed": 10, "last_path": "/a", "batch_num": 3, "more": True}),))
        self.text("import", "--sqlite", database)
        self.assertEqual(self.assert_all_read(), {"imported"})


if __name__ == "__main__":
    cli_support.main()
