"""Measures foldlog beside its peers and the limits of the machine; tools/bench calls it.

    /usr/bin/python3 bench/run.py [--quick] [--seed N]

A run can be stopped (Ctrl-C, kill, power cut) and goes on where it was when it is started again: how far it is stands in
a foldlog log, build/bench/progress.foldlog. Results go to bench/results/<date>/: machine.json, raw.jsonl with a line for
each measurement, table.md, and plots. Exit status: 0 done, 1 a check failed, 2 wrong usage, 5 stopped before the end.
"""

import argparse
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import machine
import plan
import report

SOURCE = pathlib.Path(__file__).resolve().parent.parent
STOPPED = 5
LONGEST_S = {"quick": 60, "full": 1800}  # of one measurement; what takes longer hangs
QUICK_S = 165  # then no later round of a row is begun


class Progress:
    """How far the run is, in a foldlog log: an operation whose files are measurements."""

    def __init__(self, program, log):
        self.command = [str(program), "--log", str(log)]

    def call(self, *arguments, check=True):
        done = subprocess.run([*self.command, *arguments, "--json"], capture_output=True, text=True, check=False)
        if check and done.returncode != 0:
            sys.exit(f"foldlog {arguments[0]}: {done.stderr.strip()}")
        return json.loads(done.stdout) if done.returncode == 0 else None

    def begin(self, identity, total, name):
        """Starts, or goes on with the run of that identity. Returns how many measurements are done, and where their
        results are."""
        status = self.call("status", check=False) or {"status": "idle"}
        if status["status"] in ("in_progress", "paused"):
            if status["metadata"].get("plan") == identity:
                self.call("resume", "--reason", "the benchmarks were started again")
                return status["files_processed"], status["metadata"]["results"]
            if status["owner_fate"] == "alive" and status["status"] == "in_progress":
                sys.exit("another run of the benchmarks is under way")
            self.call("reset", "--reason", "the plan or the programs have changed")
        self.call("start", "--total", str(total), "--meta", f"plan={identity}", "--meta", f"results={name}")
        return 0, name

    def checkpoint(self, done, key):
        self.call("checkpoint", "--files", str(done), "--last", key)

    def pause(self):
        self.call("pause", "--reason", "stopped", check=False)

    def complete(self, failed):
        self.call("complete", "--stat", f"failed={failed}")


def measure(row, options):
    """One measurement: the program's own line of JSON, or what it said instead."""
    if row.program == "peer_benchmark":
        command = [str(options.build / row.program), f"--system={row.system}", f"--directory={options.scratch}"]
    else:
        command = [sys.executable, "-B", str(SOURCE / "bench" / row.program)]
    environment = {**os.environ, "PYTHONPATH": str(options.build / "python")}
    longest = LONGEST_S["quick" if options.quick else "full"]
    with subprocess.Popen([*command, *row.arguments], cwd=options.scratch, env=environment, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True) as child:
        try:
            out, err = child.communicate(timeout=longest)
        except BaseException as stopped:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
            clean(options.scratch)
            if isinstance(stopped, subprocess.TimeoutExpired):
                return {"failed": f"took longer than {longest} s"}
            raise
    if child.returncode != 0:
        return {"failed": err.strip().replace(str(options.scratch), "DIR")[-500:] or f"exit status {child.returncode}"}
    return json.loads(out)


def clean(directory):
    subprocess.run(["rm", "-rf", "--", *map(str, directory.glob("*"))], check=False)


def headline(result):
    if "failed" in result:
        return "FAILED: " + result["failed"]
    figures = result["figures"]
    name = next((name for name in ("per_second", "after_kill_us", "answer_us") if name in figures), None)
    return f"{name} {figures[name]:,.0f}" if name else ""


def keep_first(path, lines):
    """Of a file, only so many whole lines: what comes behind them was not yet counted as done."""
    text = path.read_text() if path.exists() else ""
    kept = text.splitlines(keepends=True)[:lines]
    if len(kept) < lines:
        sys.exit(f"{path.name} has lost results that were counted as done; remove build/bench to start over")
    path.write_text("".join(kept))


def fresh_name(results, kind):
    """Today's, with a number if today has results already."""
    name = time.strftime("%Y-%m-%d", time.gmtime()) + ("-quick" if kind == "quick" else "")
    names = [name, *(f"{name}.{number}" for number in range(2, 1000))]
    return next(name for name in names if not (results / name).exists())


