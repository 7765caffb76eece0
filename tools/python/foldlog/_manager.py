"""IndexingStateManager as callers see it: signatures, enums and words. The work is done in C++ (session.cc)."""

from __future__ import annotations

import atexit
import json
import logging
import os
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Callable, Iterable, Iterator, Mapping, NoReturn, Optional, Union

from foldlog import _foldlog
from foldlog._reading import _OpenLog
from foldlog._types import (
    IndexingCheckpoint,
    IndexingError,
    IndexingOperationType,
    IndexingStatus,
    _bytes_of,
    _invalid,
    _not_picklable,
)

logger = logging.getLogger("foldlog")

# Programs that never close their manager still sign off, so that the next one need not look for a dead process.
atexit.register(_foldlog.close_all)


class IndexingStateManager(_OpenLog, _foldlog.Session):
    """The state of one indexing operation at a time, durable and with its whole history.

    `db_service` is the path of the log's directory, created if it is missing. It may also be any other object, such as
    the database service of a program that moves to foldlog; then `log` gives the path, or else the environment variable
    FOLDLOG does. The object is kept and never used.

    clock: gives the time, in seconds since 1970, for tests; called once by each method that records something.
    new_id: gives the ids of operations, for tests; random UUIDs otherwise.
    durability: of checkpoints, unless a call says otherwise. "sync": they survive power loss when the call returns.
    "interval": they survive the death of the process then, and power loss a moment later.
    monotonic: a checkpoint that counts fewer files than there are already leaves the count as it is. Otherwise it sets the
    count back, as in the single row, and a warning is logged.
    readonly: the log must exist, and is only read: every method that records something is refused. Works while another
    process writes to it. foldlog.Log does the same without the methods that record.
    mirror: an SQLite file whose table indexing_state shows the row, for programs that only read it. A thread of its own
    keeps it up to date until the log is closed, a moment behind; status() tells of its errors, such as a lock of another
    program, after which it is tried again every second. A file that is renamed, deleted or replaced is made anew at its
    path. close() gives up a locked mirror after a second or two, and raises; the next manager with it catches up.

    Managers on one path in one process share the log, like connections that share a database; one process writes to a
    log at a time. Any thread may call any method; calls take effect one after the other, in an order that is theirs.
    Threads and tasks that share an operation use advance(), which adds to the count: what they count themselves, one may
    bring after another has brought more. A child made by fork() is refused, and can neither open the log for writing
    while its parent has it open: let the parent record, or open foldlog.Log there to read.
    """

    def __init__(
        self,
        db_service: Any,
        *,
        log: Optional[Union[str, os.PathLike[str]]] = None,
        clock: Optional[Callable[[], float]] = None,
        new_id: Optional[Callable[[], str]] = None,
        durability: str = "sync",
        mirror: Optional[Union[str, os.PathLike[str]]] = None,
        monotonic: bool = False,
        readonly: bool = False,
    ) -> None:
        path = _log_path(db_service, log)
        super().__init__(
            path, durability, mirror, clock is not None, bool(monotonic), bool(readonly)
        )
        self._db_service = db_service
        self._clock = clock
        self._new_id = new_id

    def __repr__(self) -> str:
        return f"<IndexingStateManager of {self.log!r}>"

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise _not_picklable(self, "an IndexingStateManager there, once this one is closed, or foldlog.Log to read")

    def start_operation(
        self,
        operation_type: IndexingOperationType,
        total_files: Optional[int] = None,
        *,
        roots: Iterable[Union[str, os.PathLike[str]]] = (),
        metadata: Optional[Mapping[str, str]] = None,
    ) -> str:
        """Starts an operation and returns its id. Refused while another is in progress or paused.

        roots and metadata say what is indexed and why; they are kept in the history.
        """
        try:
            name = IndexingOperationType(operation_type).value
        except ValueError:
            known = ", ".join(IndexingOperationType)
            raise _invalid(f"{operation_type!r} is no type of operation; there are {known}") from None
        self._refuse_to_start_while_active()
        now, new_id = self._now(), self._new_id() if self._new_id is not None else None
        try:
            operation_id: str = self._start(name, total_files, roots, metadata, now, new_id)
        except IndexingError as error:
            if error.code == _REFUSED:
                self._refuse_to_start_while_active()  # another thread was quicker
            raise
        logger.info(f"Started {name} operation {operation_id}")
        return operation_id

    def get_active_operation(self) -> Optional[dict[str, Any]]:
        """The operation in progress or paused, with its checkpoint; None if there is none."""
        row = self._active_row()
        if row is None:
            return None
        checkpoint = IndexingCheckpoint.from_json(row["checkpoint_data"])
        return {
            "operation_id": checkpoint.operation_id,
            "operation_type": checkpoint.operation_type,
            "status": IndexingStatus(row["status"]),
            "checkpoint": checkpoint,
            "started_at": datetime.fromtimestamp(row["started_at"]),
            "updated_at": datetime.fromtimestamp(row["updated_at"]),
        }

    def pause_operation(self, operation_id: str, *, reason: str = "") -> None:
        """Pauses the operation in progress."""
        self._check_current(operation_id)
        if self._status_on_row() != "in_progress":
            raise _refused("No active operation to pause", "status() tells how the operation stands, if there is one")
        with self._in_words_of_an_empty_row("No active operation to pause"):
            self._pause(operation_id, reason, self._now())
        logger.info(f"Paused operation {operation_id}")

    def resume_operation(self, operation_id: str, *, resume_interrupted: bool = False) -> IndexingCheckpoint:
        """Goes on with a paused operation and returns its checkpoint.

        resume_interrupted: also with one in progress, if it is proven that the process that worked on it is gone.
        """
        may_be = ("paused", "in_progress") if resume_interrupted else ("paused",)
        checkpoint = self._go_on("resume", operation_id, may_be, None)
        logger.info(f"Resumed operation {operation_id}")
        return checkpoint

    def recover_operation(self, operation_id: str, *, reason: Optional[str] = None) -> IndexingCheckpoint:
        """Takes over an operation in progress and returns its checkpoint.

        Without a reason only if its owner is proven gone. With one, by force: the reason is recorded, and whoever else
        still works on the operation is refused from then on.
        """
        checkpoint = self._go_on("recover", operation_id, ("in_progress",), reason)
        logger.info(f"Recovered operation {operation_id}")
        return checkpoint

    def complete_operation(self, operation_id: str, stats: Mapping[str, Any]) -> None:
        """Ends the operation well. The statistics are kept in the history."""
        self._check_current(operation_id)
        with self._in_words_of_an_empty_row("No active operation to complete"):
            files, elapsed, rate = self._complete(operation_id, _plain_stats(stats), self._now())
        logger.info(f"Completed operation {operation_id}: {files} files in {elapsed:.2f}s ({rate:.1f} files/s)")

    def fail_operation(self, operation_id: str, error: str) -> None:
        """Ends the operation with an error."""
        self._check_current(operation_id)
        with self._in_words_of_an_empty_row("No active operation to fail"):
            self._fail(operation_id, error, self._now())
        logger.error(f"Failed operation {operation_id}: {error}")

    def clear_completed_operation(self) -> None:
        """Takes a completed or failed operation off the row. Its history stays. Does nothing if there is none."""
        if self._status_on_row() not in _ENDED:
            return
        try:
            self._clear(self._now())
        except IndexingError as error:
            if error.code != _REFUSED or self._status_on_row() in _ENDED:
                raise  # otherwise another thread was quicker

    def reset(self, reason: str = "") -> None:
        """Takes whatever there is off the row, for maintenance. The history stays."""
        self._reset(reason, self._now())

    def _now(self) -> Optional[float]:
        return None if self._clock is None else self._clock()

    def _status_on_row(self) -> Optional[str]:
        standing = self._standing()
        return None if standing is None else standing[1]

    def _refuse_to_start_while_active(self) -> None:
        standing = self._standing()
        if standing is not None and standing[1] not in _ENDED:
            raise _refused(
                f"Cannot start new operation: {standing[1]} operation {standing[0]} already exists",
                "resume_operation() goes on with it (with resume_interrupted=True if its process is gone), "
                "complete_operation() or fail_operation() ends it",
            )

    def _go_on(
        self, verb: str, operation_id: str, may_be: tuple[str, ...], force_reason: Optional[str]
    ) -> IndexingCheckpoint:
        """Takes over what is on the row, if it is this operation and has one of these statuses."""
        standing = self._standing()
        if standing is None:
            raise _refused(f"No operation to {verb}", _NOTHING_THERE)
        if standing[0] != operation_id:
            raise _refused(
                f"Operation ID mismatch: {operation_id}", "get_active_operation() names the operation that there is"
            )
        if standing[1] not in may_be:
            raise _refused(f"Cannot {verb} operation in {standing[1]} state", _HOW_TO_GO_ON[standing[1]])
        return IndexingCheckpoint.from_json(self._take_over(operation_id, force_reason, self._now()))

    @contextmanager
    def _in_words_of_an_empty_row(self, message: str) -> Iterator[None]:
        """A refusal that is due to an empty row has the words of the single-row manager."""
        if self._standing() is None:
            raise _refused(message, _NOTHING_THERE)
        try:
            yield
        except IndexingError as error:
            if error.code == _REFUSED and self._standing() is None:
                raise _refused(message, _NOTHING_THERE) from None
            raise


