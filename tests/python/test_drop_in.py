"""The manager as programs know it that were written for the single row in SQLite: they change an import."""

import datetime
import json
import logging
import re
import time
import traceback

import pytest

from foldlog import IndexingCheckpoint, IndexingError, IndexingOperationType, IndexingStateManager, IndexingStatus

INITIAL = IndexingOperationType.INITIAL


def test_a_started_operation_is_in_progress(manager, clock):
    operation_id = manager.start_operation(INITIAL, total_files=1000)
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", operation_id)
    active = manager.get_active_operation()
    assert active["operation_id"] == operation_id
    assert active["operation_type"] is INITIAL
    assert active["status"] is IndexingStatus.IN_PROGRESS
    assert active["checkpoint"].total_files == 1000
    assert active["started_at"] == active["updated_at"] == datetime.datetime.fromtimestamp(int(clock.now))


def test_a_second_start_is_refused_while_one_is_in_progress_or_paused(manager, running):
    for status in ("in_progress", "paused"):
        with pytest.raises(IndexingError) as refused:
            manager.start_operation(IndexingOperationType.INCREMENTAL)
        assert str(refused.value) == f"Cannot start new operation: {status} operation {running} already exists"
        if status == "in_progress":
            manager.pause_operation(running)


def test_a_checkpoint_is_read_back(manager, running):
    manager.update_checkpoint(running, files_processed=500, current_path="/test/path", last_file="file.txt",
                              error={"path": "/x", "error": "unreadable"}, batch_num=5)
    checkpoint = manager.get_active_operation()["checkpoint"]
    assert checkpoint.files_processed == 500
    assert checkpoint.current_path == "/test/path"
    assert checkpoint.last_processed_file == "file.txt"
    assert checkpoint.batch_num == 5
    assert [error["error"] for error in checkpoint.errors] == ["unreadable"]


def test_a_paused_operation_is_resumed_where_it_was(manager, running):
    manager.update_checkpoint(running, 100)
    manager.pause_operation(running)
    assert manager.get_active_operation()["status"] is IndexingStatus.PAUSED
    checkpoint = manager.resume_operation(running)
    assert isinstance(checkpoint, IndexingCheckpoint) and checkpoint.files_processed == 100
    assert manager.get_active_operation()["status"] is IndexingStatus.IN_PROGRESS


def test_an_ended_operation_is_not_active(manager, running):
    manager.complete_operation(running, {"final_count": 1000})
    assert manager.get_active_operation() is None
    assert manager.row()["status"] == "completed" and manager.row()["completed_at"] is not None
    other = manager.start_operation(INITIAL)
    manager.fail_operation(other, "disk on fire")
    assert manager.get_active_operation() is None
    assert json.loads(manager.row()["checkpoint_data"])["errors"][-1]["fatal"] is True


def test_clearing_empties_the_row_of_an_ended_operation_only(manager, running):
    manager.clear_completed_operation()
    assert manager.row() is not None
    manager.complete_operation(running, {})
    manager.clear_completed_operation()
    assert manager.row() is None
    manager.clear_completed_operation()


def test_the_rate_is_files_a_second(manager, clock, running):
    clock.now += 0.5
    manager.update_checkpoint(running, 50)
    checkpoint = manager.get_active_operation()["checkpoint"]
    assert checkpoint.rate == 100.0 and checkpoint.duration == 0.5


def test_without_a_clock_the_time_is_the_systems(path):
    with IndexingStateManager(path) as manager:
        before = time.time()
        operation_id = manager.start_operation(INITIAL)
        manager.update_checkpoint(operation_id, 1, error={"error": "x"})
        checkpoint = manager.get_active_operation()["checkpoint"]
        assert before <= checkpoint.started_at <= checkpoint.last_update <= time.time()
        assert checkpoint.errors[0]["timestamp"] == checkpoint.last_update


@pytest.mark.parametrize("call, message", [
    (lambda m: m.update_checkpoint("nobody", 1), "Invalid operation ID: nobody"),
    (lambda m: m.pause_operation("nobody"), "Invalid operation ID: nobody"),
    (lambda m: m.complete_operation("nobody", {}), "Invalid operation ID: nobody"),
    (lambda m: m.fail_operation("nobody", "x"), "Invalid operation ID: nobody"),
    (lambda m: m.update_checkpoint(None, 1), "Invalid operation ID: None"),
    (lambda m: m.update_checkpoint("\ud800", 1), "Invalid operation ID: \ud800"),
])
def test_an_id_that_is_not_current_is_refused(manager, call, message):
    for _ in range(2):  # without an operation, and with one of another id
        with pytest.raises(IndexingError) as refused:
            call(manager)
        assert str(refused.value) == message
        if manager.row() is None:
            manager.start_operation(INITIAL)


def test_resume_names_what_stands_in_its_way(manager):
    def refusal(operation_id):
        with pytest.raises(IndexingError) as refused:
            manager.resume_operation(operation_id)
        return str(refused.value)

    assert refusal("x") == "No operation to resume"
    operation_id = manager.start_operation(INITIAL)
    assert refusal("x") == "Operation ID mismatch: x"
    assert refusal(operation_id) == "Cannot resume operation in in_progress state"
    manager.complete_operation(operation_id, {})
    assert refusal(operation_id) == "Cannot resume operation in completed state"


