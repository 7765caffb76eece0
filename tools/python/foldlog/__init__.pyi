from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from types import TracebackType
from typing import Any, Callable, Iterable, Iterator, Literal, Mapping, NotRequired, Optional, TypedDict, Union

__all__ = [
    "IndexingCheckpoint",
    "IndexingError",
    "IndexingOperationType",
    "IndexingStateManager",
    "IndexingStatus",
    "Log",
    "__version__",
]

__version__: str

_Path = Union[str, os.PathLike[str]]
_Durability = Literal["sync", "interval"]

# The dicts that calls give. They exist for type checkers only; import them under `if TYPE_CHECKING:`. Names and shapes are those of
# schema/JSON.md, but times are seconds since 1970.

class OwnerDict(TypedDict):
    program: str
    host: str
    pid: int
    holds_log: bool
    instance: str
    machine_id: str
    boot_id: str
    pid_namespace: int
    start_ticks: int
    kernel_boot_id: bool
    file_system: int
    device: int
    directory: int
    lock_file: int

class MisfitDict(TypedDict):
    sequence: int
    why: str

class RowDict(TypedDict):
    id: int
    operation_type: str
    status: str
    checkpoint_data: str
    started_at: int
    updated_at: int
    completed_at: Optional[int]

class ActiveDict(TypedDict):
    operation_id: str
    operation_type: str
    status: str
    checkpoint: dict[str, Any]
    started_at: int
    updated_at: int

class ClockStepDict(TypedDict):
    sequence: int
    seconds: float

class RecoveryDict(TypedDict):
    events_from_tail: int
    frames_discarded: int
    events_lost: int
    events_in_doubt: int
    last_writer: Optional[str]

class RestorationDict(TypedDict):
    at: float
    source: Optional[str]
    host: str
    last_sequence: int
    last_hash: str

# Without an operation, status is "idle", counts are 0 and the rest is None.
class OperationDict(TypedDict):
    operation_id: Optional[str]
    operation_type: Optional[str]
    status: str
    total_files: Optional[int]
    files_processed: int
    current_path: Optional[str]
    last_processed_file: Optional[str]
    batch_num: int
    error_count: int
    file_errors: int
    rate: float
    recent_rate: float
    active_s: float
    paused_s: float
    started_at: Optional[float]
    updated_at: Optional[float]
    completed_at: Optional[float]
    clock_steps: int
    last_clock_step: Optional[ClockStepDict]
    roots: list[str]
    metadata: dict[str, Union[str, list[str]]]
    owner: Optional[OwnerDict]
    pause_reason: Optional[str]
    failure: Optional[str]

class AtHandDict(TypedDict):
    interrupted: bool
    evidence: Optional[str]
    owner_fate: Optional[str]

class RecordDict(TypedDict):
    epoch: int
    checkpoints: int
    interruptions: int
    interruptions_by: dict[str, int]
    first_sequence: int
    last_sequence: int
    stats: dict[str, Any]

class HistoryDict(OperationDict, AtHandDict, RecordDict):
    reset: Optional[int]

class StateDict(OperationDict, RecordDict):
    sequence: int
    time: Optional[float]
    row: Optional[RowDict]
    misfit: Optional[MisfitDict]

class StatusDict(OperationDict, AtHandDict):
    epoch: int
    last_sequence: int
    durable_sequence: int
    missing_through: Optional[int]
    stored_sequence: int
    last_hash: str
    time_left_s: Optional[float]
    last_progress_at: Optional[float]
    idle_s: Optional[float]
    stalled: Optional[bool]
    writer: Optional[OwnerDict]
    recovery: Optional[RecoveryDict]
    restored: Optional[RestorationDict]
    misfit: NotRequired[MisfitDict]
    # Of this process, and not in JSON: what is wrong with each SQLite file that it keeps equal to the row.
    mirrors: dict[str, Optional[str]]

class EventDict(TypedDict):
    sequence: int
    time: float
    epoch: int
    kind: str
    operation_id: Optional[str]
    boot: NotRequired[int]
    booted_at: NotRequired[float]
    clock_step_s: NotRequired[float]
    # Of its kind.
    operation_type: NotRequired[str]
    total_files: NotRequired[Optional[int]]
    roots: NotRequired[list[str]]
    metadata: NotRequired[dict[str, Union[str, list[str]]]]
    owner: NotRequired[OwnerDict]
    files_processed: NotRequired[int]
    current_path: NotRequired[Optional[str]]
    last_processed_file: NotRequired[Optional[str]]
    batch_num: NotRequired[int]
    error: NotRequired[dict[str, Any]]
    reason: NotRequired[str]
    evidence: NotRequired[str]
    stats: NotRequired[dict[str, Any]]
    failure: NotRequired[Optional[str]]
    status: NotRequired[str]
    rate: NotRequired[float]
    started_at: NotRequired[float]
    last_update: NotRequired[float]
    updated_at: NotRequired[float]
    ended_at: NotRequired[Optional[float]]
    errors: NotRequired[list[dict[str, Any]]]
    source: NotRequired[str]
    row: NotRequired[Optional[RowDict]]

