"""Reading a log that somebody else writes, or nobody: foldlog.Log, and managers with readonly=True."""

import copy
import gc
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
import time

import pytest

from foldlog import IndexingError, IndexingOperationType, IndexingStateManager, Log

from conftest import TIMEOUT_S, standing
from test_processes import in_child

INITIAL = IndexingOperationType.INITIAL

# Records a checkpoint for each line that it is given, and ends at the end of its input.
WRITER = """
import foldlog, sys
with foldlog.IndexingStateManager(sys.argv[1]) as manager:
    operation_id = manager.start_operation(foldlog.IndexingOperationType.INITIAL, 100)
    print(operation_id, flush=True)
    for line in sys.stdin:
        manager.update_checkpoint(operation_id, int(line))
        print(line, end="", flush=True)
    manager.complete_operation(operation_id, {"bytes": 7})
"""


class Writer:
    """A process that writes to a log as it is told."""

    def __init__(self, path):
        self.process = subprocess.Popen([sys.executable, "-B", "-c", WRITER, path], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, env=os.environ)
        self.operation_id = self.process.stdout.readline().strip()

    def record(self, files):
        self.process.stdin.write(f"{files}\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == f"{files}\n"

    def complete(self):
        self.process.stdin.close()
        assert self.process.wait() == 0


@pytest.fixture
def writer(path):
    started = Writer(path)
    yield started
    started.process.kill()
    started.process.wait()
    started.process.stdin.close()
    started.process.stdout.close()


def test_a_log_is_read_while_another_process_writes(path, writer):
    writer.record(5)
    with Log(path) as log:
        assert log.path == path and repr(log) == f"<Log {path!r}>"
        status = log.status()
        assert (status["status"], status["last_sequence"], status["owner_fate"]) == ("in_progress", 2, "alive")
        assert log.row()["status"] == "in_progress"
        assert [event["kind"] for event in log.events()] == ["started", "checkpoint"]
        assert log.state_at(sequence=1)["files_processed"] == 0
        assert log.state_at(time=time.time() + 1)["files_processed"] == 5
        writer.record(6)
        assert log.status()["files_processed"] == 6
        writer.complete()
        assert log.history()[0]["stats"] == {"bytes": 7}
        assert log.status()["evidence"] is None


def test_a_manager_that_only_reads_answers_like_one_that_writes(path, writer):
    writer.record(5)
    with IndexingStateManager(path, readonly=True) as manager:
        assert manager.get_active_operation()["checkpoint"].files_processed == 5
        assert manager.row()["operation_type"] == "initial"
        assert manager.status()["operation_id"] == writer.operation_id
        assert manager.state_at(sequence=2)["files_processed"] == 5
        assert len(manager.history()) == 1 and len(list(manager.events())) == 2
        assert manager.durable_sequence == 2
        writer.complete()
        assert manager.get_active_operation() is None


def test_a_manager_that_only_reads_records_nothing(path, manager, running):
    before = standing(manager)
    with IndexingStateManager(path, readonly=True) as reader:
        for call in (
            lambda: reader.start_operation(INITIAL),
            lambda: reader.update_checkpoint(running, 1),
            lambda: reader.advance(running),
            lambda: reader.pause_operation(running),
            lambda: reader.resume_operation(running, resume_interrupted=True),
            lambda: reader.recover_operation(running, reason="x"),
            lambda: reader.complete_operation(running, {}),
            lambda: reader.fail_operation(running, "x"),
            reader.clear_completed_operation, reader.reset, reader.flush,
        ):
            with pytest.raises(IndexingError, match="only reads; open one without readonly=True") as refused:
                call()
            assert refused.value.code == "FAILED_PRECONDITION"
    assert standing(manager) == before
    with pytest.raises(TypeError, match="keeps no mirror"):
        IndexingStateManager(path, readonly=True, mirror="x.db")


def test_reading_makes_no_log(path):
    for opening in (lambda: Log(path), lambda: IndexingStateManager(path, readonly=True)):
        with pytest.raises(IndexingError) as refused:
            opening()
        assert refused.value.code == "NOT_FOUND" and path in str(refused.value)
    assert not os.path.exists(path)


def test_an_owner_that_died_is_seen_by_readers(path, writer):
    with Log(path) as log:
        writer.process.send_signal(signal.SIGKILL)
        writer.process.wait()
        assert log.status()["evidence"] == "process_died"


def test_what_comes_is_followed_as_it_comes(path, writer):
    with Log(path) as log:
        everything, news = log.follow(1), log.follow()
        assert next(everything)["kind"] == "started"
        for files in (1, 2, 3):
            writer.record(files)
            assert next(everything)["files_processed"] == files
            assert next(news)["files_processed"] == files
        writer.complete()
        assert next(news)["kind"] == "completed"


def test_following_wakes_when_the_writer_appends(path, manager, running):
    """Not by looking now and then: hundreds of turns, each waiting for the other, would take minutes."""
    with Log(path) as log:
        events = log.follow()
        answered = threading.Semaphore(0)

        def answer():
            for event in events:
                answered.release()

        thread = threading.Thread(target=answer)
        thread.start()
        start = time.monotonic()
        for files in range(300):
            manager.update_checkpoint(running, files, durability="interval")
            assert answered.acquire(timeout=TIMEOUT_S)
        assert time.monotonic() - start < 60
        log.close()
        thread.join(TIMEOUT_S)
        assert not thread.is_alive()


def test_a_manager_follows_its_own_log(manager, running):
    events = manager.follow()
    manager.update_checkpoint(running, 1)
    assert next(events)["files_processed"] == 1
    assert list(manager.follow(1, timeout=0)) == list(manager.events())


def test_following_ends_when_the_log_is_closed_here(path, manager, running):
    log = Log(path)
    events, waiting, seen = log.follow(1), threading.Event(), []

    def follow():
        for event in events:
            seen.append(event["kind"])
            waiting.set()

    thread = threading.Thread(target=follow)
    thread.start()
    assert waiting.wait(TIMEOUT_S)
    log.close()
    thread.join(TIMEOUT_S)
    assert not thread.is_alive() and seen == ["started"]
    assert list(events) == []
    with pytest.raises(IndexingError, match="is closed here; open it again"):
        log.follow()
    log.close()


def test_following_gives_up_after_a_time_and_goes_on_where_it_was(path, manager, running):
    with Log(path) as log:
        events = log.follow(1, timeout=0.2)
        start = time.monotonic()
        assert [event["kind"] for event in events] == ["started"]
        assert time.monotonic() - start >= 0.15
        manager.update_checkpoint(running, 1)
        assert [event["kind"] for event in events] == ["checkpoint"]
        assert list(log.follow(timeout=0)) == []
        assert list(log.follow(100, timeout=0)) == []


@pytest.mark.parametrize("arguments, exception", [
    ({"timeout": -1}, IndexingError), ({"timeout": float("nan")}, IndexingError), ({"timeout": "x"}, TypeError),
    ({"from_": -1}, IndexingError), ({"from_": 1.5}, TypeError), ({"from_": 2**64}, IndexingError),
])
def test_following_checks_what_it_is_given(path, manager, running, arguments, exception):
    with Log(path) as log, pytest.raises(exception):
        log.follow(**arguments)


def test_ctrl_c_interrupts_who_follows(path, manager, running, python):
    process = python(
        "import foldlog, sys\n"
        "print('ready', flush=True)\n"
        "try:\n"
        "    for event in foldlog.Log(sys.argv[1]).follow(1): print(event['kind'], flush=True)\n"
        "except KeyboardInterrupt: print('interrupted', flush=True)", path)
    assert process.stdout.readline() == "ready\n"
    assert process.stdout.readline() == "started\n"
    process.send_signal(signal.SIGINT)
    assert process.stdout.readline() == "interrupted\n"
    assert process.wait() == 0


def test_readers_cannot_be_pickled_or_copied_and_say_what_to_do(path, manager):
    with Log(path) as log:
        for opened in (log, manager):
            for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
                with pytest.raises(TypeError, match=r"cannot be copied or sent to another process: open .*foldlog\.Log"):
                    attempt(opened)


def test_a_forked_child_is_refused_and_opens_its_own(path, manager, running):
    def read_anew():
        with Log(path) as own:
            return own.status()["last_sequence"]

    with Log(path) as log:
        log.status()
        for call in (log.status, log.history, log.row, lambda: next(log.events()), log.follow):
            assert "IndexingError" in in_child(call)
        assert in_child(log.close) == "None"
        assert in_child(read_anew) == "1"
        assert log.status()["last_sequence"] == 1


READER = """
import foldlog, os, sys
if sys.argv[2] == "nobody": os.setgroups([]); os.setgid(65534); os.setuid(65534)
with foldlog.Log(sys.argv[1]) as log:
    events = log.follow(1)
    print(log.status()["status"], len(log.history()), next(events)["kind"], flush=True)
    print(next(events)["files_processed"], flush=True)
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_who_may_not_write_may_read_and_leaves_nothing_behind(python):
    """Beside a writer, and without one."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as place:  # where another user can get to
        os.chmod(place, 0o755)
        log = os.path.join(place, "log")
        with IndexingStateManager(log) as writing:
            operation_id = writing.start_operation(INITIAL)
            for name in os.listdir(log):
                os.chmod(os.path.join(log, name), 0o644)
            os.chmod(log, 0o755)
            files = sorted(os.listdir(log))
            process = python(READER, log, "nobody")
            assert process.stdout.readline() == "in_progress 1 started\n"
            writing.update_checkpoint(operation_id, 7)
            assert process.stdout.readline() == "7\n"
            assert process.wait() == 0
            assert sorted(os.listdir(log)) == files
        process = python(READER, log, "nobody")
        assert process.communicate()[0] == "in_progress 1 started\n7\n"
        assert sorted(os.listdir(log)) == files


def test_a_log_is_read_by_many_threads(path, manager, running):
    failures = []

    def read(log):
        try:
            for _ in range(50):
                log.status(), log.history(), list(log.events()), log.row()
        except BaseException as failure:
            failures.append(failure)

    with Log(path) as log:
        threads = [threading.Thread(target=read, args=(log,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for files in range(200):
            manager.update_checkpoint(running, files, durability="interval")
        for thread in threads:
            thread.join(TIMEOUT_S)
            assert not thread.is_alive()
    assert failures == []


def test_events_keep_a_log_open_that_is_not_closed(path, manager, running):
    events = Log(path).follow(1, timeout=0)
    gc.collect()
    assert [event["kind"] for event in events] == ["started"]


def test_events_after_close_are_refused(path, manager, running):
    log = Log(path)
    events = log.events()
    log.close()
    with pytest.raises(IndexingError, match="closed"):
        next(events)
