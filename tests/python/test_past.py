"""What the single row forgets: durability by choice, history, events, the state at any moment."""

import datetime

import pytest

from foldlog import IndexingError, IndexingOperationType, IndexingStateManager

INITIAL = IndexingOperationType.INITIAL


@pytest.fixture
def two_runs(manager, clock):
    """An operation that completes and one that fails, an event each ten seconds from 1000 s on."""
    def at(call, *arguments, **named):
        clock.now = at.now
        at.now += 10
        return call(*arguments, **named)

    at.now = 1000.0
    first = at(manager.start_operation, INITIAL, 2, roots=["/photos", b"/\xff"], metadata={"why": "nightly"})
    at(manager.update_checkpoint, first, 1, "/photos", "a.jpg", {"path": "b.jpg", "error": "torn", "errno": 5}, 1)
    at(manager.pause_operation, first, reason="battery")
    at(manager.resume_operation, first)
    at(manager.complete_operation, first, {"bytes": 77})
    second = at(manager.start_operation, IndexingOperationType.INCREMENTAL)
    at(manager.fail_operation, second, "no disk")
    at(manager.clear_completed_operation)
    return first, second


def test_events_tell_everything(manager, two_runs):
    events = list(manager.events())
    assert [event["sequence"] for event in events] == list(range(1, 9))
    assert [event["kind"] for event in events] == [
        "started", "checkpoint", "paused", "resumed", "completed", "started", "failed", "cleared"]
    assert [event["operation_id"] for event in events] == [two_runs[0]] * 5 + [two_runs[1]] * 3
    assert [event["time"] for event in events] == [1000.0 + 10 * i for i in range(8)]
    assert events[0]["roots"] == ["/photos", "/\udcff"] and events[0]["metadata"] == {"why": "nightly"}
    assert events[0]["total_files"] == 2 and events[0]["owner"]["holds_log"] is True
    assert events[1]["files_processed"] == events[1]["batch_num"] == 1
    assert events[1]["error"] == {"path": "b.jpg", "error": "torn", "errno": 5, "timestamp": 1010.0}
    assert events[2]["reason"] == "battery"
    assert events[4]["stats"] == {"bytes": 77}
    assert events[6]["failure"] == "no disk"


def test_events_are_given_from_here_to_there(manager, two_runs):
    def numbers(*arguments, **named):
        return [event["sequence"] for event in manager.events(*arguments, **named)]

    assert numbers(3, 5) == numbers(from_=3, to=5) == [3, 4, 5]
    assert numbers(7) == [7, 8]
    assert numbers(to=2) == numbers(0, 2) == [1, 2]
    assert numbers(9) == numbers(100) == numbers(5, 4) == []
    assert next(manager.events(8))["operation_id"] == two_runs[1]  # told by the events before it
    for bad in ((-1,), (1, -1)):
        with pytest.raises(IndexingError, match="sequence numbers"):
            manager.events(*bad)


def test_a_loop_over_events_does_not_chase_what_it_appends(manager, running):
    seen = 0
    for _ in manager.events():
        manager.update_checkpoint(running, 1)
        seen += 1
    assert seen == 1


def test_a_long_log_is_read_in_order(path):
    with IndexingStateManager(path, durability="interval") as manager:
        operation_id = manager.start_operation(INITIAL)
        for files in range(3000):
            manager.update_checkpoint(operation_id, files)
        assert [event["sequence"] for event in manager.events()] == list(range(1, 3002))


def test_history_has_an_entry_for_each_operation(manager, two_runs):
    first, second = manager.history()
    assert (first["operation_id"], first["status"], first["stats"]) == (two_runs[0], "completed", {"bytes": 77})
    assert (first["started_at"], first["completed_at"], first["checkpoints"]) == (1000.0, 1040.0, 1)
    assert (second["operation_id"], second["status"], second["failure"]) == (two_runs[1], "failed", "no disk")
    assert first["reset"] is None and second["operation_type"] == IndexingOperationType.INCREMENTAL
    third = manager.start_operation(INITIAL)
    manager.reset("tests")
    assert (manager.history()[2]["operation_id"], manager.history()[2]["reset"]) == (third, 10)
    assert list(manager.events(10))[0]["reason"] == "tests"


def test_the_state_is_told_as_of_any_event(manager, two_runs):
    before = manager.state_at(sequence=0)
    assert (before["sequence"], before["status"], before["operation_id"], before["row"]) == (0, "idle", None, None)
    paused = manager.state_at(sequence=3)
    assert (paused["sequence"], paused["status"]) == (3, "paused")
    assert paused["pause_reason"] == "battery" and paused["files_processed"] == 1
    assert manager.state_at(sequence=8)["operation_id"] is None
    with pytest.raises(IndexingError, match="event 9 does not exist") as refused:
        manager.state_at(sequence=9)
    assert refused.value.code == "OUT_OF_RANGE"
    with pytest.raises(IndexingError, match="0 or more"):
        manager.state_at(sequence=-1)


@pytest.mark.parametrize("time, sequence", [
    (0, 0), (999.9, 0), (1000, 1), (1019.999, 2), (1020.0, 3), (1e9, 8),
    (datetime.datetime.fromtimestamp(1021), 3),
    (datetime.datetime.fromtimestamp(1021, datetime.timezone.utc), 3),
])
def test_the_state_is_told_as_of_any_time(manager, two_runs, time, sequence):
    assert manager.state_at(time=time) == manager.state_at(sequence=sequence)


def test_state_at_takes_one_moment(manager):
    for arguments in ({}, {"sequence": 1, "time": 1.0}):
        with pytest.raises(TypeError, match="either sequence= or time="):
            manager.state_at(**arguments)


def test_a_checkpoint_is_durable_when_the_call_returns_unless_told_otherwise(path):
    with IndexingStateManager(path) as manager:
        operation_id = manager.start_operation(INITIAL)
        for files in range(1, 20):
            manager.update_checkpoint(operation_id, files)
            assert manager.durable_sequence == 1 + files


@pytest.mark.parametrize("constructor, call", [("interval", None), ("sync", "interval")])
def test_a_checkpoint_at_intervals_is_durable_after_flush(path, constructor, call):
    with IndexingStateManager(path, durability=constructor) as manager:
        operation_id = manager.start_operation(INITIAL)
        behind = 0
        for files in range(1, 2001):
            manager.update_checkpoint(operation_id, files, durability=call)
            behind += manager.durable_sequence < 1 + files
        assert behind > 0  # some calls at least did not wait for the disk
        manager.flush()
        assert manager.durable_sequence == 2001


def test_the_constructor_knows_two_durabilities(path):
    with pytest.raises(IndexingError, match='durability is "fast"'):
        IndexingStateManager(path, durability="fast")


def test_reset_empties_the_row_whatever_there_is(manager, running):
    manager.reset()
    assert manager.row() is None and manager.status()["status"] == "idle"
    with pytest.raises(IndexingError, match="Invalid operation ID"):
        manager.update_checkpoint(running, 1)
    manager.start_operation(INITIAL)


def test_status_tells_of_the_log_and_its_operation(manager, running):
    manager.update_checkpoint(running, 3)
    status = manager.status()
    assert status["last_sequence"] == status["durable_sequence"] == 2
    assert status["status"] == "in_progress" and status["owner_fate"] == "alive" and not status["interrupted"]
    assert status["operation_id"] == running and status["files_processed"] == 3
