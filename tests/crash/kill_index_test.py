"""Kills `foldlog index` with SIGKILL at many random moments of one run, and holds the outcome against an undisturbed run.

usage: kill_index_test.py FOLDLOG_PROGRAM [KILLS]     (100 kills in the middle of the operation unless told otherwise)

At the end: the catalog equals that of the undisturbed run, the log has no gap, every error was recorded once, and the
history counts every interruption. The seed is printed; FOLDLOG_TEST_SEED repeats a run.
"""
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

PROGRAM = os.path.abspath(sys.argv[1])
KILLS = int(sys.argv[2]) if len(sys.argv) > 2 else 100
SEED = int(os.environ.get("FOLDLOG_TEST_SEED", random.randrange(2**32)))
random.seed(SEED)
print(f"FOLDLOG_TEST_SEED={SEED}, {KILLS} kills", flush=True)

# One file a batch makes the run long in commits, which is where a kill can hurt, and short in everything else.
FILES = 60 * KILLS
BATCH = "1"


def make_tree(root):
    rng = random.Random(1)
    for number in range(FILES):
        folder = os.path.join(root, f"d{number % 17}", f"e{number % 5}")
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, f"file {number}\n\"x\""), "wb") as file:
            file.write(rng.randbytes(rng.randrange(3000)))
    with open(os.path.join(os.fsencode(root), b"not utf-8 \xff\xfe"), "wb") as file:
        file.write(b"x")


def index(root, log, catalog, **options):
    command = [PROGRAM, "--log", log, "index", root, "--catalog", catalog, "--batch", BATCH, "--quiet"]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **options)


def query(log, *arguments):
    done = subprocess.run([PROGRAM, "--log", log, *arguments, "--json"], capture_output=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def rows(catalog):
    with sqlite3.connect(catalog) as database:
        return database.execute("SELECT path, size, mtime_ns, xxh3 FROM files ORDER BY path").fetchall()


def run_to_the_end(process):
    error = process.communicate()[1]
    assert process.returncode == 0, f"exit {process.returncode}: {error.decode(errors='replace')}"


def kill_again_and_again(root, log, catalog):
    """Starts the indexer again and again until KILLS lives were ended in the middle of the operation.

    A life that is killed before it has taken the operation over interrupts nothing, so the fencing epoch tells which
    kills count. Returns the number of all kills.
    """
    kills = interruptions = epoch = 0
    life_s = 0.03
    while interruptions < KILLS:
        process = index(root, log, catalog)
        try:
            process.wait(timeout=random.uniform(0, life_s))
            raise AssertionError(f"the run ended after {kills} kills with {process.stderr.read()}: make the tree larger")
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
        kills += 1
        if not os.path.exists(os.path.join(log, "log.mdb")):
            life_s *= 1.1  # creating a log writes its whole tail
            continue
        status = query(log, "status")[0]
        assert status["interrupted"] == (status["epoch"] > 0), status
        interrupted = status["epoch"] > epoch
        interruptions += interrupted
        epoch = status["epoch"]
        # Longer lives on a slow disk, shorter ones on a fast: about half of the tree by the last kill, so that a
        # sudden change of the machine's load does not end the run too early.
        due = 0.5 * FILES * interruptions / KILLS
        life_s *= 1.1 if not interrupted else min(1.1, max(0.3, (due + 1) / (status["files_processed"] + 1)))
    return kills


def check(log, catalog, undisturbed):
    assert rows(catalog) == rows(undisturbed), "the catalog differs from that of the undisturbed run"
    events = query(log, "events")
    assert [event["sequence"] for event in events] == list(range(1, len(events) + 1)), "a gap in the log"
    progress = [event["files_processed"] for event in events if event["kind"] == "checkpoint"]
    assert progress == sorted(progress) and progress[-1] == FILES + 1, f"progress went back, or ended at {progress[-1]}"
    entry = query(log, "history")[0]
    recovered = [event for event in events if event["kind"] == "recovered"]
    assert {event["evidence"] for event in recovered} == {"process_died"}
    assert entry["interruptions"] == len(recovered)
    assert len(recovered) == KILLS, f"{KILLS} kills in the middle of the operation, but {len(recovered)} recoveries"
    assert entry["files_processed"] == FILES + 1 and entry["status"] == "completed"
    assert entry["stats"]["files"] == FILES + 1, entry["stats"]


def main():
    place = tempfile.mkdtemp(prefix="kill_index_", dir=os.getcwd())
    try:
        root, log = os.path.join(place, "tree"), os.path.join(place, "log")
        catalog, undisturbed = os.path.join(place, "catalog.db"), os.path.join(place, "undisturbed.db")
        make_tree(root)
        run_to_the_end(index(root, os.path.join(place, "undisturbed.log"), undisturbed))
        begun = time.monotonic()
        kills = kill_again_and_again(root, log, catalog)
        run_to_the_end(index(root, log, catalog))
        check(log, catalog, undisturbed)
        print(f"{kills} kills, {KILLS} of them in the middle of the operation, {FILES + 1} files, "
              f"{time.monotonic() - begun:.1f} s: the catalog and the log are whole")
    finally:
        shutil.rmtree(place)


if __name__ == "__main__":
    main()
