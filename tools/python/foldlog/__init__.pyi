from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from types import TracebackType
from typing import Any, Callable, Iterable, Iterator, Literal, Mapping, Optional, Union

__all__ = [
    "IndexingCheckpoint",
    "IndexingError",
    "IndexingOperationType",
    "IndexingStateManager",
    "IndexingStatus",
    "Log",
]

_Path = Union[str, os.PathLike[str]]
_Durability = Literal["sync", "interval"]

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
    def get_active_operation(self) -> Optional[dict[str, Any]]: ...
    def pause_operation(self, operation_id: str, *, reason: str = "") -> None: ...
    def resume_operation(self, operation_id: str, *, resume_interrupted: bool = False) -> IndexingCheckpoint: ...
    def recover_operation(self, operation_id: str, *, reason: Optional[str] = None) -> IndexingCheckpoint: ...
    def complete_operation(self, operation_id: str, stats: Mapping[str, Any]) -> None: ...
    def fail_operation(self, operation_id: str, error: str) -> None: ...
    def clear_completed_operation(self) -> None: ...
    def reset(self, reason: str = "") -> None: ...
    def row(self) -> Optional[dict[str, Any]]: ...
    def status(self) -> dict[str, Any]: ...
    def history(self) -> list[dict[str, Any]]: ...
    def events(self, from_: int = 1, to: Optional[int] = None) -> Iterator[dict[str, Any]]: ...
    def follow(
        self, from_: Optional[int] = None, *, timeout: Optional[float] = None
    ) -> Iterator[dict[str, Any]]: ...
    def state_at(
        self, *, sequence: Optional[int] = None, time: Optional[Union[float, datetime]] = None
    ) -> dict[str, Any]: ...
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
    def row(self) -> Optional[dict[str, Any]]: ...
    def status(self) -> dict[str, Any]: ...
    def history(self) -> list[dict[str, Any]]: ...
    def events(self, from_: int = 1, to: Optional[int] = None) -> Iterator[dict[str, Any]]: ...
    def follow(
        self, from_: Optional[int] = None, *, timeout: Optional[float] = None
    ) -> Iterator[dict[str, Any]]: ...
    def state_at(
        self, *, sequence: Optional[int] = None, time: Optional[Union[float, datetime]] = None
    ) -> dict[str, Any]: ...
    def close(self) -> None: ...
