"""foldlog: the state of long-running indexing operations, kept as a log of events.

    from foldlog import IndexingOperationType, IndexingStateManager

    with IndexingStateManager("/var/lib/photos/index.foldlog") as manager:
        operation_id = manager.start_operation(IndexingOperationType.INITIAL, total_files=1000)
        manager.update_checkpoint(operation_id, 500, last_file="img_0500.jpg")   # durable from here on
        manager.complete_operation(operation_id, {"bytes": 123456})

The manager answers like the single-row manager that keeps its state in SQLite's table `indexing_state`: same methods,
enums, messages and row. Beyond that it remembers everything: history(), events(), state_at(). advance() is for threads
and tasks that share an operation. One process writes to a log; any number read it meanwhile:

    for event in foldlog.Log("/var/lib/photos/index.foldlog").follow():
        print(event["sequence"], event["kind"])
"""

from foldlog._log import Log
from foldlog._manager import IndexingStateManager
from foldlog._types import IndexingCheckpoint, IndexingError, IndexingOperationType, IndexingStatus
from foldlog._version import __version__

__all__ = [
    "IndexingCheckpoint",
    "IndexingError",
    "IndexingOperationType",
    "IndexingStateManager",
    "IndexingStatus",
    "Log",
    "__version__",
]
