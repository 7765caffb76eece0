"""Table and plots of a run of the benchmarks, from its raw.jsonl and machine.json. Measures nothing."""

import dataclasses
import json
import re
import statistics

import machine
import plots

# A column: its heading, the figure, and how a value is written.
RATE, TIME, BYTES, SHARE = "rate", "time", "bytes", "share"
LATENCY = (("mean", "mean_ns", TIME), ("p50", "p50_ns", TIME), ("p99", "p99_ns", TIME), ("p99.9", "p99.9_ns", TIME),
           ("p99.99", "p99.99_ns", TIME))
PER_SECOND = ("checkpoints/s", "per_second", RATE)


@dataclasses.dataclass(frozen=True)
class Section:
    groups: str  # a pattern
    title: str
    text: str
    columns: tuple
    main: str  # rows are sorted by it, and foldlog is compared by it
    more_is_better: bool = True


SECTIONS = (
    Section(r"durable_\d+", "Durable on return, threads: {}",
            "Each call returns when its checkpoint survives power loss. The writer is then killed.",
            (PER_SECOND, *LATENCY), "per_second"),
    Section(r"kill_safe_\d+", "Kill-safe on return, threads: {}",
            "Each call returns when its checkpoint survives the death of the process. The writer is then killed. How much power"
            " loss takes differs: see the promises below.",
            (PER_SECOND, *LATENCY), "mean_ns", False),
    Section("kill_safe_paced", "Kill-safe on return, one call in 2 µs",
            "As an indexer calls that has other work, too. Who can't keep the pace is called again at once.",
            LATENCY, "p99.9_ns", False),
    Section("stream", "A stream until durable, 1024 a call",
            "Until all of it survives power loss; at the end only, for those that have no other way.",
            (PER_SECOND, ("written/checkpoint", "written_bytes", BYTES), ("kept/checkpoint", "kept_bytes", BYTES)), "per_second"),
    Section("stream_durable", "A stream of durable calls, 1024 a call",
            "Each call returns when its 1024 checkpoints survive power loss.",
            (PER_SECOND, ("written/checkpoint", "written_bytes", BYTES)), "per_second"),
    Section(r"reopen_\d+", "The state after reopening, {} checkpoints",
            "Opening and reading the state, in a new process, with the files in memory: after a clean close, and after SIGKILL"
            " of a writer that had recorded 4000 more (200 where every checkpoint is durable).",
            (("after SIGKILL", "after_kill_us", TIME), ("after close", "after_close_us", TIME)), "after_kill_us", False),
    Section("scan", "A pass over everything", "Read, decoded and folded, one thread, with the files in memory.",
            (("checkpoints/s", "per_second", RATE),), "per_second"),
    Section(r"errors_\d+", "A kill-safe checkpoint of a run with {} errors", "",
            (PER_SECOND, ("mean", "mean_ns", TIME), ("p50", "p50_ns", TIME), ("p99", "p99_ns", TIME)), "mean_ns", False),
    Section("bytes_durable", "Bytes a checkpoint, durable on return",
            "To the device, by all writers of the machine; by the process, as the kernel counts pages.",
            (("device", "device_bytes", BYTES), ("process", "written_bytes", BYTES)), "device_bytes", False),
    Section("bytes_kill_safe", "Bytes a checkpoint, kill-safe on return",
            "The closing at the end counts, too. Kept: what the files take after it.",
            (("device", "device_bytes", BYTES), ("process", "written_bytes", BYTES), ("kept", "kept_bytes", BYTES)),
            "device_bytes", False),
    Section("queries", "The state, asked for by another process",
            "One process asks again and again while another records kill-safe checkpoints at full speed.",
            (("queries/s", "queries_per_second", RATE), ("query p50", "query_p50_ns", TIME), ("query p99", "query_p99_ns", TIME),
             ("writer alone", "alone_per_second", RATE), ("writer beside", "per_second", RATE), ("left", "share_left", SHARE)),
            "queries_per_second"),
    Section("old_run", "How one old run of many ended", "",
            (("answer", "answer_us", TIME), ("opening", "open_us", TIME)), "answer_us", False),
    Section("python_durable", "From Python, durable on return", "SQLite keeps the checkpoint as JSON in one row.",
            (("calls/s", "per_second", RATE), ("p50", "p50_ns", TIME), ("p99", "p99_ns", TIME)), "per_second"),
    Section("python_kill_safe", "From Python, kill-safe on return", "SQLite keeps the checkpoint as JSON in one row.",
            (("calls/s", "per_second", RATE), ("p50", "p50_ns", TIME), ("p99", "p99_ns", TIME)), "per_second"),
)


def shown(value, kind):
    if kind == SHARE:
        return f"{value:.0%}"
    steps = {RATE: ((1e6, " M"), (1e3, " k"), (1, "")), TIME: ((1e9, " s"), (1e6, " ms"), (1e3, " µs"), (1, " ns")),
             BYTES: ((1e6, " MB"), (1e3, " kB"), (1, " B"))}[kind]
    size, unit = next((step for step in steps if abs(value) >= step[0]), steps[-1])
    value /= size
    return f"{value:.0f}{unit}" if abs(value) >= 100 else f"{value:.3g}{unit}"


def in_ns(name, value):
    return value * 1000 if re.search(r"_us(_min|_max)?$", name) else value


