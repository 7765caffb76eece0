"""Managers that share a log: in one process like connections to one database, between processes one at a time."""

import gc
import os
import shutil
import sys
import weakref

import pytest

from foldlog import IndexingError, IndexingOperationType, IndexingStateManager, IndexingStatus

INITIAL = IndexingOperationType.INITIAL


@pytest.fixture
def pair(path):
    with IndexingStateManager(path) as first, IndexingStateManager(path) as second:
        yield first, second


def test_what_one_manager_records_the_other_sees(pair):
    first, second = pair
    operation_id = first.start_operation(INITIAL)
    first.update_checkpoint(operation_id, 7)
    assert second.get_active_operation()["checkpoint"].files_processed == 7
    assert second.row() == first.row()


def test_an_operation_is_current_only_for_the_manager_that_started_or_resumed_it(pair):
    first, second = pair
    operation_id = first.start_operation(INITIAL)
    with pytest.raises(IndexingError, match="Invalid operation ID"):
        second.update_checkpoint(operation_id, 1)
    assert (first._current_operation_id, second._current_operation_id) == (operation_id, None)


def test_after_the_second_has_resumed_both_write(pair):
    first, second = pair
    operation_id = first.start_operation(INITIAL)
    first.pause_operation(operation_id)
    second.resume_operation(operation_id)
    for files, manager in enumerate((first, second, first, second), start=1):
        manager.update_checkpoint(operation_id, files)
        assert first.get_active_operation()["checkpoint"].files_processed == files
    first.pause_operation(operation_id)
    first.resume_operation(operation_id)
    second.complete_operation(operation_id, {})
    assert first.get_active_operation() is None


def test_what_another_manager_has_ended_stays_ended(pair):
    """The manager with the single row would bring a completed operation back, without its time of completion."""
    first, second = pair
    operation_id = first.start_operation(INITIAL)
    first.pause_operation(operation_id)
    second.resume_operation(operation_id)
    second.complete_operation(operation_id, {})
    row = first.row()
    for call in (
        lambda: first.update_checkpoint(operation_id, 1),
        lambda: first.complete_operation(operation_id, {}),
        lambda: first.fail_operation(operation_id, "x"),
    ):
        with pytest.raises(IndexingError, match="is completed; start a new operation first"):
            call()
    with pytest.raises(IndexingError, match="^No active operation to pause$"):
        first.pause_operation(operation_id)
    assert first.row() == row


def test_the_operation_of_another_manager_is_not_written_to_by_mistake(pair):
    """The manager with the single row would record one operation's progress as another's."""
    first, second = pair
    old = first.start_operation(INITIAL)
    first.pause_operation(old)
    second.resume_operation(old)
    second.complete_operation(old, {})
    new = second.start_operation(INITIAL)
    for call in (
        lambda: first.update_checkpoint(old, 1),
        lambda: first.pause_operation(old),
        lambda: first.complete_operation(old, {}),
        lambda: first.fail_operation(old, "x"),
    ):
        with pytest.raises(IndexingError, match=f"the active one is operation {new}") as refused:
            call()
        assert refused.value.code == "ABORTED"
    assert second.get_active_operation()["checkpoint"].files_processed == 0


def test_the_current_id_can_be_set_as_programs_do_that_take_up_an_operation(pair):
    first, second = pair
    operation_id = first.start_operation(INITIAL)
    second._current_operation_id = operation_id
    second.update_checkpoint(operation_id, 3)
    assert first.get_active_operation()["checkpoint"].files_processed == 3
    second._current_operation_id = None
    with pytest.raises(IndexingError, match="Invalid operation ID"):
        second.update_checkpoint(operation_id, 4)


def test_a_log_is_known_by_its_directory_not_by_its_name(path, tmp_path):
    os.symlink(path, tmp_path / "link")
    with IndexingStateManager(path) as first:
        names = [tmp_path / "link", os.path.relpath(path), os.fsencode(path), path + "/"]
        for name in names:
            with IndexingStateManager(name) as second:
                operation_id = second.start_operation(INITIAL)
                assert first.get_active_operation()["operation_id"] == operation_id
                second.complete_operation(operation_id, {})


