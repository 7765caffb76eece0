"""Which measurements tools/bench makes: groups of rows that are compared with each other, each row one system.

A row is a call of peer_benchmark, or of python_checkpoints.py, that measures once; rounds repeat it. Nothing here runs
anything.
"""

import dataclasses
import hashlib
import json
import random

TEN_THOUSAND = 10_000
PYTHON = {"python_durable": ("foldlog, sync", "SQLite, WAL, FULL"),
          "python_kill_safe": ("foldlog, interval", "SQLite, WAL, NORMAL")}


@dataclasses.dataclass(frozen=True)
class Row:
    group: str
    system: str
    arguments: tuple  # of the program, without the directory
    program: str = "peer_benchmark"
    variant: str = ""  # tells rows of one system in one group apart

    @property
    def key(self):
        return f"{self.group}/{self.system}" + (f" {self.variant}" if self.variant else "")


@dataclasses.dataclass(frozen=True)
class Size:
    """How much is measured: so much that figures settle, or so little that all of it takes three minutes."""
    seconds: float
    rounds: int
    stream: int
    stream_seconds: float
    reopen: tuple
    samples: int
    scan: int
    errors: tuple
    bytes_durable: int
    bytes_kill_safe: int
    old_run: tuple  # checkpoints, operations
    python_calls: int


FULL = Size(seconds=3, rounds=5, stream=10_000_000, stream_seconds=120, reopen=(TEN_THOUSAND, 20_000_000), samples=9,
            scan=5_000_000, errors=(0, 1000, TEN_THOUSAND, 100_000), bytes_durable=20_000, bytes_kill_safe=1_000_000,
            old_run=(2_000_000, 10_000), python_calls=10_000)
QUICK = Size(seconds=0.3, rounds=2, stream=500_000, stream_seconds=0.8, reopen=(TEN_THOUSAND, 200_000), samples=3,
             scan=200_000, errors=(0, 1000, TEN_THOUSAND), bytes_durable=300, bytes_kill_safe=200_000,
             old_run=(50_000, 200), python_calls=300)

# Groups whose preparation takes longer than what is measured; they have many samples in one run instead.
LONG = ("reopen", "scan", "old_run", "bytes")
LONG_ROUNDS = {5: 3, 2: 1}


def recording(systems, size):
    for system in systems:
        name = system["system"]
        if not system["singly"]:
            continue
        for level, threads in (("durable", 1), ("durable", 4), ("durable", 16), ("kill_safe", 1), ("kill_safe", 4)):
            if level in system["levels"] and (threads == 1 or system["many_threads"]):
                yield Row(f"{level}_{threads}", name,
                          ("--workload=record", f"--level={level}", f"--threads={threads}", f"--seconds={size.seconds}"))
        if "kill_safe" in system["levels"]:
            yield Row("kill_safe_paced", name, ("--workload=record", "--level=kill_safe", "--pace-ns=2000",
                                                f"--seconds={size.seconds}"))
            for errors in size.errors if system["keeps_errors"] else ():
                yield Row(f"errors_{errors}", name, ("--workload=record", "--level=kill_safe", f"--errors={errors}",
                                                     f"--seconds={size.seconds / 2}"))
        if not system["is_limit"]:
            for level, count in (("durable", size.bytes_durable), ("kill_safe", size.bytes_kill_safe)):
                if level in system["levels"]:
                    yield Row(f"bytes_{level}", name, ("--workload=bytes", f"--level={level}", f"--checkpoints={count}",
                                                       f"--seconds={size.stream_seconds}"))


def streams(systems, size):
    common = ("--workload=stream", f"--checkpoints={size.stream}", f"--seconds={size.stream_seconds}")
    for system in systems:
        name = system["system"]
        if not system["in_bulk"] or not (system["keeps_history"] or system["is_limit"]):
            continue
        for level in system["levels"]:
            group = "stream" if level == "kill_safe" else "stream_durable"
            yield Row(group, name, (*common, f"--level={level}", "--batch=1024"))
        if name == "foldlog":
            yield Row("stream", name, (*common, "--level=kill_safe", "--batch=1"), variant="one by one")


def readings(systems, size):
    for system in systems:
        name, level = system["system"], system["levels"][-1]
        if system["singly"] and system["in_bulk"]:
            for checkpoints in size.reopen:
                yield Row(f"reopen_{checkpoints}", name, ("--workload=reopen", f"--level={level}",
                                                          f"--checkpoints={checkpoints}", f"--samples={size.samples}"))
        if system["keeps_history"]:
            yield Row("scan", name, ("--workload=scan", f"--level={level}", f"--checkpoints={size.scan}",
                                     f"--samples={size.samples}"))
            checkpoints, operations = size.old_run
            yield Row("old_run", name, ("--workload=old_run", f"--level={level}", f"--checkpoints={checkpoints}",
                                        f"--operations={operations}", f"--samples={size.samples}"))
        if system["shared"]:
            yield Row("queries", name, ("--workload=queries", f"--level={level}", f"--seconds={size.seconds}"))


def python(size):
    for group, names in PYTHON.items():
        for name in names:
            yield Row(group, name, (f"--one={name}", f"--calls={size.python_calls}"), program="python_checkpoints.py")


def rows(systems, size, with_python=True):
    """All rows that these systems (as peer_benchmark --list has them) can do."""
    found = [*recording(systems, size), *streams(systems, size), *readings(systems, size)]
    return found + (list(python(size)) if with_python else [])


def is_long(row):
    return row.group.startswith(LONG)


def schedule(found, rounds, seed):
    """(row, round) in the order in which they run: in each round the groups in a random order, and in each group the
    systems, so that those that are compared are measured within minutes, and none always behind the same other."""
    chance = random.Random(seed)
    order = []
    for number in range(rounds):
        groups = {}
        for row in found:
            if number < (LONG_ROUNDS.get(rounds, rounds) if is_long(row) else rounds):
                groups.setdefault(row.group, []).append(row)
        names = sorted(groups)
        chance.shuffle(names)
        for name in names:
            chance.shuffle(groups[name])
            order += [(row, number) for row in groups[name]]
    return order


def identity(order, seed, *more):
    """A short name of exactly this list of measurements, with exactly these programs."""
    listed = [[row.key, number, row.program, row.arguments] for row, number in order]
    return hashlib.sha256(json.dumps([listed, seed, more]).encode()).hexdigest()[:16]
