"""What may be handed in, what comes out again, and what is refused before anything is recorded."""

import dataclasses
import enum
import itertools
import json
import os
import pathlib

import pytest

from foldlog import IndexingError, IndexingOperationType, IndexingStateManager, _types

from conftest import standing

INITIAL = IndexingOperationType.INITIAL


def last_error_text(manager):
    """The JSON text of the only error."""
    data = manager.row()["checkpoint_data"]
    return data[data.index('"errors": [') + len('"errors": ['):data.index('], "rate"')]


@pytest.mark.parametrize("error", [
    {"path": "/a", "error": "x"},
    {"error": "x", "path": "/a", "errno": 13, "nested": {"b": [1, None, True], "a": 1e16}},
    {"timestamp": "overwritten in place", "error": "x"},
    {"error": "\ud800 lone \udc80 \U0001f600", "path": "/\udcff"},
    {"path": 7, "error": None},
    {1: "int", 2.5: "float", None: "none", True: "bool"},
    {"x": float("nan"), "y": float("inf"), "z": -0.0, "big": 10**40},
    {"tuple": (1, 2)},
    {"status": IndexingOperationType.RECOVERY},
])
def test_an_error_is_kept_as_json_dumps_writes_it(manager, clock, running, error):
    manager.update_checkpoint(running, 1, error=error)
    assert last_error_text(manager) == json.dumps({**error, "timestamp": clock.now})


def test_an_error_may_hold_a_dataclass_as_a_checkpoint_may(manager, running):
    @dataclasses.dataclass
    class Cause:
        errno: int

    manager.update_checkpoint(running, 1, error={"cause": Cause(5)})
    assert manager.get_active_operation()["checkpoint"].errors[0]["cause"] == {"errno": 5}


@pytest.mark.parametrize("error, exception", [
    ({"x": object()}, TypeError),
    ({"x": {1, 2}}, TypeError),
    ({"x": b"bytes"}, TypeError),
    ({(1, 2): "x"}, TypeError),
    ("text", TypeError),
    (17, TypeError),
])
def test_an_error_that_json_cannot_hold_is_refused_and_nothing_recorded(manager, running, error, exception):
    before = standing(manager)
    with pytest.raises(exception):
        manager.update_checkpoint(running, 1, error=error)
    assert standing(manager) == before


@pytest.mark.parametrize("nothing", [None, {}, ""])
def test_an_empty_error_is_none(manager, running, nothing):
    manager.update_checkpoint(running, 1, error=nothing)
    assert manager.get_active_operation()["checkpoint"].errors == []


@pytest.mark.parametrize("name", ["plain", "é", "\U0001f600", os.fsdecode(b"caf\xe9 \xff"), "nul\0inside"])
def test_paths_come_back_as_they_were(manager, running, name):
    manager.update_checkpoint(running, 1, current_path="/d/" + name, last_file=name)
    checkpoint = manager.get_active_operation()["checkpoint"]
    assert (checkpoint.current_path, checkpoint.last_processed_file) == ("/d/" + name, name)
    event = list(manager.events())[-1]
    assert (event["current_path"], event["last_processed_file"]) == ("/d/" + name, name)


def test_paths_may_be_path_objects_and_bytes(manager, running):
    manager.update_checkpoint(running, 1, current_path=pathlib.Path("/a/b"), last_file=b"\xff")
    checkpoint = manager.get_active_operation()["checkpoint"]
    assert (checkpoint.current_path, checkpoint.last_processed_file) == ("/a/b", "\udcff")


@pytest.mark.parametrize("nothing", [None, ""])
def test_an_empty_path_leaves_the_one_before(manager, running, nothing):
    manager.update_checkpoint(running, 1, "/a", "b")
    manager.update_checkpoint(running, 2, nothing, nothing)
    checkpoint = manager.get_active_operation()["checkpoint"]
    assert (checkpoint.current_path, checkpoint.last_processed_file) == ("/a", "b")


@pytest.mark.parametrize("arguments, exception, message", [
    ({"files_processed": True}, TypeError, "files_processed must be an int, not bool"),
    ({"files_processed": 1.0}, TypeError, "files_processed must be an int, not float"),
    ({"files_processed": "1"}, TypeError, "files_processed must be an int, not str"),
    ({"files_processed": None}, TypeError, "files_processed must be an int, not NoneType"),
    ({"files_processed": 2**63}, IndexingError, "files_processed does not fit into 64 bits"),
    ({"files_processed": -(2**63) - 1}, IndexingError, "files_processed does not fit into 64 bits"),
    ({"files_processed": -1}, IndexingError, "the number of files processed is -1; it must be 0 or more"),
    ({"batch_num": False}, TypeError, "batch_num must be an int, not bool"),
    ({"batch_num": -2}, IndexingError, "the batch number is -2; it must be 0 or more"),
    ({"current_path": 5}, TypeError, "expected str, bytes or os.PathLike object, not int"),
    ({"current_path": "/\ud800"}, IndexingError,
     "current_path holds a lone surrogate that stands for no byte: '/\\\\ud800'"),
    ({"last_file": "\ud800\udc80"}, IndexingError, "last_file holds a lone surrogate"),
    ({"durability": "maybe"}, IndexingError, 'durability is "maybe"; it must be "sync" or "interval"'),
    ({"durability": 1}, TypeError, "durability must be a str, not int"),
])
def test_a_bad_argument_is_refused_and_nothing_recorded(manager, running, arguments, exception, message):
    before = standing(manager)
    with pytest.raises(exception, match=message) as refused:
        manager.update_checkpoint(running, **{"files_processed": 1, **arguments})
    if exception is IndexingError:
        assert refused.value.code == "INVALID_ARGUMENT"
    assert standing(manager) == before


