"""foldlog salvage and --beyond-damage as people and scripts meet them."""

import json
import os
import re
import shutil

import cli_support
from cli_support import ProgramTest


class SalvageTest(ProgramTest):
    def setUp(self):
        super().setUp()
        for _ in range(4):
            self.foldlog("start")
            # Nothing packs it, and it has a page of its own: so one batch can be damaged without its neighbours.
            self.foldlog("complete", "--stat", "text=" + os.urandom(3000).hex())
        self.events = [json.loads(line) for line in self.text("events", "--json", "--hash").splitlines()]
        self.new = os.path.join(self.dir, "new")

    def run_on(self, log, *args):
        return self.run_raw(*args, "--log", log)

    def copy(self):
        copy = os.path.join(self.dir, "copy")
        shutil.copytree(self.log, copy)
        return copy

    def overwrite(self, path, places, bytes_):
        with open(path, "r+b") as file:
            for place in places:
                file.seek(place)
                file.write(bytes_)

    def damage(self):
        """A copy of the log in which event 4 is damaged, wherever it is; its tail is as it was."""
        copy = self.copy()
        path = os.path.join(copy, "log.mdb")
        with open(path, "rb") as file:
            content = file.read()
        text = self.events[3]["stats"]["text"].encode()
        places = [found.start() for found in re.finditer(re.escape(text[:40]), content)]
        self.assertTrue(places)
        self.overwrite(path, places, b"\0\1\2\3" * 10)
        return copy

    def sequences(self, done):
        return [json.loads(line)["sequence"] for line in done.stdout.splitlines() if b'"missing"' not in line]

    def test_events_go_on_behind_damage_and_say_what_is_missing(self):
        copy = self.damage()
        done = self.run_on(copy, "events", "--json")
        self.assertEqual(done.returncode, 3)
        self.assertIn("--beyond-damage", done.stderr.decode())
        done = self.run_on(copy, "events", "--json", "--beyond-damage")
        self.assertEqual(done.returncode, 3, done.stderr)
        missing = [json.loads(line) for line in done.stdout.splitlines() if b'"missing"' in line]
        self.assertEqual(len(missing), 1)
        gap = range(missing[0]["from"], missing[0]["through"] + 1)
        self.assertIn(4, gap)
        self.assertEqual(self.sequences(done), [number for number in range(1, 9) if number not in gap])
        self.assertRegex(done.stderr.decode(), r"\Afoldlog: events? .*4.* missing: damaged\n\Z")
        newest = self.run_on(copy, "events", "--json", "--beyond-damage", "--reverse")
        self.assertEqual(self.sequences(newest), self.sequences(done)[::-1])

    def test_other_commands_go_on_too(self):
        copy = self.damage()
        for command in (["history"], ["history", "--totals"], ["errors"], ["show", "last"], ["show", "last~2"],
                        ["export", "--csv", "-"], ["export", "--jsonl", "-"]):
            done = self.run_on(copy, *command, "--beyond-damage")
            cut = command != ["show", "last"]  # that one is whole
            self.assertEqual(done.returncode, 3 if cut else 0, (command, done.stderr))
            self.assertEqual(b"missing: damaged" in done.stderr, cut, command)
        self.assertEqual(len(self.run_on(copy, "history", "--json", "--beyond-damage").stdout.splitlines()), 4 + 1)
        self.assertEqual(self.run_on(copy, "events", "--beyond-damage", "--follow").returncode, 2)

    def test_a_sound_log_has_no_gaps(self):
        done = self.run_on(self.log, "events", "--json", "--hash", "--beyond-damage")
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        self.assertEqual([json.loads(line) for line in done.stdout.splitlines()], self.events)

    def test_salvage_brings_everything_back_without_meta_pages(self):
        copy = self.copy()
        self.overwrite(os.path.join(copy, "log.mdb"), [0], bytes(8192))
        self.assertEqual(self.run_on(copy, "events").returncode, 3)
        done = self.run_on(copy, "salvage", "--out", self.new)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout.decode(),
                         f"salvaged: 8 events up to hash {self.events[-1]['hash']} into {self.new}\n")
        back = self.run_on(self.new, "events", "--json", "--hash")
        self.assertEqual([json.loads(line) for line in back.stdout.splitlines()], self.events)
        self.assertEqual(self.run_on(self.new, "verify").returncode, 0)

    def test_what_is_beyond_a_gap_is_told_and_written(self):
        copy = self.damage()
        os.remove(os.path.join(copy, "tail"))  # it has the event once more
        rest = os.path.join(self.dir, "rest.jsonl")
        done = self.run_on(copy, "salvage", "--out", self.new, "--beyond-gaps", rest)
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertRegex(done.stdout.decode(), r"missing: events? .*4.* not found")
        self.assertRegex(done.stdout.decode(), r"beyond: events \d to 8 ")
        with open(rest, encoding="utf-8") as file:
            lines = [json.loads(line) for line in file]
        beyond = [line["hash"] for line in lines if "hash" in line]
        self.assertEqual(beyond, [event["hash"] for event in self.events[-len(beyond):]])
        piped = self.run_on(copy, "salvage", "--dry-run", "--beyond-gaps", "-")
        self.assertEqual([json.loads(line) for line in piped.stdout.splitlines()], lines)
        self.assertIn(b"to be salvaged: ", piped.stderr)

    def test_refusals(self):
        self.assertEqual(self.run_on(self.log, "salvage").returncode, 2)
        self.assertEqual(self.run_on(self.log, "salvage", "--out", self.new, "--dry-run").returncode, 2)
        self.assertEqual(self.run_on(self.log, "salvage", "--out", self.new, "--log-id", "x").returncode, 2)
        self.assertEqual(self.run_on(self.log, "salvage", "--out", self.log).returncode, 1)
        self.assertEqual(self.run_on(os.path.join(self.dir, "none"), "salvage", "--out", self.new).returncode, 1)
        self.assertFalse(os.path.exists(self.new))


if __name__ == "__main__":
    cli_support.main()
