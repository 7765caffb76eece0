"""Counts the instructions that an event costs, and compares them with instruction_counts.json.

    instruction_counts.py COUNTED_WORK            fails if a count is off by more than the tolerance
    instruction_counts.py COUNTED_WORK --accept   writes what it counts: look at the difference, and commit it

Times depend on the machine's mood, and instructions do not: a few more of them in a path that is taken millions of times
show here before they show in a benchmark. They leave out what waiting costs, for memory, for a lock or for the disk: the
benchmarks have that.

Each kind of work runs once, under callgrind, which counts what the main thread does within Counted().
"""

import argparse
import json
import pathlib
import re
import resource
import shutil
import subprocess
import sys
import tempfile

ACCEPTED = pathlib.Path(__file__).with_suffix(".json")
EVENTS = 4_000  # fewer than the writer's drain takes out of the tail by itself

# The C library chooses its copying functions by the processor.
TOLERANCE = 0.04

KINDS = ("encode", "append_in_memory", "append", "fold", "index", "open", "scan")

# What makes the log that a kind needs. What opening costs grows with what is in the tail, which a closed log leaves empty.
PREPARED_BY = {"open": "die", "scan": "append"}


# valgrind can't give a log's database all of the address space that it takes where there is no limit.
ADDRESS_SPACE_BYTES = 64 << 30


def limit_address_space():
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE_BYTES, ADDRESS_SPACE_BYTES))


def run(command):
    done = subprocess.run(command, capture_output=True, text=True, check=False, preexec_fn=limit_address_space)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))} failed:\n{done.stderr}")
    return done


def instructions(program, kind, directory):
    """Of one event."""
    log = directory / kind
    if kind in PREPARED_BY:
        run([program, PREPARED_BY[kind], str(EVENTS), log])
    done = run(["valgrind", "--tool=callgrind", "--toggle-collect=*Counted*", "--callgrind-out-file=/dev/null", program,
                kind, str(EVENTS), log])
    return round(int(re.search(r"Collected : (\d+)", done.stderr).group(1)) / EVENTS, 1)


def count(program):
    with tempfile.TemporaryDirectory(dir=".") as name:
        directory = pathlib.Path(name).resolve()
        return {kind: instructions(program, kind, directory) for kind in KINDS}


def differences(counts, accepted):
    """A line for each count that is not the accepted one."""
    for kind in sorted(counts.keys() | accepted.keys()):
        now, then = counts.get(kind), accepted.get(kind)
        if now is None or then is None:
            yield f"{kind}: counted {now}, accepted {then}"
        elif abs(now - then) > TOLERANCE * then:
            yield f"{kind}: {now} instructions an event, accepted are {then} ({now / then - 1:+.1%})"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("--accept", action="store_true")
    arguments = parser.parse_args()
    if not shutil.which("valgrind"):
        sys.exit("valgrind is not installed")
    counts = count(arguments.program.resolve())
    for kind, value in counts.items():
        print(f"{kind:18}{value:8}")
    if arguments.accept:
        ACCEPTED.write_text(json.dumps(counts, indent=2) + "\n")
        return
    off = list(differences(counts, json.loads(ACCEPTED.read_text())))
    if off:
        sys.exit("\n".join([*off, "If that is meant: instruction_counts.py COUNTED_WORK --accept"]))


if __name__ == "__main__":
    main()