def test_counts_reach_to_the_end_of_64_bits(manager):
    operation_id = manager.start_operation(INITIAL, total_files=2**63 - 1)
    manager.update_checkpoint(operation_id, 2**63 - 1, batch_num=2**63 - 1)
    checkpoint = manager.get_active_operation()["checkpoint"]
    assert (checkpoint.total_files, checkpoint.files_processed, checkpoint.batch_num) == (2**63 - 1,) * 3


def test_what_is_an_index_is_a_count(manager, running):
    class Number:
        def __index__(self):
            return 42

    manager.update_checkpoint(running, Number())
    assert manager.get_active_operation()["checkpoint"].files_processed == 42


def test_start_checks_what_it_is_given(manager):
    for arguments, exception, message in (
        ({"operation_type": "some"}, IndexingError, "'some' is no type of operation; there are initial, incremental"),
        ({"operation_type": None}, IndexingError, "None is no type of operation"),
        ({"total_files": -1}, IndexingError, "total number of files is -1"),
        ({"total_files": 1.5}, TypeError, "total_files must be an int, not float"),
        ({"roots": "/one"}, TypeError, "roots must be a list of paths, not one path"),
        ({"roots": [1]}, TypeError, "expected str, bytes or os.PathLike object, not int"),
        ({"metadata": {"n": 1}}, TypeError, "a value in metadata must be a str, not int"),
    ):
        with pytest.raises(exception, match=message):
            manager.start_operation(**{"operation_type": INITIAL, **arguments})
    assert manager.status()["last_sequence"] == 0
    assert manager.start_operation("recovery")  # a string that names a type is one


def test_a_failure_must_be_text(manager, running):
    with pytest.raises(TypeError, match="the error must be a str, not ValueError"):
        manager.fail_operation(running, ValueError("x"))
    assert manager.get_active_operation() is not None
    manager.fail_operation(running, "caf\udce9")
    assert json.loads(manager.row()["checkpoint_data"])["errors"][0]["error"] == "caf\udce9"


class Colour(enum.Enum):
    RED = 1


@pytest.mark.parametrize("stats, kept", [
    ({"files": 7, "seconds": 1.5, "host": "nas"}, {"files": 7, "seconds": 1.5, "host": "nas"}),
    ({"big": 2**70, "ok": True, "none": None, "list": [1, "a"]},
     {"big": str(2**70), "ok": "true", "none": "null", "list": '[1, "a"]'}),
    ({1: "one", "odd": Colour.RED}, {"1": "one", "odd": repr(Colour.RED)}),
    ({"name": "caf\udce9"}, {"name": "caf\udce9"}),
    (None, {}),
    ([1, 2], {"stats": "[1, 2]"}),
])
def test_statistics_never_keep_an_operation_from_ending(manager, running, stats, kept):
    manager.complete_operation(running, stats)
    assert manager.history()[0]["stats"] == kept


def test_statistics_with_surrogates_that_are_no_bytes_end_an_operation(manager, running):
    manager.complete_operation(running, {"\ud800": "\ud800"})
    assert manager.row()["status"] == "completed"


@pytest.mark.parametrize("now", [float("nan"), float("inf"), 1e10])
def test_a_clock_that_is_beyond_all_time_is_refused(manager, clock, running, now):
    before = standing(manager)
    clock.now = now
    with pytest.raises(IndexingError, match="^the clock: "):
        manager.update_checkpoint(running, 1)
    assert standing(manager) == before


def test_what_the_clock_and_the_source_of_ids_raise_reaches_the_caller(path):
    def broken():
        raise ZeroDivisionError

    with IndexingStateManager(path, clock=broken) as manager, pytest.raises(ZeroDivisionError):
        manager.start_operation(INITIAL)
    with IndexingStateManager(path, new_id=broken) as manager, pytest.raises(ZeroDivisionError):
        manager.start_operation(INITIAL)
    with IndexingStateManager(path, new_id=lambda: 5) as manager, pytest.raises(TypeError):
        manager.start_operation(INITIAL)
    with IndexingStateManager(path, new_id=lambda: "") as manager, pytest.raises(IndexingError, match="id is empty"):
        manager.start_operation(INITIAL)
        assert manager.status()["last_sequence"] == 0


class Unshowable:
    def __repr__(self):
        raise ZeroDivisionError


