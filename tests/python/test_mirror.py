"""The row in an SQLite file, for programs that read it there."""

import contextlib
import os
import pathlib
import sqlite3
import subprocess
import tempfile
import time

import pytest

import foldlog
from foldlog import IndexingError, IndexingOperationType, IndexingStateManager

from conftest import TIMEOUT_S

INITIAL = IndexingOperationType.INITIAL


def row_in(file):
    with contextlib.closing(sqlite3.connect(file)) as database:
        database.row_factory = sqlite3.Row
        row = database.execute("SELECT * FROM indexing_state").fetchone()
        return row and dict(row)


def wait_until(condition):
    deadline = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def test_the_file_follows_the_row(path, tmp_path):
    file = tmp_path / "state.db"
    with IndexingStateManager(path, mirror=file) as manager:
        operation_id = manager.start_operation(INITIAL)
        for files in range(1, 4):
            manager.update_checkpoint(operation_id, files, "/\udcff", error={"error": "x", "n": files})
            wait_until(lambda: row_in(file) == manager.row())
        manager.complete_operation(operation_id, {})
        last = manager.row()
        assert manager.status()["mirrors"] == {str(file): None}
    assert row_in(file) == last  # closing waits for it


def test_managers_that_mirror_to_one_file_share_the_mirror(path, tmp_path):
    file = tmp_path / "state.db"
    with IndexingStateManager(path, mirror=file) as first:
        with IndexingStateManager(path, mirror=file) as second:
            operation_id = second.start_operation(INITIAL)
        first._current_operation_id = operation_id
        first.update_checkpoint(operation_id, 5)
        wait_until(lambda: row_in(file) == first.row())


def test_a_locked_mirror_is_told_of_and_closing_does_not_wait_for_it(path, tmp_path):
    file = tmp_path / "state.db"
    manager = IndexingStateManager(path, mirror=file)
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as locker:
        locker.execute("BEGIN IMMEDIATE")
        manager.start_operation(INITIAL)
        wait_until(lambda: "locked" in (manager.status()["mirrors"][str(file)] or ""))
        before = time.monotonic()
        with pytest.raises(IndexingError, match="locked.*makes up for what it missed"):
            manager.close()
        assert time.monotonic() - before < 30  # a few seconds, on a machine that is busy
    with IndexingStateManager(path, mirror=file) as manager:
        assert row_in(file) == manager.row()


def test_a_mirror_that_was_deleted_comes_back(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with IndexingStateManager(path, mirror="state.db") as manager:
        monkeypatch.chdir("/")  # it was the path from where the program was
        manager.start_operation(INITIAL)
        file = tmp_path / "state.db"
        file.unlink()
        wait_until(file.exists)
        wait_until(lambda: file.stat().st_size and row_in(file) == manager.row())


NO_THREAD = """
import os, resource, sys
import foldlog
if os.geteuid() == 0:  # whom the limit does not hold
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
manager = foldlog.IndexingStateManager(sys.argv[1])
resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
try:
    foldlog.IndexingStateManager(sys.argv[1], mirror=sys.argv[2])
except foldlog.IndexingError as error:
    print(error)
manager.start_operation(foldlog.IndexingOperationType.INITIAL)
manager.close()
"""


def test_without_a_thread_for_the_mirror_there_is_an_error_and_the_log_is_usable(python):
    with tempfile.TemporaryDirectory(dir="/tmp") as place:
        os.chmod(place, 0o777)
        log = os.path.join(place, "log")
        message = python(NO_THREAD, log, os.path.join(place, "state.db")).communicate()[0]
        assert "cannot start the thread" in message and "try again" in message
        with IndexingStateManager(log) as manager:
            assert manager.row()["status"] == "in_progress"


def test_a_file_that_cannot_be_a_mirror_is_refused_and_the_log_let_go(path, tmp_path, python):
    (tmp_path / "text").write_text("not a database, but long enough to be looked at by SQLite" * 100)
    with pytest.raises(IndexingError, match="text"):
        IndexingStateManager(path, mirror=tmp_path / "text")
    process = python("import foldlog, sys; foldlog.IndexingStateManager(sys.argv[1]); print('opened')", path)
    assert process.communicate()[0] == "opened\n"


def test_an_imported_row_is_told_of(path, tmp_path):
    """The row of an older manager, brought in by the program; the module takes the operation over."""
    program = pathlib.Path(foldlog.__file__).parents[2] / "foldlog"
    file = tmp_path / "old.db"
    with contextlib.closing(sqlite3.connect(file)) as database:
        database.execute("CREATE TABLE indexing_state (id INTEGER PRIMARY KEY CHECK (id = 1), operation_type TEXT,"
                         " status TEXT, checkpoint_data TEXT, started_at INTEGER, updated_at INTEGER,"
                         " completed_at INTEGER)")
        checkpoint = foldlog.IndexingCheckpoint("old-one", INITIAL, 10, 4, "/a", "b", [{"error": "x"}], 2.0, 5.5, 7.5)
        database.execute("INSERT INTO indexing_state VALUES (1, 'initial', 'paused', ?, 5, 8, NULL)",
                         (checkpoint.to_json(),))
        database.commit()
    subprocess.run([program, "import", "--sqlite", file, "--log", path], check=True, stdout=subprocess.PIPE)
    with IndexingStateManager(path) as manager:
        assert manager.row() == row_in(file)
        imported = next(manager.events())
        assert imported["kind"] == "imported" and imported["operation_id"] == "old-one"
        assert (imported["files_processed"], imported["started_at"], imported["updated_at"]) == (4, 5.5, 8.0)
        assert (imported["status"], imported["errors"]) == ("paused", [{"time": 7.5, "error": {"error": "x"}}])
        assert manager.history()[0]["status"] == "paused"
        assert manager.resume_operation("old-one") == checkpoint
