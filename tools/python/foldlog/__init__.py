"""foldlog: the state of long-running indexing operations, kept as a log of events.

    from foldlog import IndexingOperationType, IndexingStateManager

    with IndexingStateManager("/var/lib/photos/index.foldlog") as manager:
        operation_id = manager.start_operation(IndexingOperationType.INITIAL, total_files=1000)
        manager.update_checkpoint(operation_id, 500, last_file="img_0500.jpg")   # durable from here on
        manager.complete_operation(operation_id, {"bytes": 123456})

The manager answers like the single-row manager that keeps its state in SQLite's table `indexing_state`: same methods,
enums, messages and row. Beyond that it remembers everything: history(), events(), state_at().
"""

from foldlog._manager import IndexingStateManager
from foldlog._types import IndexingCheckpoint, IndexingError, IndexingOperationType, IndexingStatus

__all__ = [
    "IndexingCheckpoint",
    "IndexingError",
    "IndexingOperationType",
    "IndexingStateManager",
    "IndexingStatus",
]