def nested(levels):
    value = []
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize("value", [
    lambda: 10**5000, lambda: -(10**5000), lambda: [10**5000], lambda: nested(1_000_000), Unshowable])
def test_statistics_that_cannot_be_shown_end_an_operation_too(manager, running, value):
    manager.complete_operation(running, {"odd": value(), "files": 7})
    stats = manager.history()[0]["stats"]
    assert stats["files"] == 7 and isinstance(stats["odd"], str) and stats["odd"]


def test_statistics_may_contain_themselves(manager, running):
    cycle = {}
    cycle["self"] = cycle
    manager.complete_operation(running, cycle)
    assert manager.history()[0]["stats"] == {"self": repr(cycle)}


@pytest.mark.parametrize("end", [
    lambda m, i, text: m.fail_operation(i, text), lambda m, i, text: m.complete_operation(i, {"log": text}),
    lambda m, i, text: m.pause_operation(i, reason=text), lambda m, i, text: m.reset(text)])
def test_ends_are_recorded_however_long_their_texts(manager, running, end):
    end(manager, running, "\u20ac" * 3_000_000)
    event = list(manager.events())[-1]
    assert any("[cut, of 9000000 bytes]" in str(value) for value in event.values())


@pytest.mark.parametrize("text", ["\ud800", "a\udcffb\udfff", "\ud83d"])
def test_a_failure_may_hold_any_surrogate(manager, running, text):
    manager.fail_operation(running, text)
    assert manager.row()["status"] == "failed"
    assert manager.history()[0]["failure"]


def deep_error(levels):
    value = {}
    for _ in range(levels):
        value = {"a": value}
    return {"error": value}


def cyclic_error():
    error = {"error": "x"}
    error["self"] = error
    return error


@pytest.mark.parametrize("error", [lambda: deep_error(1_000_000), cyclic_error])
def test_an_error_without_an_end_is_refused_and_the_manager_goes_on(manager, running, error):
    before = standing(manager)
    with pytest.raises(IndexingError, match="nested too deeply") as refused:
        manager.update_checkpoint(running, 1, error=error())
    assert refused.value.code == "INVALID_ARGUMENT"
    assert standing(manager) == before


@pytest.mark.parametrize("error", [
    {"error": float("nan")}, {"error": float("-inf"), 1: 2, None: 3, True: 4}, {"error": 10**300}, {"error": "\ud800"},
    {"a": [[[[]]]]}, {"error": "x", "path": 5}, {"": ""}])
def test_whatever_json_can_hold_is_recorded_and_comes_back(manager, running, error):
    manager.update_checkpoint(running, 1, error=error)
    recorded = list(manager.events())[-1]["error"]
    recorded.pop("timestamp")
    assert json.dumps(recorded) == json.dumps(json.loads(json.dumps(error)))
    assert len(json.loads(manager.row()["checkpoint_data"])["errors"]) == 1


@pytest.mark.parametrize("error", [
    lambda: {"error": 10**5000}, lambda: {"error": object()}, lambda: {(1, 2): 3}, lambda: {"error": b"x"}])
def test_what_json_cannot_hold_is_refused_as_python_does(manager, running, error):
    before = standing(manager)
    with pytest.raises((TypeError, ValueError)):
        manager.update_checkpoint(running, 1, error=error())
    assert standing(manager) == before


@pytest.mark.parametrize("error, message", [
    ({"path": "/a", "error": "torn"}, "torn"),
    ({"path": "/a", "errno": 13, "why": "access"}, '{"errno": 13, "why": "access"}'),
    ({"path": "/a", "error": {"errno": 13}}, '{"errno": 13}'),
    ({"path": "/a"}, ""),
])
def test_an_error_always_has_a_text(error, message):
    assert _types._describe_error(error, 1.5)[1].decode() == message


def test_iterables_without_an_end_are_refused(manager):
    for arguments in ({"roots": itertools.repeat("/a")}, {"roots": (str(n) for n in itertools.count())}):
        with pytest.raises(IndexingError, match="more than 1000000 entries"):
            manager.start_operation(INITIAL, **arguments)
    assert manager.status()["last_sequence"] == 0


def test_what_is_added_must_be_a_count(manager, running):
    for files, exception, message in ((-1, IndexingError, "number of files added is -1"), (1.0, TypeError, "files must be"),
                                      (2**63, IndexingError, "does not fit")):
        with pytest.raises(exception, match=message):
            manager.advance(running, files)
    assert manager.advance(running, 2**63 - 1) == 2**63 - 1
    with pytest.raises(IndexingError, match="64 bits"):
        manager.advance(running)
    assert manager.advance(running, 0, "/a", "b", {"error": "x"}, 3, durability="interval") == 2**63 - 1
    checkpoint = manager.get_active_operation()["checkpoint"]
    assert (checkpoint.current_path, checkpoint.last_processed_file, checkpoint.batch_num) == ("/a", "b", 3)
    with pytest.raises(IndexingError, match="^Invalid operation ID: nobody$"):
        manager.advance("nobody")
