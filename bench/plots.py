"""The plots of a run of the benchmarks, as SVG by gnuplot: on white, so that they can be read in print and in any
browser, in colours and marks that are told apart without colour, too."""

import shutil
import subprocess
import sys

COLOURS = ("#000000", "#d55e00", "#e69f00", "#a6761d", "#0072b2", "#56b4e9", "#009e73", "#cc79a7", "#7570b3", "#888888")
BARS = ("#0072b2", "#e69f00", "#404040")  # as dark as each other in no pair
SETUP = """
set terminal svg size 960,480 background rgb 'white' font 'sans-serif,13' linewidth 1.4 enhanced
set encoding utf8
set border 3 linecolor rgb '#404040'
set tics nomirror textcolor rgb '#202020'
set grid ytics linecolor rgb '#d0d0d0' linetype 1 linewidth 0.5
set key outside right top
set style fill solid 0.85 border rgb '#202020'
set style data histograms
set boxwidth 0.9
set xtics rotate by -30
"""


def label(row):
    return f"{row[1]} {row[2]}".strip().replace("_", " ")


def threads_of(group):
    number = group.rsplit("_", 1)[1]
    return {"1": "1 thread", "paced": "1 thread, one call in 2 µs"}.get(number, f"{number} threads")


def quoted(text):
    return '"' + text.replace('"', "'") + '"'


def run(place, name, title, commands):
    script = f"{SETUP}\nset output '{name}.svg'\nset title {quoted(title)}\n{commands}\n"
    done = subprocess.run(["gnuplot"], input=script, cwd=place, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        print(f"gnuplot, {name}: {done.stderr.strip()}", file=sys.stderr)


def block(name, lines):
    return f"${name} << EOD\n" + "\n".join(lines) + "\nEOD\n"


def sorted_rows(results, group, figure, more_is_better):
    rows = [row for row in results.rows(group) if results.median(row, figure)]
    return sorted(rows, key=lambda row: results.median(row, figure), reverse=more_is_better)


def bars(results, place, name, title, axis, series, more_is_better=True, log=True):
    """Clusters of bars with their spread: a cluster for each system, a bar for each (group, figure, label, unit)."""
    group, figure, _, _ = series[0]
    rows = sorted_rows(results, group, figure, more_is_better)
    if not rows:
        return
    data = ""
    parts = []
    for number, (group, figure, text, unit) in enumerate(series):
        lines = []
        for row in rows:
            own = (group, *row[1:])
            there = own in results.by_row and results.median(own, figure)
            low, high = results.spread(own, figure) if there else (0, 0)
            values = [results.median(own, figure), low, high] if there else None
            lines.append(quoted(label(row)) + " " + (" ".join(str(value / unit) for value in values) if values else "NaN NaN NaN"))
        data += block(f"S{number}", lines)
        parts.append(f"$S{number} using 2:3:4:xtic(1) title {quoted(text)} linecolor rgb '{BARS[number]}'")
    run(place, name, title, data + "set style histogram errorbars gap 1 linewidth 1\n" + ("set logscale y\n" if log else "set yrange [0:*]\n") +
        f"set ylabel {quoted(axis)}\nset format y '%.0s %c'\nplot " + ", ".join(parts))


def curves(results, place, name, title, axes, points):
    """A line for each system. `points` are (x, tic, group, figure); both axes are logarithmic, or x one of names."""
    systems = sorted({row[1:] for _, _, group, _ in points for row in results.rows(group)})
    systems.sort(key=lambda system: system[0] != "foldlog")
    data = ""
    parts = []
    for number, system in enumerate(systems):
        lines = []
        for x, _, group, figure in points:
            row = (group, *system)
            value = results.median(row, figure) if row in results.by_row else None
            if value:
                lines.append(f"{x} {value / 1e9}")
        if lines:
            data += block(f"S{number}", lines)
            width = 3 if system[0] == "foldlog" else 1.2
            parts.append(f"$S{number} using 1:2 with linespoints title {quoted(label(('', *system)))} linewidth {width}"
                         f" pointtype {number % 13 + 4} linecolor rgb '{COLOURS[number % len(COLOURS)]}'")
    if not parts:
        return
    tics = ", ".join(f"{quoted(tic)} {x}" for x, tic, _, _ in points)
    run(place, name, title, data + f"set logscale y\nset format y '%.0s %cs'\nset xlabel {quoted(axes[0])}\n"
        f"set ylabel {quoted(axes[1])}\nset xtics norotate ({tics})\nset xrange [-0.2:{len(points) - 0.8}]\nplot " + ", ".join(parts))


def draw(results, place):
    if shutil.which("gnuplot") is None:
        print("no plots: gnuplot is missing", file=sys.stderr)
        return
    threads = results.groups(r"durable_\d+")
    if threads:
        bars(results, place, "durable", "Durable on return", "checkpoints a second",
             [(group, "per_second", threads_of(group), 1) for group in threads])
    for group in ("kill_safe_1", "kill_safe_4", "kill_safe_paced"):
        curves(results, place, group, "Kill-safe on return: " + threads_of(group), ("share of the calls that took no longer", "time of a call"),
               [(x, figure.removesuffix("_ns"), group, figure)
                for x, figure in enumerate(("p50_ns", "p99_ns", "p99.9_ns", "p99.99_ns"))])
    bars(results, place, "stream", "A stream until durable", "checkpoints a second",
         [("stream", "per_second", "durable at the end", 1), ("stream_durable", "per_second", "each call durable", 1)])
    for group in results.groups(r"reopen_\d+"):
        bars(results, place, group, f"Opening and reading the state, {int(group.removeprefix('reopen_')):,} checkpoints",
             "seconds", [(group, "after_kill_us", "after SIGKILL", 1e9), (group, "after_close_us", "after a close", 1e9)], False)
    bars(results, place, "scan", "A pass over everything", "checkpoints a second", [("scan", "per_second", "one thread", 1)])
    curves(results, place, "errors", "A checkpoint while the run gathers errors", ("errors so far", "mean time of a call"),
           [(x, f"{int(group.removeprefix('errors_')):,}", group, "mean_ns")
            for x, group in enumerate(results.groups(r"errors_\d+"))])
    bars(results, place, "bytes", "Bytes a checkpoint, kill-safe on return", "bytes",
         [("bytes_kill_safe", "device_bytes", "to the device", 1), ("bytes_kill_safe", "kept_bytes", "kept", 1)], False)
    bars(results, place, "queries", "Status queries from another process", "a second",
         [("queries", "queries_per_second", "queries", 1), ("queries", "alone_per_second", "writer alone", 1),
          ("queries", "per_second", "writer beside the queries", 1)])