# The code of what is refused in the state that the operation has.
_REFUSED = "FAILED_PRECONDITION"

_ENDED = (IndexingStatus.COMPLETED.value, IndexingStatus.FAILED.value)

# What to do where a message of the single-row manager leaves that open.
_NOTHING_THERE = "there is no operation: start_operation() begins one"
_HOW_TO_GO_ON = {
    "in_progress": "if its process is gone, resume_operation(..., resume_interrupted=True) goes on with it; status() "
    "tells whether it is; recover_operation(..., reason=...) takes it over whatever is known",
    "paused": "it is paused: resume_operation() goes on with it",
    "completed": "it has ended: start_operation() begins another one",
    "failed": "it has ended: start_operation() begins another one",
}


def _refused(message: str, advice: str) -> IndexingError:
    error = IndexingError(message)
    error.code, error.advice = _REFUSED, advice
    error.add_note(advice)
    return error


def _log_path(db_service: Any, log: Optional[Union[str, os.PathLike[str]]]) -> Union[str, bytes]:
    """Where the log is. Every constructor call that a program may have for its database service leads somewhere."""
    if isinstance(db_service, (str, bytes, os.PathLike)):
        if log is not None:
            raise TypeError("the path of the log is given twice: as the first argument and as log=")
        return os.fspath(db_service)
    path = log if log is not None else os.environ.get("FOLDLOG")
    if not path:
        raise TypeError(
            f"foldlog keeps its state in a log of its own, not in this {type(db_service).__name__}: "
            "pass log=PATH as well, or set the environment variable FOLDLOG"
        )
    return os.fspath(path)


def _plain_stats(stats: Any) -> list[tuple[bytes, Union[int, float, bytes]]]:
    """Statistics as the log can keep them. They are an extra, so nothing about them may keep an operation from ending:
    what is neither number nor text becomes its JSON, or else its repr()."""
    if not isinstance(stats, Mapping):
        return [] if stats is None else [(b"stats", _plain(stats))]
    return [(_bytes_of(name if isinstance(name, str) else _shown(name)), _plain(value)) for name, value in stats.items()]


def _plain(value: Any) -> Union[int, float, bytes]:
    if isinstance(value, str):
        return _bytes_of(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63:
        return int(value)
    try:
        return json.dumps(value).encode()
    except (TypeError, ValueError, RecursionError):
        return _bytes_of(_shown(value))


def _shown(value: Any) -> str:
    """Its repr(), whatever is in it: an object may refuse that, contain itself, or be a number of too many digits."""
    try:
        return repr(value)
    except Exception:
        return hex(value) if type(value) is int else f"<a {type(value).__name__} that cannot be shown>"
