"""What everything that has a log open is to Python, whether it writes or only reads."""

from __future__ import annotations

from datetime import datetime
from types import TracebackType
from typing import Any, Callable, Optional, TypeVar, Union

from foldlog._types import _moment

_Self = TypeVar("_Self", bound="_OpenLog")


class _OpenLog:
    """Goes before a class of the extension module, which has the methods named here."""

    close: Callable[[], None]
    _state_at: Callable[[Optional[int], Optional[float]], dict[str, Any]]

    def __enter__(self: _Self) -> _Self:
        return self

    def __exit__(
        self,
        exc_type: Optional[type[BaseException]],
        exc: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self.close()

    def state_at(
        self, *, sequence: Optional[int] = None, time: Optional[Union[float, datetime]] = None
    ) -> dict[str, Any]:
        """The state right after event `sequence`, or as it was at `time`: up to the first event recorded later.

        Names and shapes are those of "foldlog at --json": those of the operation, and sequence, time, row and misfit.
        """
        return self._state_at(sequence, _moment(sequence, time))
