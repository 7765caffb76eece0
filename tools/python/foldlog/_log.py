"""A log as those see it who only read it. The work is done in C++ (log_reader.cc)."""

from __future__ import annotations

from typing import Any, NoReturn

from foldlog import _foldlog
from foldlog._reading import _OpenLog
from foldlog._types import _not_picklable


class Log(_OpenLog, _foldlog.LogReader):
    """A log to read, whoever writes to it: another process, this one, or nobody any more.

        with foldlog.Log("/var/lib/photos/index.foldlog") as log:
            print(log.status()["status"])
            for run in log.history():
                print(run["operation_type"], run["files_processed"])
            for event in log.follow():                  # as they come
                print(event["sequence"], event["kind"])

    Writes nothing, and keeps nobody from writing. Any number may be open, in any number of processes. Any thread may
    call any method, and each iterator is for one thread at a time. A child made by fork() opens a Log of its own.
    """

    def __init__(self, path: Any) -> None:
        super().__init__(path)

    def __repr__(self) -> str:
        return f"<Log {self.path!r}>"

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise _not_picklable(self, f"foldlog.Log({self.path!r})")