class Results:
    """All measurements of a run, by row."""

    def __init__(self, place):
        self.lines = [json.loads(line) for line in (place / "raw.jsonl").read_text().splitlines()]
        self.by_row = {}
        for line in self.lines:
            self.by_row.setdefault((line["group"], line["system"], line["variant"]), []).append(line)
        self.failures = [line for line in self.lines if "failed" in line]

    def groups(self, pattern):
        found = {group for group, _, _ in self.by_row if re.fullmatch(pattern, group)}
        return sorted(found, key=lambda group: int(re.search(r"\d+$", group)[0]) if re.search(r"\d+$", group) else 0)

    def rows(self, group):
        return [key for key in self.by_row if key[0] == group]

    def values(self, row, figure):
        return [in_ns(figure, line["figures"][figure]) for line in self.by_row[row]
                if "figures" in line and figure in line["figures"]]

    def median(self, row, figure):
        values = self.values(row, figure)
        return statistics.median(values) if values else None

    def spread(self, row, figure):
        """The extremes: of the rounds, or, where there was one round only, of the samples in it."""
        low = self.values(row, figure + "_min") or self.values(row, figure)
        high = self.values(row, figure + "_max") or self.values(row, figure)
        return min(low), max(high)

    def best_limit(self):
        """Checkpoints a second of the better of the durable limits."""
        rates = [self.median(row, "per_second") for row in self.rows("durable_1") if row[1].startswith("limit_")]
        return max((rate for rate in rates if rate), default=None)


def cell(results, row, figure, kind):
    median = results.median(row, figure)
    if median is None:
        return "–"
    low, high = results.spread(row, figure)
    text = shown(median, kind)
    return text if low == high else f"{text} ({shown(low, kind)} – {shown(high, kind)})"


def title_of(section, group):
    number = re.search(r"\d+$", group)
    return section.title.format(f"{int(number[0]):,}" if number else "")


def table(results, section, group):
    rows = [row for row in results.rows(group) if results.median(row, section.main) is not None]
    rows.sort(key=lambda row: results.median(row, section.main), reverse=section.more_is_better)
    own = next((row for row in rows if row[1].startswith("foldlog") and not row[2]), None)
    limit = results.best_limit() if group.startswith("durable_") else None
    heads = ["", *(head for head, _, _ in section.columns), "foldlog is better by", *(["of the limit"] if limit else [])]
    yield "| " + " | ".join(heads) + " |"
    yield "|---|" + "---:|" * (len(heads) - 1)
    for row in rows:
        name = f"{row[1]} {row[2]}".strip()
        cells = [f"**{name}**" if row == own else name]
        cells += [cell(results, row, figure, kind) for _, figure, kind in section.columns]
        value = results.median(row, section.main)
        ratio = ""
        if own and row != own:
            mine = results.median(own, section.main)
            ratio = f"{mine / value if section.more_is_better else value / mine:.3g}"
        cells.append(ratio)
        if limit:
            cells.append(f"{results.median(row, 'per_second') / limit:.2f}")
        yield "| " + " | ".join(cells) + " |"


def head(results, found):
    disk = found["disk"] or {}
    yield f"# foldlog and its peers, {found['date']}" + (" (quick)" if found.get("kind") == "quick" else "")
    yield ""
    yield (f"Revision {found['revision']}; {found['processor']['processors']} × {found['processor']['model']}"
           f"{', virtual' if found['processor']['hypervisor'] else ''}; {found['memory_bytes'] / 2**30:.0f} GiB; {found['kernel']};"
           f" {found['file_system']['type']} ({found['file_system']['options']});"
           f" disk {disk.get('model') or disk.get('name') or 'unknown'}, cache {disk.get('write_cache') or 'unknown'},"
           f" FUA {disk.get('fua') or 'unknown'}; {found['compiler']}, {found['build_type']} {found['flags']};"
           f" seed {found['seed']}, {found['measurements']} measurements.")
    yield ""
    for warning in machine.warnings(found):
        yield f"**Warning: {warning}.**"
        yield ""
    disturbed = [line for line in results.lines if line.get("others_share", 0) > machine.BUSY_SHARE]
    if disturbed:
        yield (f"**Warning: others took more than {machine.BUSY_SHARE:.0%} of the processors during {len(disturbed)} of"
               f" {len(results.lines)} measurements.**")
        yield ""
    for line in results.failures:
        yield f"**Failed: {line['row']}, round {line['round']}: {line['failed']}**"
        yield ""
    yield ("Medians of the rounds, with the least and the greatest in brackets. bench/README.md says what each row means. Figures of one table"
           " compare; those of two runs don't.")


def settings(results):
    yield "## What was set, and what is promised"
    yield ""
    yield "| system | version | level | settings | promise |"
    yield "|---|---|---|---|---|"
    seen = {}
    for line in results.lines:
        if "settings" in line:
            seen.setdefault((line["system"], line["level"]), line)
    for (system, level), line in sorted(seen.items()):
        yield f"| {system} | {line['version']} | {level} | {line['settings'].replace('|', '&#124;')} | {line['promise']} |"


def write(place):
    """Writes table.md and the plots. Returns the number of failed measurements."""
    results = Results(place)
    found = json.loads((place / "machine.json").read_text())
    lines = list(head(results, found))
    for section in SECTIONS:
        for group in results.groups(section.groups):
            lines += ["", f"## {title_of(section, group)}", "", *([section.text, ""] if section.text else []),
                      *table(results, section, group)]
    lines += ["", *settings(results)]
    (place / "table.md").write_text("\n".join(lines) + "\n")
    plots.draw(results, place)
    return len(results.failures)
