"""schema/JSON.md against real output, both ways: what is said is on the page as it says, and what is on the page is said."""

import base64
import json
import os
import re
import shutil
import struct
import subprocess

import cli_support
import xxhash
from cli_support import WEIRD_NAME, ProgramTest

SCHEMA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "schema")
RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z")
TYPES = {
    "text": lambda value: isinstance(value, str),
    "integer": lambda value: type(value) is int,
    "number": lambda value: type(value) in (int, float),
    "boolean": lambda value: type(value) is bool,
    "time": lambda value: isinstance(value, str) and RFC3339.fullmatch(value),
    "hash": lambda value: isinstance(value, str) and re.fullmatch("[0-9a-f]{16}", value),
    "any": lambda value: True,
    "list of numbers": lambda value: all(type(one) in (int, float) for one in value),
    "list of texts": lambda value: all(isinstance(one, str) for one in value),
    "object of integers": lambda value: all(type(one) is int for one in value.values()),
    "object of texts": lambda value: all(isinstance(one, (str, list)) for one in value.values()),
    "object of values": lambda value: isinstance(value, dict),
}
KINDS = ["started", "checkpoint", "paused", "resumed", "recovered", "completed", "failed", "cleared", "reset", "imported"]


class Page:
    """The sections of schema/JSON.md."""

    def __init__(self, text):
        self.fields, self.includes, self.seen = {}, {}, set()
        for section in re.split(r"^## ", text, flags=re.M)[1:]:
            name, body = section.split("\n", 1)
            self.fields[name] = {row[0]: (row[1].strip(), row[2].strip()) for row in
                                 re.findall(r"^\| `(\w+)` \| ([^|]*) \| [^|]*\| ([^|]*) \|$", body, flags=re.M)}
            listed = re.search(r"^Includes: (.*)$", body, flags=re.M)
            self.includes[name] = re.findall(r"\[([^]]*)\]", listed[1]) if listed else []

    def of(self, names):
        """All fields of an object that such sections describe: where each stands, its type and when it is null."""
        found = {}
        for name in names:
            found.update(self.of(self.includes[name]))
            found.update({field: (name, *told) for field, told in self.fields[name].items()})
        return found

    def check(self, value, *names):
        told = self.of(names)
        unknown = value.keys() - told.keys()
        assert not unknown, f"{names} says {unknown}, which the page does not have"
        for field, (section, kind, null) in told.items():
            if value.get(field) is None:
                assert null != "–", f"{field} of {section} is null or missing, and the page says that it never is"
            else:
                self.seen.add((section, field))
                self.check_type(value[field], kind, f"{field} of {section}")

    def check_type(self, value, kind, what):
        linked = re.search(r"\[([^]]*)\]", kind)
        for one in value if kind.startswith("list of [") else [value] if linked else []:
            self.check(one, *(["event", "event " + one["kind"]] if linked[1] == "event" else [linked[1]])) if one else None
        assert linked or TYPES[kind](value), f"{what} is {value!r}, which is no {kind}"

    def never_seen(self):
        return sorted({(section, field) for section, fields in self.fields.items() for field in fields} - self.seen)


