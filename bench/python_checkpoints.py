"""What a checkpoint costs from Python: the same calls on foldlog and on a row in SQLite that is rewritten each time.

    PYTHONPATH=build/release/python /usr/bin/python3 bench/python_checkpoints.py [--calls N] [--repetitions N] [--small]

Each line says what survives when the call returns. "kill-safe" survives the death of the process, and power loss only
some time later: 50 ms with foldlog, at the next checkpoint of SQLite's write-ahead log with synchronous=NORMAL. Lines
of the same durability are to be compared, on one machine, in one run. Of the repetitions the median is shown.

Files are made in the current directory: run it on the disk that is to be measured, never on tmpfs.
"""

import argparse
import contextlib
import json
import os
import sqlite3
import statistics
import sys
import tempfile
import time

import foldlog

# As in a photo library.
PATH = "/srv/media/photos/2024/2024-07-14 summer in the mountains/raw"
NAME = "IMG_20240714_0815.NEF"

ERROR = {"path": PATH + "/" + NAME, "error": "Permission denied"}


class RowInSqlite:
    """The design that the module stands in for, reduced to what is measured: one row holds the whole checkpoint as
    JSON, and each call reads it, changes it and writes it back, in a transaction of its own."""

    def __init__(self, path, synchronous):
        self.database = sqlite3.connect(path, isolation_level=None)
        self.database.execute("PRAGMA journal_mode = WAL")
        self.database.execute(f"PRAGMA synchronous = {synchronous}")
        self.database.execute(
            "CREATE TABLE indexing_state (id INTEGER PRIMARY KEY CHECK (id = 1), operation_type TEXT, status TEXT,"
            " checkpoint_data TEXT, started_at INTEGER, updated_at INTEGER, completed_at INTEGER)")

    def start_operation(self, operation_type):
        now = time.time()
        checkpoint = {
            "operation_id": "the-one", "operation_type": operation_type.value, "total_files": None,
            "files_processed": 0, "current_path": None, "last_processed_file": None, "errors": [], "rate": 0.0,
            "started_at": now, "last_update": now, "batch_num": 0, "checkpoint_version": "1.0"}
        self.database.execute("INSERT INTO indexing_state VALUES (1, ?, 'in_progress', ?, ?, ?, NULL)",
                              (operation_type.value, json.dumps(checkpoint), int(now), int(now)))
        return "the-one"

    def update_checkpoint(self, operation_id, files_processed, current_path=None, last_file=None, error=None):
        checkpoint = self.checkpoint()
        now = time.time()
        checkpoint.update(files_processed=files_processed, last_update=now)
        if current_path:
            checkpoint["current_path"] = current_path
        if last_file:
            checkpoint["last_processed_file"] = last_file
        if error:
            checkpoint["errors"].append({**error, "timestamp": now})
        if now > checkpoint["started_at"]:
            checkpoint["rate"] = files_processed / (now - checkpoint["started_at"])
        self.database.execute("BEGIN IMMEDIATE")
        self.database.execute("UPDATE indexing_state SET checkpoint_data = ?, updated_at = ? WHERE id = 1",
                              (json.dumps(checkpoint), int(now)))
        self.database.execute("COMMIT")

    def checkpoint(self):
        return json.loads(self.database.execute("SELECT checkpoint_data FROM indexing_state").fetchone()[0])

    def close(self):
        self.database.close()


def recorded(manager):
    """Files processed and number of errors, as the manager tells them."""
    if isinstance(manager, RowInSqlite):
        checkpoint = manager.checkpoint()
        return checkpoint["files_processed"], len(checkpoint["errors"])
    checkpoint = manager.get_active_operation()["checkpoint"]
    return checkpoint.files_processed, len(checkpoint.errors)


