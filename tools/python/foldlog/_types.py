"""The plain values of the module: enums, the checkpoint, the exception. Knows nothing of the log."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import Enum
from typing import Any, Mapping, Optional, Union


class IndexingError(Exception):
    """A refused or failed call. The text names the thing, its state, and the next step.

    `code` tells what kind of error it is, by the names of the C++ library: "FAILED_PRECONDITION" (refused in this
    state), "ABORTED" (the operation is another's by now), "INVALID_ARGUMENT", "RESOURCE_EXHAUSTED" (the disk is full;
    nothing was recorded, and the call may be repeated), "DATA_LOSS", "UNAVAILABLE" (open the log anew), and so on.
    """

    code: Optional[str] = None

    # What to do about it, where the text does not say so itself; tracebacks show it, too.
    advice: Optional[str] = None


class IndexingStatus(str, Enum):
    """What has become of an operation. Members are strings: IndexingStatus.PAUSED == "paused"."""

    IDLE = "idle"
    IN_PROGRESS = "in_progress"
    PAUSED = "paused"
    COMPLETED = "completed"
    FAILED = "failed"


class IndexingOperationType(str, Enum):
    """What an operation does. Members are strings: IndexingOperationType.INITIAL == "initial"."""

    INITIAL = "initial"
    INCREMENTAL = "incremental"
    RECOVERY = "recovery"


@dataclass
class IndexingCheckpoint:
    """How far an operation has come. The order of the fields is that of the JSON text."""

    operation_id: str
    operation_type: IndexingOperationType
    total_files: Optional[int]
    files_processed: int
    current_path: Optional[str]
    last_processed_file: Optional[str]
    errors: list[dict[str, Any]]
    rate: float  # files a second
    started_at: float  # seconds since 1970, as last_update
    last_update: float
    batch_num: int = 0
    checkpoint_version: str = "1.0"

    @property
    def duration(self) -> float:
        """Seconds from the start to the last update."""
        return self.last_update - self.started_at

    def to_json(self) -> str:
        """The text that the column checkpoint_data holds."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, data: str) -> IndexingCheckpoint:
        """The inverse of to_json()."""
        values = json.loads(data)
        values["operation_type"] = IndexingOperationType(values["operation_type"])
        return cls(**values)


@dataclass
class _ErrorEntry:
    """One member of a checkpoint's list of errors."""

    entry: dict[str, Any]


def _bytes_of(value: Any) -> bytes:
    """Text for those who read events: an error's own JSON is what counts, so nothing is refused here."""
    if not isinstance(value, str):
        return b""
    try:
        return value.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return value.encode("utf-8", "surrogatepass")


def _describe_error(error: Mapping[str, Any], timestamp: float) -> tuple[bytes, bytes, str]:
    """Path, message and JSON text of an error with its time. What JSON cannot hold raises TypeError, as it does when
    the entry is written as part of a checkpoint: hence the detour by asdict(), which has its own idea of values."""
    entry = {**error, "timestamp": timestamp}
    try:
        plain = asdict(_ErrorEntry(entry))["entry"]
        text = json.dumps(plain)
    except RecursionError:
        raise _invalid("the error is nested too deeply, or contains itself: give it fewer levels") from None
    return _bytes_of(entry.get("path")), _message_of(plain), text


def _message_of(entry: Mapping[str, Any]) -> bytes:
    """What readers see who want a text. Without one, it is what the entry holds besides path and time."""
    message = entry.get("error")
    if isinstance(message, str) and message:
        return _bytes_of(message)
    rest = {name: value for name, value in entry.items() if name not in ("path", "timestamp")}
    if set(rest) == {"error"}:
        return json.dumps(message).encode() if message else b""
    return json.dumps(rest).encode() if rest else b""


def _invalid(message: str) -> IndexingError:
    error = IndexingError(message)
    error.code = "INVALID_ARGUMENT"
    return error


def _moment(sequence: Optional[int], time: Optional[Union[float, datetime]]) -> Optional[float]:
    """The time that state_at() is asked for, in seconds since 1970."""
    if (sequence is None) == (time is None):
        raise TypeError("state_at() takes either sequence= or time=")
    return time.timestamp() if isinstance(time, datetime) else time


def _not_picklable(opened: Any, instead: str) -> TypeError:
    return TypeError(f"{opened!r} cannot be copied or sent to another process: open {instead}")