class JsonPageTest(ProgramTest):
    def look(self):
        """Everything that can be said of the log now."""
        status = json.loads(self.run_raw("status", "--stalled-after", "1h", "--json", "--log", self.log).stdout)
        self.page.check(status, "status")
        for line in self.run_raw("history", "--json", "--log", self.log).stdout.splitlines():
            entry = json.loads(line)
            self.page.check(entry, "history")
            shown = self.run_raw("show", entry["operation_id"], "--json", "--log", self.log).stdout
            if shown:
                self.page.check(json.loads(shown), "show")
        for limit in ("1000", "0"):
            for line in self.run_raw("errors", "--json", "-n", limit, "--log", self.log).stdout.splitlines():
                self.page.check(json.loads(line), "errors")
        compared = self.run_raw("diff", "last~1", "last", "--json", "--log", self.log).stdout
        if compared:
            self.page.check(json.loads(compared), "diff")
        for command in (["events", "--json"], ["export", "--jsonl", "-"]):
            for line in self.run_raw(*command, "--log", self.log).stdout.splitlines():
                event = json.loads(line)
                kind = event["kind"]
                if kind:
                    self.page.check(event, *(["event", "event " + kind] if kind in KINDS else [kind.replace("_", " ")]))
        totals = self.run_raw("history", "--totals", "--json", "--log", self.log).stdout
        if totals:
            self.page.check(json.loads(totals), "totals")
        for sequence in (1, status["last_sequence"]):
            at = self.run_raw("at", str(sequence), "--json", "--log", self.log).stdout
            if at:
                self.page.check(json.loads(at), "at")
        row = json.loads(self.run_raw("project", "--json", "--log", self.log).stdout or b"null")
        if row:
            self.page.check(row, "row")

    def step(self, *args):
        self.page.check(self.json(*args), "step")
        self.look()

    def crafted(self, name, events):
        """A log that nobody would write: of these events, in Cap'n Proto's JSON, or of these bytes."""
        log_id = bytes(16)
        at, lines = xxhash.xxh3_64_intdigest(log_id), []

        def line(**fields):
            text = json.dumps(fields)[:-1]
            lines.append('%s, "line_hash": "%016x"}' % (text, xxhash.xxh3_64_intdigest(text.encode())))

        line(kind="export_begin", version=1, log_id=log_id.hex(), whole=True, base_sequence=0, base_hash="%016x" % at)
        for sequence, event in enumerate(events, 1):
            convert = ["capnp", "convert", "json:binary", os.path.join(SCHEMA, "event.capnp"), "Event"]
            payload = event if isinstance(event, bytes) else subprocess.run(
                convert, input=json.dumps(event).encode(), capture_output=True, check=True).stdout[8:]
            at = xxhash.xxh3_64_intdigest(struct.pack("<QQ", at, sequence) + payload)
            line(sequence=sequence, hash="%016x" % at, payload=base64.b64encode(payload).decode())
        line(kind="export_end", last_sequence=len(events), last_hash="%016x" % at)
        self.log = os.path.join(self.dir, name)
        self.foldlog("import", "--jsonl", "-", stdin=None, input="\n".join(lines).encode())
        self.look()

    def life(self):
        owner = self.sleeper()
        self.step("start", "--total", "9", "--root", WEIRD_NAME, "--meta", "a=b", "--owner-pid", str(owner.pid))
        token = self.json("status")
        token = f"{token['operation_id']}@{token['epoch']}"
        self.step("checkpoint", token, "--files", "3", "--path", WEIRD_NAME, "--last", "x", "--batch", "4")
        self.step("checkpoint", token, "--files", "4", "--error", "bad", "--error-path", WEIRD_NAME)
        owner.kill()
        owner.wait()
        self.look()
        self.step("resume")
        self.step("pause", "--reason", "night")
        self.step("resume")
        self.step("complete", "--stat", "n=1", "--stat", "t=text")
        self.step("clear")
        self.step("start")
        self.step("fail", "--error", "no disk")
        self.step("start")
        self.step("reset", "--reason", "maintenance")

    def strange_logs(self):
        second, data = 10**9, lambda text: list(text.encode())
        start = {"time": 100 * second, "epoch": 1, "boot": 1, "bootedAt": 0,
                 "started": {"operationId": data("o"), "roots": [], "metadata": []}}
        stepped = {"time": 3700 * second, "epoch": 1, "boot": 1, "bootedAt": 3500 * second, "checkpoint": {
            "filesProcessed": 1, "error": {"path": data("p"), "message": data("m"), "details": data('{"errno": 5}')}}}
        self.crafted("clock", [start, stepped])
        self.crafted("misfit", [start, bytes(8), {**start, "epoch": 2}])
        imported = {"operationId": data("i"), "totalFiles": 5, "filesProcessed": 2, "batchNum": 1, "currentPath": data("c"),
                    "lastProcessedFile": data("l"), "rate": 1.5, "startedAt": second, "lastUpdate": second, "updatedAt": second,
                    "endedAt": second, "status": "failed", "failure": data("f"), "source": data("s"),
                    "errors": [{"time": second, "error": {"path": data("p"), "message": data("m")}}],
                    "row": {"operationType": data("a"), "status": data("b"), "checkpointData": data("{}"), "completedAt": 7}}
        self.crafted("imported", [{"time": 2 * second, "epoch": 1, "imported": imported}])

    def indexers(self):
        self.log = os.path.join(self.dir, "indexed")
        tree, catalog = self.make_tree(5, b"small"), os.path.join(self.dir, "small.db")
        index = ["index", tree, "--catalog", catalog]
        self.page.check(self.json(*index), "index")
        os.rename(tree, tree + ".away")
        os.mkdir(tree)
        self.page.check(self.json(*index, "--type", "incremental"), "index")  # keeps the rows, and that is an error
        with open(catalog, "wb") as file:
            file.write(b"no catalog any more")
        done = self.run_raw(*index, "--type", "recovery", "--json", "--log", self.log)
        self.page.check(json.loads(done.stdout), "index")
        self.log = os.path.join(self.dir, "living")
        indexer = self.stopped_indexer()
        self.look()
        indexer.kill()
        indexer.wait()
        self.look()
        with open(os.path.join(self.log, "tail"), "r+b") as tail:
            size = tail.seek(0, os.SEEK_END)
            tail.seek(4096)  # behind the header: the ring and its copy
            tail.write(bytes(size - 4096))
        self.look()

    def verified(self):
        """What verify says of a log that is whole, and of one that is not."""
        def check():
            said = self.run_raw("verify", "--json", "--log", self.log).stdout.splitlines()
            for line in map(json.loads, said):
                self.page.check(line, "verify summary" if line["kind"] == "summary" else "verify finding")

        self.log = os.path.join(self.dir, "verified")
        self.foldlog("start")
        self.foldlog("complete", "--stat", "text=" + "x" * 3000)
        self.foldlog("clear")
        check()
        path = os.path.join(self.log, "log.mdb")
        with open(path, "rb") as file:
            content = file.read()
        with open(path, "r+b") as file:  # some of the batches are of earlier transactions: each place may be the one that counts
            for found in re.finditer(b"FLG[1Z]", content):
                file.seek(found.start() + 60)
                file.write(b"damaged!")
        check()

    def salvaged(self):
        """What is said of the damaged log, beyond its damage and by salvage."""
        for command in ("events", "history", "errors"):
            for line in self.run_raw(command, "--beyond-damage", "--json", "--log", self.log).stdout.splitlines():
                if b'"missing"' in line:
                    self.page.check(json.loads(line), "missing")
        lines = self.run_raw("export", "--jsonl", "-", "--beyond-damage", "--log", self.log).stdout.splitlines()
        missing = [json.loads(line) for line in lines if b'"missing"' in line]
        self.assertTrue(missing)
        for line in missing:
            self.page.check(line, "missing")
        living = os.path.join(self.dir, "living2")
        os.mkdir(living)
        self.log = os.path.join(living, "log")
        for _ in range(3):
            self.foldlog("start")
            self.foldlog("complete")
        os.remove(os.path.join(self.log, "log.mdb"))
        tail = os.path.join(self.log, "tail")
        with open(tail, "rb") as file:
            content = file.read()
        frames = [found.start() for found in re.finditer(b"FLG1", content)]
        with open(tail, "r+b") as file:  # the ring and its copy have each event
            for frame in frames:
                if content[frame + 24] == 3:
                    file.seek(frame + 40)
                    file.write(b"damaged!")
        said = self.run_raw("salvage", "--out", os.path.join(living, "new"), "--json", "--log", self.log)
        self.assertEqual(said.returncode, 3, said.stderr)
        kinds = []
        for line in map(json.loads, said.stdout.splitlines()):
            kinds.append(line["kind"])
            self.page.check(line, line["kind"] if line["kind"] == "missing" else "salvage " + line["kind"])
        self.assertEqual(kinds, ["missing", "beyond", "summary"])
        # The file of one history, and the tail of another.
        self.log, other = os.path.join(living, "one"), os.path.join(living, "other")
        self.foldlog("start")
        shutil.copytree(self.log, other)
        self.foldlog("complete")
        self.run_raw("reset", "--reason", "other", "--log", other)
        shutil.copy(os.path.join(other, "tail"), self.log)
        *_, summary = self.run_raw("salvage", "--dry-run", "--json", "--log", self.log).stdout.splitlines()
        self.page.check(json.loads(summary), "salvage summary")

    def pruned(self):
        """What goes and what stays, and what is told of it afterwards."""
        self.log = os.path.join(self.dir, "pruned")
        for _ in range(3):
            self.foldlog("start")
            self.foldlog("complete")
        self.page.check(self.json("retention"), "retention")
        for options in (["--dry-run"], []):
            for line in self.text("prune", "--keep-runs", "2", "--json", *options).splitlines():
                said = json.loads(line)
                self.page.check(said, "prune summary" if said["kind"] == "summary" else "prune run")
        self.foldlog("retention", "set", "--max-bytes", "1G")
        self.page.check(self.json("retention"), "retention")
        self.look()

    def backed_up(self):
        self.log = os.path.join(self.dir, "verified_first")
        self.foldlog("start")
        backup, restored = os.path.join(self.dir, "backup"), os.path.join(self.dir, "restored")
        said = self.run_raw("backup", backup, "--check", "--json", "--log", self.log).stdout.splitlines()
        self.page.check(json.loads(said[0]), "backup")
        self.page.check(json.loads(said[1]), "verify summary")
        self.page.check(json.loads(self.run_raw("backup", "-", "--json", "--log", self.log).stderr), "backup")
        self.page.check(json.loads(self.run_raw("restore", backup, "--json", "--log", restored).stdout), "restore")
        self.log = restored
        self.look()

    def test_the_page_is_as_the_output(self):
        with open(os.path.join(SCHEMA, "JSON.md"), encoding="utf-8") as file:
            self.page = Page(file.read())
        self.life()
        self.strange_logs()
        self.indexers()
        self.verified()
        self.salvaged()
        self.pruned()
        self.backed_up()
        self.assertEqual(self.page.never_seen(), [])

    # The test is none if it lets everything pass.
    def test_a_page_that_says_otherwise_is_noticed(self):
        page = Page("## a\n\n| `x` | integer | | – |\n| `y` | text | | if idle |\n")
        page.check({"x": 1}, "a")
        self.assertEqual(page.never_seen(), [("a", "y")])
        for wrong in ({"x": 1, "z": 2}, {"y": ""}, {"x": None}, {"x": "1"}, {"x": True}):
            with self.assertRaises(AssertionError):
                page.check(wrong, "a")


if __name__ == "__main__":
    cli_support.main()