CONTENDERS = [
    ("foldlog, sync", "durable", lambda path: foldlog.IndexingStateManager(path, durability="sync")),
    ("SQLite, WAL, FULL", "durable", lambda path: RowInSqlite(path, "FULL")),
    ("foldlog, interval", "kill-safe", lambda path: foldlog.IndexingStateManager(path, durability="interval")),
    ("SQLite, WAL, NORMAL", "kill-safe", lambda path: RowInSqlite(path, "NORMAL")),
]


def measure(make, calls, errors):
    """Calls a second, and the call at half and at 99 % of them, in microseconds, with so many errors in the list."""
    with tempfile.TemporaryDirectory(dir=os.getcwd(), prefix="python_checkpoints_") as place, \
            contextlib.closing(make(os.path.join(place, "state"))) as manager:
        operation_id = manager.start_operation(foldlog.IndexingOperationType.INITIAL)
        for _ in range(errors):
            manager.update_checkpoint(operation_id, 0, error=ERROR)
        update = manager.update_checkpoint
        start = time.perf_counter()
        for files in range(1, calls + 1):
            update(operation_id, files, PATH, NAME)
        elapsed = time.perf_counter() - start

        latencies = []  # apart, because looking at the clock costs as much as a call
        for files in range(calls + 1, calls + 1 + min(calls, 10_000)):
            before = time.perf_counter_ns()
            update(operation_id, files, PATH, NAME)
            latencies.append((time.perf_counter_ns() - before) / 1000)
        if recorded(manager) != (files, errors):
            sys.exit(f"wrong result: {recorded(manager)} instead of {(files, errors)}")
    latencies.sort()
    return calls / elapsed, latencies[len(latencies) // 2], latencies[len(latencies) * 99 // 100]


def calls_for(name, wanted):
    """Enough for a second or so, and not for hours."""
    return wanted * 50 if name == "foldlog, interval" else wanted


def one(name, calls, errors):
    """A measurement of one contender, as a line of JSON for bench/run.py."""
    survives, make = next((survives, make) for other, survives, make in CONTENDERS if other == name)
    rate, half, most = measure(make, calls_for(name, calls), errors)
    print(json.dumps({"system": name, "workload": "python", "level": survives.replace("-", "_"), "promise": survives,
                      "settings": "defaults" if name.startswith("foldlog") else "one row of JSON, as " + name,
                      "version": f"Python {sys.version.split()[0]}, SQLite {sqlite3.sqlite_version}",
                      "build": foldlog._foldlog.build, "check": "passed",
                      "figures": {"per_second": rate, "p50_ns": half * 1000, "p99_ns": most * 1000}}))


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    arguments.add_argument("--calls", type=int, default=10_000, help="calls a line; 50 times as many at intervals")
    arguments.add_argument("--repetitions", type=int, default=5)
    arguments.add_argument("--small", action="store_true", help="only to see that it runs and that results are right")
    arguments.add_argument("--one", metavar="NAME", choices=[name for name, _, _ in CONTENDERS],
                           help="only this line, once, as JSON")
    arguments.add_argument("--errors", type=int, default=0, help="of --one: in the list before it begins")
    options = arguments.parse_args()
    if options.small:
        options.calls, options.repetitions = 50, 1

    if options.one:
        one(options.one, options.calls, options.errors)
        return
    print(f"build {foldlog._foldlog.build}; Python {sys.version.split()[0]}; SQLite {sqlite3.sqlite_version}")
    print(f"{'':22}{'survives':11}{'errors':>7}{'calls/s':>12}{'p50 us':>10}{'p99 us':>10}")
    for errors in (0, 20 if options.small else 1000):
        for name, survives, make in CONTENDERS:
            runs = [measure(make, calls_for(name, options.calls), errors) for _ in range(options.repetitions)]
            rate, half, most = (statistics.median(column) for column in zip(*runs))
            print(f"{name:22}{survives:11}{errors:7}{rate:12,.0f}{half:10.2f}{most:10.2f}", flush=True)


if __name__ == "__main__":
    main()
