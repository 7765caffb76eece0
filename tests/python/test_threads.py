"""Threads: the interpreter is free while the disk is waited for, and nothing deadlocks."""

import asyncio
import itertools
import sys
import threading
import time

import pytest

from foldlog import IndexingError, IndexingOperationType, IndexingStateManager

from conftest import TIMEOUT_S

INITIAL = IndexingOperationType.INITIAL


def run_all(bodies):
    """Runs each body in a thread of its own, and sees to it that all end, and end well."""
    failures = []

    def guarded(body):
        try:
            body()
        except BaseException as failure:  # pytest sees those of the main thread only
            failures.append(failure)

    threads = [threading.Thread(target=guarded, args=(body,), daemon=True) for body in bodies]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + TIMEOUT_S
    for thread in threads:
        thread.join(max(0, deadline - time.monotonic()))
        assert not thread.is_alive(), "a thread hangs"
    if failures:
        raise failures[0]


@pytest.fixture
def threads_switch_only_when_asked_to():
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1000)
    yield
    sys.setswitchinterval(interval)


def test_other_threads_run_while_a_checkpoint_waits_for_the_disk(path, threads_switch_only_when_asked_to):
    """As nobody is made to give up the interpreter, another thread comes between two lines only if the first of them
    lets go. It need not manage to each time."""
    with IndexingStateManager(path) as manager:
        operation_id = manager.start_operation(INITIAL)

        def ran_meanwhile(files):
            ran, go = [], threading.Lock()
            go.acquire()
            thread = threading.Thread(target=lambda: (go.acquire(), ran.append(True)))
            thread.start()
            go.release()
            manager.update_checkpoint(operation_id, files)
            meanwhile = bool(ran)
            thread.join()
            return meanwhile

        assert any(ran_meanwhile(files) for files in range(1000))


def test_clocks_that_switch_threads_do_not_deadlock(path):
    def clock():
        time.sleep(0)  # lets another thread have the interpreter
        return time.time()

    with IndexingStateManager(path, clock=clock) as first:
        operation_id = first.start_operation(INITIAL)

        def work(durability):
            with IndexingStateManager(path, clock=clock, durability=durability) as manager:
                manager._current_operation_id = operation_id
                for files in range(100):
                    manager.update_checkpoint(operation_id, files, error={"error": "x"} if files % 10 == 0 else None)
                    if files % 20 == 0:
                        manager.row(), manager.status(), manager.flush(), list(manager.events(to=50))

        run_all([lambda: work("sync"), lambda: work("interval")] * 3)
        assert first.history()[-1]["checkpoints"] == 600
        assert first.status()["error_count"] == 60


def test_threads_that_pause_and_resume_lose_no_checkpoint(path):
    with IndexingStateManager(path) as manager:
        operation_id = manager.start_operation(INITIAL)

        def pause_and_resume():
            with IndexingStateManager(path) as other:
                other._current_operation_id = operation_id
                for _ in range(50):
                    other.pause_operation(operation_id)
                    other.resume_operation(operation_id)

        def record():
            for files in range(300):
                manager.update_checkpoint(operation_id, files, durability="interval")

        run_all([pause_and_resume, record])
        assert manager.history()[-1]["checkpoints"] == 300
        assert manager.status()["epoch"] == 51


def test_what_threads_add_is_counted_once_and_never_goes_back(path):
    with IndexingStateManager(path, durability="interval") as manager:
        operation_id = manager.start_operation(INITIAL, total_files=1000)
        totals = []
        run_all([lambda: totals.extend(manager.advance(operation_id) for _ in range(200))] * 5)
        assert sorted(totals) == list(range(1, 1001))
        assert manager.get_active_operation()["checkpoint"].files_processed == 1000
        assert [event["files_processed"] for event in manager.events(2)] == list(range(1, 1001))


def test_tasks_that_share_an_operation_count_to_the_end(path):
    async def work(manager, operation_id):
        async def one(number):
            await asyncio.sleep(0.001 * (number % 7))
            await asyncio.to_thread(manager.advance, operation_id, last_file=str(number))

        await asyncio.gather(*(one(number) for number in range(100)))

    with IndexingStateManager(path, durability="interval") as manager:
        operation_id = manager.start_operation(INITIAL, total_files=100)
        asyncio.run(work(manager, operation_id))
        assert manager.get_active_operation()["checkpoint"].files_processed == 100


def test_a_monotonic_manager_never_goes_back_whatever_overtakes_what(path):
    with IndexingStateManager(path, durability="interval", monotonic=True) as manager:
        operation_id = manager.start_operation(INITIAL)
        counter, lock = itertools.count(1), threading.Lock()

        def work():
            for _ in range(200):
                with lock:
                    files = next(counter)
                manager.update_checkpoint(operation_id, files)
                assert manager.status()["files_processed"] >= files

        run_all([work] * 5)
        counts = [event["files_processed"] for event in manager.events(2)]
        assert counts == sorted(counts) and counts[-1] == 1000


def test_one_of_many_starts_succeeds(path):
    started, refused = [], []

    def start():
        with IndexingStateManager(path) as manager:
            try:
                started.append(manager.start_operation(INITIAL))
            except IndexingError as error:
                refused.append(str(error))

    with IndexingStateManager(path) as manager:
        run_all([start] * 8)
        assert len(started) == 1
        assert set(refused) == {f"Cannot start new operation: in_progress operation {started[0]} already exists"}
        assert manager.row()["status"] == "in_progress"


def test_a_log_is_opened_and_closed_by_many_threads(path):
    def open_and_close():
        for _ in range(10):
            with IndexingStateManager(path) as manager:
                manager.reset()

    run_all([open_and_close] * 4)
    with IndexingStateManager(path) as manager:
        assert manager.status()["last_sequence"] == 40


def test_a_manager_may_be_closed_under_a_working_thread(path):
    manager = IndexingStateManager(path, durability="interval")
    operation_id = manager.start_operation(INITIAL)
    recorded = []

    def work():
        with pytest.raises(IndexingError, match="closed"):
            for files in range(10**9):
                manager.update_checkpoint(operation_id, files)
                recorded.append(files)

    def close():
        while len(recorded) < 100:
            time.sleep(0.001)
        manager.close()

    run_all([work, close])
    with IndexingStateManager(path) as again:
        assert again.get_active_operation()["checkpoint"].files_processed == recorded[-1]


def test_events_are_read_by_one_thread_at_a_time(path):
    with IndexingStateManager(path, durability="interval") as manager:
        operation_id = manager.start_operation(INITIAL)
        for files in range(5000):
            manager.update_checkpoint(operation_id, files)
        events, seen = manager.events(), []

        def read():
            while True:
                try:
                    seen.append(next(events)["sequence"])
                except ValueError as error:
                    assert "another thread" in str(error)
                except StopIteration:
                    return

        run_all([read] * 3)
        assert sorted(seen) == list(range(1, 5002))
