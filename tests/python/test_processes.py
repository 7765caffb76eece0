"""What happens to an operation when its process dies, forks or just ends."""

import os
import signal

import pytest

from foldlog import IndexingError, IndexingOperationType, IndexingStateManager

INITIAL = IndexingOperationType.INITIAL

# Records checkpoints until it is killed, and says after each how far it is.
ENDLESS = """
import foldlog, itertools, sys
manager = foldlog.IndexingStateManager(sys.argv[1])
operation_id = manager.start_operation(foldlog.IndexingOperationType.INITIAL)
for files in itertools.count(1):
    manager.update_checkpoint(operation_id, files, durability=sys.argv[2])
    print(files, flush=True)
"""


@pytest.fixture(params=["sync", "interval"])
def killed(request, path, python):
    """A log whose writer was killed, and the last progress that it told of."""
    process = python(ENDLESS, path, request.param)
    for _ in range(50):
        process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    told = process.stdout.read().split("\n")
    process.wait()
    return max([50] + [int(line) for line in told[:-1]])


def test_an_interrupted_operation_is_taken_over_on_request_only(path, killed):
    with IndexingStateManager(path) as manager:
        active = manager.get_active_operation()
        operation_id = active["operation_id"]
        assert active["checkpoint"].files_processed >= killed
        assert manager.status()["evidence"] == "process_died"
        with pytest.raises(IndexingError, match="^Cannot resume operation in in_progress state$"):
            manager.resume_operation(operation_id)
        checkpoint = manager.resume_operation(operation_id, resume_interrupted=True)
        assert checkpoint == active["checkpoint"]
        manager.update_checkpoint(operation_id, checkpoint.files_processed + 1)
        assert list(manager.events())[-2]["evidence"] == "process_died"
        assert manager.status()["evidence"] is None


def test_recover_takes_over_from_the_dead_without_a_reason(path, killed):
    with IndexingStateManager(path) as manager:
        operation_id = manager.get_active_operation()["operation_id"]
        assert manager.recover_operation(operation_id).files_processed >= killed
        manager.complete_operation(operation_id, {})
        assert manager.history()[0]["interruptions"] == 1


def test_the_living_are_recovered_from_with_a_reason_only(path, manager, running):
    with IndexingStateManager(path) as other:
        for call in (
            lambda: other.resume_operation(running, resume_interrupted=True),
            lambda: other.recover_operation(running),
        ):
            with pytest.raises(IndexingError, match="is still there"):
                call()
        with pytest.raises(IndexingError, match="takes a reason"):
            other.recover_operation(running, reason="")
        other.recover_operation(running, reason="it hangs")
        assert list(other.events())[-1]["evidence"] == "forced"
        other.update_checkpoint(running, 5)


def test_recover_names_what_stands_in_its_way(manager, running):
    with pytest.raises(IndexingError, match="^Operation ID mismatch: x$"):
        manager.recover_operation("x")
    manager.pause_operation(running)
    with pytest.raises(IndexingError, match="^Cannot recover operation in paused state$"):
        manager.recover_operation(running, reason="x")
    manager.reset()
    with pytest.raises(IndexingError, match="^No operation to recover$"):
        manager.recover_operation(running)


def test_a_program_that_ends_without_closing_signs_off(path, python):
    # One reference too many, for otherwise the interpreter destroys the manager as it ends, and so closes the log.
    process = python(
        "import ctypes, foldlog, sys; "
        "manager = foldlog.IndexingStateManager(sys.argv[1], durability='interval'); "
        "ctypes.pythonapi.Py_IncRef(ctypes.py_object(manager)); "
        "operation_id = manager.start_operation(foldlog.IndexingOperationType.INITIAL); "
        "[manager.update_checkpoint(operation_id, files) for files in range(1000)]", path)
    assert process.wait() == 0
    with IndexingStateManager(path) as manager:
        status = manager.status()
        assert status["evidence"] == "closed_without_end"
        assert status["files_processed"] == 999
        assert status["last_sequence"] == status["durable_sequence"] == 1001


@pytest.mark.skipif("asan" in os.environ.get("LD_PRELOAD", ""),
                    reason="the undefined-behaviour sanitizer objects to how pybind11 lets such an unwinding pass")
@pytest.mark.parametrize("durability", ["sync", "interval"])
def test_a_program_may_end_while_a_daemon_thread_records(path, python, durability):
    program = """
import foldlog, sys, threading, time
manager = foldlog.IndexingStateManager(sys.argv[1], durability=sys.argv[2])
operation_id = manager.start_operation(foldlog.IndexingOperationType.INITIAL)
def record():
    for files in range(10**9):
        manager.update_checkpoint(operation_id, files)
        list(manager.events())
        manager.row()
for _ in range(4):
    threading.Thread(target=record, daemon=True).start()
time.sleep(0.1)
"""
    for number in range(3):
        assert python(program, path + str(number), durability).wait() == 0


def in_child(body):
    """Runs body in a child made by fork(), and returns what it returned."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            answer = str(body())
        except BaseException as error:
            answer = f"{type(error).__name__}: {error}"
        os.write(writer, answer.encode("utf-8", "surrogateescape"))
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        answer = pipe.read()
    assert os.waitpid(child, 0)[1] == 0
    return answer


def test_a_forked_child_is_refused_by_every_method(manager, running):
    for call in (
        lambda: manager.update_checkpoint(running, 1),
        lambda: manager.complete_operation(running, {}),
        manager.row, manager.status, manager.get_active_operation, manager.history, manager.flush, manager.reset,
        lambda: next(manager.events()),
        lambda: manager.durable_sequence,
        lambda: manager.state_at(sequence=1),
    ):
        assert "not by this child of it; write there, or open the log anew here after process" in in_child(call)
    manager.update_checkpoint(running, 9)
    assert manager.get_active_operation()["checkpoint"].files_processed == 9


def test_a_forked_child_cannot_open_the_log_while_its_parent_writes(path, manager, running):
    assert f"is being written by" in in_child(lambda: IndexingStateManager(path))
    manager.update_checkpoint(running, 1)


def test_a_forked_child_opens_the_log_once_its_parent_has_closed_it(path, manager, running):
    def open_in_child():
        with IndexingStateManager(path) as own:
            return own.resume_operation(running, resume_interrupted=True).operation_id == running

    manager.close()
    assert in_child(open_in_child) == "True"


def test_a_forked_child_that_drops_or_closes_the_manager_does_the_parent_no_harm(path):
    manager = IndexingStateManager(path)
    operation_id = manager.start_operation(INITIAL)
    assert in_child(manager.close) == "None"
    manager.update_checkpoint(operation_id, 1)
    assert f"is being written by" in in_child(lambda: (manager.close(), IndexingStateManager(path)))
    manager.close()