def test_a_count_that_goes_back_is_recorded_as_in_the_row_and_logged(manager, running, caplog):
    manager.update_checkpoint(running, 5)
    assert caplog.records == []
    manager.update_checkpoint(running, 3)
    assert manager.get_active_operation()["checkpoint"].files_processed == 3
    assert [(record.levelname, record.name) for record in caplog.records] == [("WARNING", "foldlog")]
    assert "went back from 5 to 3 files" in caplog.text and "advance()" in caplog.text


def test_refusals_keep_their_words_and_add_what_to_do(manager):
    def refusal(call):
        with pytest.raises(IndexingError) as refused:
            call()
        error = refused.value
        assert error.advice and error.__notes__ == [error.advice]
        assert error.advice in "".join(traceback.format_exception(error))
        return str(error), error.advice

    assert "start_operation()" in refusal(lambda: manager.resume_operation("x"))[1]
    operation_id = manager.start_operation(INITIAL)
    text, advice = refusal(lambda: manager.resume_operation(operation_id))
    assert text == "Cannot resume operation in in_progress state" and "resume_interrupted=True" in advice
    assert "resume_operation()" in refusal(lambda: manager.start_operation(INITIAL))[1]
    assert "resume_operation()" in refusal(lambda: manager.update_checkpoint("nobody", 1))[1]
    manager.complete_operation(operation_id, {})
    text, advice = refusal(lambda: manager.resume_operation(operation_id))
    assert text == "Cannot resume operation in completed state" and "start_operation()" in advice


def test_a_paused_operation_is_not_paused_again(manager, running):
    manager.pause_operation(running)
    with pytest.raises(IndexingError, match="^No active operation to pause$"):
        manager.pause_operation(running)


def test_commands_on_an_emptied_row_say_so(path, manager, running):
    with IndexingStateManager(path) as other:
        other.reset()
    for call, message in (
        (lambda: manager.update_checkpoint(running, 1), "No active operation found"),
        (lambda: manager.pause_operation(running), "No active operation to pause"),
        (lambda: manager.complete_operation(running, {}), "No active operation to complete"),
        (lambda: manager.fail_operation(running, "x"), "No active operation to fail"),
    ):
        with pytest.raises(IndexingError) as refused:
            call()
        assert str(refused.value) == message


def test_after_a_restart_the_id_is_not_current_until_the_operation_is_resumed(path, manager, running):
    manager.pause_operation(running)
    manager.close()
    with IndexingStateManager(path) as again:
        with pytest.raises(IndexingError, match="Invalid operation ID"):
            again.update_checkpoint(running, 1)
        again.resume_operation(running)
        again.update_checkpoint(running, 1)


def test_each_method_that_records_asks_the_clock_once(manager, clock):
    operation_id = manager.start_operation(INITIAL)
    for call in (
        lambda: manager.update_checkpoint(operation_id, 1, error={"error": "x"}),
        lambda: manager.pause_operation(operation_id),
        lambda: manager.resume_operation(operation_id),
        lambda: manager.complete_operation(operation_id, {}),
        lambda: manager.clear_completed_operation(),
    ):
        asked = clock.asked
        call()
        assert clock.asked == asked + 1
    asked = clock.asked
    manager.row(), manager.status(), manager.get_active_operation(), manager.clear_completed_operation()
    assert clock.asked == asked


def test_what_happens_is_logged(manager, caplog):
    caplog.set_level(logging.INFO, logger="foldlog")
    operation_id = manager.start_operation(INITIAL)
    manager.complete_operation(operation_id, {})
    other = manager.start_operation(INITIAL)
    manager.fail_operation(other, "boom")
    assert [(record.levelname, record.message) for record in caplog.records] == [
        ("INFO", f"Started initial operation {operation_id}"),
        ("INFO", f"Completed operation {operation_id}: 0 files in 0.00s (0.0 files/s)"),
        ("INFO", f"Started initial operation {other}"),
        ("ERROR", f"Failed operation {other}: boom"),
    ]


def test_a_database_service_is_taken_together_with_a_path(path, monkeypatch):
    class Service:
        def __getattr__(self, name):
            raise AssertionError("the service was used: " + name)

    service = Service()
    with IndexingStateManager(service, log=path) as manager:
        assert manager.log == path and manager._db_service is service
    with pytest.raises(TypeError, match="log=PATH"):
        IndexingStateManager(service)
    with pytest.raises(TypeError, match="given twice"):
        IndexingStateManager(path, log=path)
    monkeypatch.setenv("FOLDLOG", path)
    with IndexingStateManager(service) as manager:
        assert manager.log == path


def test_the_checkpoint_survives_its_json():
    checkpoint = IndexingCheckpoint("test-123", INITIAL, 1000, 500, "/test", "file.txt",
                                    [{"error": "test", "timestamp": 123}], 50.0, 1.5, 4.0)
    text = checkpoint.to_json()
    assert list(json.loads(text)) == [
        "operation_id", "operation_type", "total_files", "files_processed", "current_path", "last_processed_file",
        "errors", "rate", "started_at", "last_update", "batch_num", "checkpoint_version"]
    again = IndexingCheckpoint.from_json(text)
    assert again == checkpoint and again.operation_type is INITIAL and again.duration == 2.5


def test_enums_are_strings():
    assert IndexingStatus.PAUSED == "paused" and IndexingOperationType("recovery") is IndexingOperationType.RECOVERY