class IndexingError(Exception):
    code: Optional[str]
    advice: Optional[str]

class IndexingStatus(str, Enum):
    IDLE = "idle"
    IN_PROGRESS = "in_progress"
    PAUSED = "paused"
    COMPLETED = "completed"
    FAILED = "failed"

class IndexingOperationType(str, Enum):
    INITIAL = "initial"
    INCREMENTAL = "incremental"
    RECOVERY = "recovery"

@dataclass
class IndexingCheckpoint:
    operation_id: str
    operation_type: IndexingOperationType
    total_files: Optional[int]
    files_processed: int
    current_path: Optional[str]
    last_processed_file: Optional[str]
    errors: list[dict[str, Any]]
    rate: float
    started_at: float
    last_update: float
    batch_num: int = 0
    checkpoint_version: str = "1.0"
    @property
    def duration(self) -> float: ...
    def to_json(self) -> str: ...
    @classmethod
    def from_json(cls, data: str) -> IndexingCheckpoint: ...

class IndexingStateManager:
    def __init__(
        self,
        db_service: Any,
        *,
        log: Optional[_Path] = None,
        clock: Optional[Callable[[], float]] = None,
        new_id: Optional[Callable[[], str]] = None,
        durability: _Durability = "sync",
        mirror: Optional[_Path] = None,
        monotonic: bool = False,
        readonly: bool = False,
    ) -> None: ...
    def __enter__(self) -> IndexingStateManager: ...
    def __exit__(
        self,
        exc_type: Optional[type[BaseException]],
        exc: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None: ...
    def __repr__(self) -> str: ...
    @property
    def log(self) -> str: ...
    @property
    def durable_sequence(self) -> int: ...
    def start_operation(
        self,
        operation_type: IndexingOperationType,
        total_files: Optional[int] = None,
        *,
        roots: Iterable[_Path] = (),
        metadata: Optional[Mapping[str, str]] = None,
    ) -> str: ...
    def update_checkpoint(
        self,
        operation_id: str,
        files_processed: int,
        current_path: Optional[_Path] = None,
        last_file: Optional[_Path] = None,
        error: Optional[Mapping[str, Any]] = None,
        batch_num: Optional[int] = None,
        *,
        durability: Optional[_Durability] = None,
    ) -> None: ...
    def advance(
        self,
        operation_id: str,
        files: int = 1,
        current_path: Optional[_Path] = None,
        last_file: Optional[_Path] = None,
        error: Optional[Mapping[str, Any]] = None,
        batch_num: Optional[int] = None,
        *,
        durability: Optional[_Durability] = None,
    ) -> int: ...
    def get_active_operation(self) -> Optional[ActiveDict]: ...
    def pause_operation(self, operation_id: str, *, reason: str = "") -> None: ...
    def resume_operation(self, operation_id: str, *, resume_interrupted: bool = False) -> IndexingCheckpoint: ...
    def recover_operation(self, operation_id: str, *, reason: Optional[str] = None) -> IndexingCheckpoint: ...
    def complete_operation(self, operation_id: str, stats: Mapping[str, Any]) -> None: ...
    def fail_operation(self, operation_id: str, error: str) -> None: ...
    def clear_completed_operation(self) -> None: ...
    def reset(self, reason: str = "") -> None: ...
    def row(self) -> Optional[RowDict]: ...
    def status(self) -> StatusDict: ...
    def history(self) -> list[HistoryDict]: ...
    def events(self, from_: int = 1, to: Optional[int] = None) -> Iterator[EventDict]: ...
    def follow(
        self, from_: Optional[int] = None, *, timeout: Optional[float] = None
    ) -> Iterator[EventDict]: ...
    def state_at(
        self, *, sequence: Optional[int] = None, time: Optional[Union[float, datetime]] = None
    ) -> StateDict: ...
    def flush(self) -> None: ...
    def close(self) -> None: ...

class Log:
    def __init__(self, path: _Path) -> None: ...
    def __enter__(self) -> Log: ...
    def __exit__(
        self,
        exc_type: Optional[type[BaseException]],
        exc: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None: ...
    def __repr__(self) -> str: ...
    @property
    def path(self) -> str: ...
    def row(self) -> Optional[RowDict]: ...
    def status(self) -> StatusDict: ...
    def history(self) -> list[HistoryDict]: ...
    def events(self, from_: int = 1, to: Optional[int] = None) -> Iterator[EventDict]: ...
    def follow(
        self, from_: Optional[int] = None, *, timeout: Optional[float] = None
    ) -> Iterator[EventDict]: ...
    def state_at(
        self, *, sequence: Optional[int] = None, time: Optional[Union[float, datetime]] = None
    ) -> StateDict: ...
    def close(self) -> None: ...