def test_the_last_manager_to_close_lets_go_of_the_log(path, python):
    program = "import foldlog, sys; foldlog.IndexingStateManager(sys.argv[1]).close(); print('opened')"

    def another_process_can_open():
        process = python(program, path)
        output = process.communicate()[0]
        return output == "opened\n"

    first, second = IndexingStateManager(path), IndexingStateManager(path)
    first.close()
    assert not another_process_can_open()
    second.close()
    assert another_process_can_open()


def test_a_second_process_is_told_who_writes(path, python):
    process = python(
        "import foldlog, sys, time; m = foldlog.IndexingStateManager(sys.argv[1]); print('ready', flush=True); "
        "time.sleep(1000)", path)
    assert process.stdout.readline() == "ready\n"
    with pytest.raises(IndexingError, match=f"is being written by .*process {process.pid}"):
        IndexingStateManager(path)


def test_a_closed_manager_refuses_everything_but_close(path):
    manager = IndexingStateManager(path)
    operation_id = manager.start_operation(INITIAL)
    events = manager.events()
    manager.close()
    manager.close()
    for call in (
        lambda: manager.start_operation(INITIAL),
        lambda: manager.update_checkpoint(operation_id, 1),
        lambda: manager.resume_operation(operation_id),
        manager.get_active_operation, manager.clear_completed_operation, manager.reset, manager.row, manager.status,
        manager.history, manager.events, manager.flush, lambda: manager.durable_sequence,
        lambda: manager.state_at(sequence=1),
    ):
        with pytest.raises(IndexingError, match="^the manager of the log .* is closed; open another one$"):
            call()
    with pytest.raises(IndexingError, match="closed"):
        next(events)


def test_an_open_manager_is_not_closed_by_another_that_closes_twice(path):
    first, second = IndexingStateManager(path), IndexingStateManager(path)
    first.close()
    first.close()
    second.start_operation(INITIAL)
    second.close()


def test_a_forgotten_manager_lets_go_even_if_its_clock_refers_to_it(path, python):
    class Owner:
        def __init__(self):
            self.manager = IndexingStateManager(path, clock=self.now)

        def now(self):
            return 1.5e9

    owner = Owner()
    gone = weakref.ref(owner.manager)
    del owner
    gc.collect()
    assert gone() is None
    process = python("import foldlog, sys; foldlog.IndexingStateManager(sys.argv[1]); print('opened')", path)
    assert process.communicate()[0] == "opened\n"


def test_a_log_made_anew_under_the_same_name_is_another_one(path):
    forgotten = IndexingStateManager(path)
    forgotten.start_operation(INITIAL)
    shutil.rmtree(path)
    with IndexingStateManager(path) as manager:
        assert manager.row() is None
    del forgotten


def test_a_path_that_is_no_log_is_refused(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(IndexingError) as refused:
        IndexingStateManager(tmp_path / "file")
    assert refused.value.code is not None and str(tmp_path / "file") in str(refused.value)


def test_each_manager_has_a_clock_of_its_own(path):
    with IndexingStateManager(path, clock=lambda: 10.5) as first, \
            IndexingStateManager(path, clock=lambda: 20.5) as second:
        operation_id = first.start_operation(INITIAL)
        first.pause_operation(operation_id)
        second.resume_operation(operation_id)
        assert [event["time"] for event in first.events()] == [10.5, 10.5, 20.5]
        assert first.get_active_operation()["status"] is IndexingStatus.IN_PROGRESS


def test_subclasses_may_add_to_a_method(path):
    class Counting(IndexingStateManager):
        updates = 0

        def update_checkpoint(self, *args, **kwargs):
            self.updates += 1
            super().update_checkpoint(*args, **kwargs)

    with Counting(path) as manager:
        operation_id = manager.start_operation(INITIAL)
        manager.update_checkpoint(operation_id, files_processed=2)
        assert manager.updates == 1 and manager.get_active_operation()["checkpoint"].files_processed == 2


def test_references_to_arguments_are_given_back(path):
    with IndexingStateManager(path, durability="interval") as manager:
        operation_id = manager.start_operation(INITIAL)
        arguments = ["/a path that is not interned", "a file", {"error": "x"}]
        before = [sys.getrefcount(argument) for argument in arguments]
        for _ in range(100):
            manager.update_checkpoint(operation_id, 1, *arguments)
        assert [sys.getrefcount(argument) for argument in arguments] == before