def note_machine(place, found):
    (place / "machine.json").write_text(json.dumps(found, indent=2) + "\n")


def run(order, options, progress, identity, found):
    done, name = progress.begin(identity, len(order), fresh_name(options.results, "quick" if options.quick else "full"))
    place = options.results / name
    place.mkdir(parents=True, exist_ok=True)
    note_machine(place, found)  # for --report, if it is stopped
    keep_first(place / "raw.jsonl", done)
    if done:
        print(f"Going on behind {done} of {len(order)} measurements", flush=True)
    start = time.monotonic()
    left_out = 0
    with open(place / "raw.jsonl", "a", encoding="utf-8") as raw:
        for number, (row, turn) in enumerate(order[done:], done + 1):
            if options.quick and turn > 0 and time.monotonic() - start > QUICK_S:
                left_out = len(order) - number + 1
                break
            others = machine.Others()
            result = {**measure(row, options), "others_share": round(others.share(), 3)}
            raw.write(json.dumps({"row": row.key, "group": row.group, "system": row.system, "variant": row.variant,
                                  "round": turn, "arguments": row.arguments, **result}) + "\n")
            raw.flush()
            os.fsync(raw.fileno())
            progress.checkpoint(number, f"{row.key}/{turn}")
            print(f"[{number}/{len(order)}] {time.monotonic() - start:6.0f} s  {row.key}: {headline(result)}", flush=True)
    if left_out:
        print(f"The time is over: {left_out} repetitions were left out")
    return place


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--quick", action="store_true", help="three minutes, for a first impression")
    parser.add_argument("--rounds", type=int, help="how often each row is measured")
    parser.add_argument("--seed", type=int, default=1, help="of the order of the rows")
    parser.add_argument("--only", default="", help="these groups, with commas between them")
    parser.add_argument("--build", type=pathlib.Path, default=SOURCE / "build/release")
    parser.add_argument("--results", type=pathlib.Path, default=SOURCE / "bench/results")
    parser.add_argument("--work", type=pathlib.Path, default=SOURCE / "build/bench",
                        help="progress and scratch files: on the disk that is measured")
    parser.add_argument("--systems", help="only these, with commas between them")
    parser.add_argument("--report", metavar="DIR", type=pathlib.Path, help="only table and plots, of results that are there")
    return parser.parse_args()


def choose(systems, options):
    size = plan.QUICK if options.quick else plan.FULL
    wanted = options.systems.split(",") if options.systems else None
    systems = [system for system in systems if wanted is None or system["system"] in wanted]
    found = plan.rows(systems, size, with_python=wanted is None and (options.build / "python").exists())
    found = [row for row in found if not options.only or row.group in options.only.split(",")]
    order = plan.schedule(found, options.rounds or size.rounds, options.seed)
    program = (options.build / "peer_benchmark").stat()
    return order, plan.identity(order, options.seed, program.st_size, program.st_mtime_ns)


def main():
    options = arguments()
    if options.report:
        report.write(options.report)
        return 0
    options.build, options.work = options.build.resolve(), options.work.resolve()
    options.scratch = options.work / "scratch"
    options.scratch.mkdir(parents=True, exist_ok=True)
    clean(options.scratch)
    listed = subprocess.run([str(options.build / "peer_benchmark"), "--list"], stdout=subprocess.PIPE, text=True, check=True)
    systems = [json.loads(line) for line in listed.stdout.splitlines()]
    order, identity = choose(systems, options)
    if not order:
        sys.exit("no row is to be measured")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    found = machine.describe(options.work, options.build, SOURCE, systems)
    for warning in machine.warnings(found):
        print(f"Warning: {warning}", file=sys.stderr)
    found.update(seed=options.seed, kind="quick" if options.quick else "full", measurements=len(order))
    progress = Progress(options.build / "foldlog", options.work / "progress.foldlog")
    try:
        place = run(order, options, progress, identity, found)
    except KeyboardInterrupt:
        progress.pause()
        print("Stopped; start it again to go on", file=sys.stderr)
        return STOPPED
    found.update(load_at_end=[round(value, 2) for value in os.getloadavg()])
    note_machine(place, found)
    failed = report.write(place)
    progress.complete(failed)
    print(f"Results are in {os.path.relpath(place)}: table.md, plots, raw.jsonl, machine.json")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
