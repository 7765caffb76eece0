"""The dicts of the past are the JSON of the program, field by field; times are numbers, and errors as they were given."""

import ast
import datetime
import json
import pathlib
import re
import sqlite3
import subprocess

import pytest

import foldlog
from foldlog import IndexingOperationType, IndexingStateManager, Log

from conftest import OF_NOW

INITIAL = IndexingOperationType.INITIAL
RFC3339 = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.(\d{9})Z")
PROGRAM = pathlib.Path(foldlog.__file__).parents[2] / "foldlog"
PAGE = pathlib.Path(__file__).parents[2] / "schema" / "JSON.md"

def program(path, *arguments):
    done = subprocess.run([PROGRAM, *arguments, "--json", "--log", path], capture_output=True, check=True)
    return [as_python(json.loads(line)) for line in done.stdout.splitlines()]


def as_python(value):
    """JSON as the module has it."""
    if isinstance(value, dict):
        return {key: as_python(one) for key, one in value.items()}
    if isinstance(value, list):
        return [as_python(one) for one in value]
    found = RFC3339.fullmatch(value) if isinstance(value, str) else None
    if not found:
        return value
    whole = datetime.datetime.fromisoformat(found[1]).replace(tzinfo=datetime.timezone.utc)
    return pytest.approx(int(whole.timestamp()) + int(found[2]) / 1e9, abs=1e-6)


def without_errors(event):
    """What the two tell in different ways, as little of it as is the same."""
    event = dict(event)
    if "error" in event:
        event["error"] = (event["error"]["path"], event["error"]["error"])
    if "errors" in event:
        event["errors"] = [(error["time"], error["error"]["path"], error["error"]["error"]) for error in event["errors"]]
    return event


def assert_equal(python, of_program, what):
    """Absent and null are the same."""
    for key in (python.keys() | of_program.keys()) - OF_NOW:
        assert python.get(key) == of_program.get(key), f"{key} of {what}"


def compare(path, opened):
    status = opened.status()
    mirrors = status.pop("mirrors")
    assert isinstance(mirrors, dict)
    (of_program,) = program(path, "status")
    for key in OF_NOW:
        assert (status[key] is None) == (of_program[key] is None), key
    assert_equal(status, of_program, "status")
    history = program(path, "history", "--reverse")
    assert len(history) == len(opened.history())
    for python, line in zip(opened.history(), history):
        assert_equal(python, line, "history")
    events = program(path, "events")
    assert len(events) == len(list(opened.events())) == status["last_sequence"]
    for python, line in zip(opened.events(), events):
        assert_equal(without_errors(python), without_errors(line), f"event {line['sequence']}")
    for sequence in range(status["last_sequence"] + 1):
        (line,) = program(path, "at", str(sequence))
        assert_equal(opened.state_at(sequence=sequence), line, f"the state after event {sequence}")


def test_an_empty_log(path):
    with IndexingStateManager(path) as manager:
        compare(path, manager)


def test_every_turn_of_an_operation_beside_its_writer_and_by_itself(path, tmp_path):
    with IndexingStateManager(path) as manager:
        operation = manager.start_operation(INITIAL, 9, roots=["/a", b"/\xff"], metadata={"why": "tests"})
        compare(path, manager)
        manager.update_checkpoint(operation, 1, "/a", "/a/b", {"path": "/a/c", "error": "bad", "errno": 5}, 7)
        manager.pause_operation(operation, reason="battery")
        compare(path, manager)
        manager.resume_operation(operation)
        manager.complete_operation(operation, {"n": 1, "x": 0.5, "t": "text"})
        manager.clear_completed_operation()
        manager.fail_operation(manager.start_operation(INITIAL), "bad")
        manager.start_operation(INITIAL, 3)
        manager.reset("away with it")
        last = manager.start_operation(INITIAL, 3)
        manager.update_checkpoint(last, 2)
        compare(path, manager)
        with Log(path) as reader:
            compare(path, reader)
    with Log(path) as reader:  # nobody writes: the last operation is interrupted
        assert reader.status()["interrupted"] and reader.history()[-1]["evidence"] == "closed_without_end"
        compare(path, reader)


def test_an_imported_row(path, tmp_path):
    rows = sqlite3.connect(tmp_path / "state.db")
    rows.executescript("""CREATE TABLE indexing_state (id INTEGER PRIMARY KEY CHECK (id = 1), operation_type TEXT,
        status TEXT, checkpoint_data TEXT, started_at INTEGER, updated_at INTEGER, completed_at INTEGER);
        INSERT INTO indexing_state VALUES (1, 'initial', 'paused', '{"files_processed": 10, "errors": [{"path": "/x",
        "error": "bad", "timestamp": 1700000001.5}]}', 1700000000, 1700000060, NULL)""")
    rows.close()
    subprocess.run([PROGRAM, "import", "--sqlite", tmp_path / "state.db", "--log", path], check=True, capture_output=True)
    with Log(path) as reader:
        compare(path, reader)


def test_a_clock_that_was_set(path, clock):
    with IndexingStateManager(path, clock=clock) as manager:
        operation = manager.start_operation(INITIAL, 9)
        clock.now -= 3600
        manager.update_checkpoint(operation, 1)
        compare(path, manager)


def test_a_program_that_goes_elsewhere_still_gets_answers(path, tmp_path, python):
    process = python("import foldlog, os, sys\n"
                     "os.chdir(os.path.dirname(sys.argv[1]))\n"
                     "with foldlog.IndexingStateManager('log') as writing, foldlog.Log('log') as reading:\n"
                     "    os.chdir('/')\n"
                     "    print(writing.status()['status'], reading.status()['status'], len(reading.history()))", path)
    assert process.communicate()[0] == "idle idle 0\n"


def fields_on_page(section):
    """Those of a section of schema/JSON.md, and of what it includes."""
    sections = {part.split("\n", 1)[0]: part for part in re.split(r"^## ", PAGE.read_text(encoding="utf-8"), flags=re.M)}
    fields = set(re.findall(r"^\| `(\w+)` \|", sections[section], flags=re.M))
    for line in re.findall(r"^Includes: (.*)$", sections[section], flags=re.M):
        fields = fields.union(*(fields_on_page(included) for included in re.findall(r"\[([^]]*)\]", line)))
    return fields


def fields_in_stub(name):
    tree = ast.parse(pathlib.Path(foldlog.__file__).with_name("__init__.pyi").read_text(encoding="utf-8"))
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    fields = {item.target.id for item in classes[name].body}
    return fields.union(*(fields_in_stub(base.id) for base in classes[name].bases if base.id != "TypedDict"))


@pytest.mark.parametrize("name, section, differing", [
    ("StatusDict", "status", {"mirrors"}), ("HistoryDict", "history", set()), ("StateDict", "at", {"reset"}),
    ("OwnerDict", "owner", set()), ("RowDict", "row", set()), ("MisfitDict", "misfit", set()),
    ("RecoveryDict", "recovery", set()), ("RestorationDict", "restoration", set()), ("ClockStepDict", "clock step", set()),
])
def test_the_stub_has_the_fields_of_the_page(name, section, differing):
    assert fields_in_stub(name) ^ fields_on_page(section) == differing
