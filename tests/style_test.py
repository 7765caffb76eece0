"""The rules of CONTRIBUTING.md that a machine can keep, so that they cost no reader.

usage: style_test.py ROOT     (the source tree)

Each rule is also tried on a tree made to break it: a rule that finds nothing there fails.
"""
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

LINES_MAX = 450
FUNCTION_LINES_MAX = 45

# What a folder may include besides itself and the public headers. A file may be named where its folder would be too much.
LAYERS = {
    "engine/base": [],
    "engine/json": ["engine/base"],
    "engine/codec": ["engine/base", "engine/checkpoint_view.h"],
    "engine": ["engine/base", "engine/codec", "engine/json"],
    "engine/log/store/lmdb": ["engine/base", "engine/codec"],
    "engine/log/store": ["engine/base", "engine/codec", "engine/log/store/lmdb", "engine/log/frame_run.h"],
    "engine/log/tail": ["engine/base", "engine/codec", "engine/log/frame_run.h"],
    "engine/log/writer": ["engine/base", "engine/log/store", "engine/log/tail", "engine/log/frame_run.h",
                          "engine/log/wait_for_more.h"],
    "engine/log": ["engine/base", "engine/codec", "engine/log/store", "engine/log/tail", "engine/log/writer"],
    "engine/index": ["engine", "engine/base", "engine/codec"],
    "engine/retention": ["engine", "engine/base", "engine/codec", "engine/index"],
    "engine/projection": ["engine", "engine/base", "engine/codec", "engine/index", "engine/json"],
    "replay": ["engine", "engine/base", "engine/codec", "engine/index", "engine/json", "replay/report"],
    "replay/backup": ["engine/base", "engine/codec", "engine/log", "engine/log/store/batch.h", "engine/missing_events.h"],
    "replay/report": ["engine", "engine/base", "engine/json"],
    "replay/verify": ["engine", "engine/base", "engine/codec", "engine/index", "engine/log/store",
                      "engine/log/store/lmdb", "engine/log/tail", "engine/log/frame_run.h", "replay/processors.h"],
    "replay/salvage": ["engine/base", "engine/codec", "engine/index", "engine/log/store", "engine/log/store/lmdb",
                       "engine/log/tail", "engine/log/frame_run.h", "engine/log/copy_writer.h"],
    "replay/sql": ["engine", "engine/base", "engine/json", "replay/report"],
}
LMDB_ROOM = "engine/log/store/lmdb/env.h"
THIRD_PARTY = re.compile(r'#include [<"](lmdb|capnp|kj|sqlite3|nlohmann|lz4|xxhash|CLI)\b')

# Units whose claims stand in the test of another name.
TESTED_ELSEWHERE = {
    "engine/base/address_space": "tests/scenarios/system_limits_test.cc",
    "engine/base/background_thread": "tests/log/writer/interval_flush_test.cc",
    "engine/base/fork_guard": "tests/scenarios/processes_test.cc",
    "engine/base/mapping": "tests/log/tail/shared_test.cc",
    "engine/base/random_bytes": "tests/log/log_directory_test.cc",
    "engine/base/saturated": "tests/engine/elapsed_test.cc",
    "engine/base/status_macros": "tests/base/file_system_test.cc",
    "engine/base/text": "tests/engine/transition_test.cc",
    "engine/base/word_hash": "tests/log/store/snapshot_cache_test.cc",
    "engine/checkpoint_view": "tests/codec/checkpoint_codec_test.cc",
    "engine/codec/codec_parts": "tests/codec/event_codec_test.cc",
    "engine/gaps": "tests/replay/verify/beyond_damage_test.cc",
    "engine/codec/damage_advice": "tests/codec/frame_reader_test.cc",
    "engine/index/row_hash": "tests/index/batch_summary_test.cc",
    "engine/event_reader": "tests/engine/fold_test.cc",
    "engine/log/frame_run": "tests/log/event_log_test.cc",
    "engine/log/log_files": "tests/log/log_directory_test.cc",
    "engine/log/memory_log": "tests/log/event_log_test.cc",
    "engine/log/wait_for_more": "tests/log/event_log_test.cc",
    "engine/log/store/create": "tests/log/store/store_test.cc",
    "engine/log/store/moment": "tests/log/store/log_file_test.cc",
    "engine/log/store/pruned_part": "tests/log/store/pruning_test.cc",
    "engine/log/store/base_record": "tests/log/store/pruning_test.cc",
    "engine/log/store/records": "tests/log/store/store_test.cc",
    "engine/log/store/stored_log": "tests/index/event_indexer_test.cc",
    "engine/log/store/lmdb/env": "tests/log/store/store_test.cc",
    "engine/log/store/lmdb/file": "tests/log/store/lmdb/check_test.cc",
    "engine/log/store/lmdb/map_bytes": "tests/scenarios/system_limits_test.cc",
    "engine/log/store/lmdb/page": "tests/log/store/lmdb/check_test.cc",
    "engine/log/store/lmdb/repair": "tests/scenarios/lmdb_damage_test.cc",
    "engine/log/store/lmdb/tree": "tests/log/store/lmdb/check_test.cc",
    "engine/log/tail/file": "tests/scenarios/tail_damage_test.cc",
    "engine/missing_events": "tests/scenarios/tail_damage_test.cc",
    "engine/owner_facts": "tests/engine/owner_test.cc",
    "engine/retention/policy": "tests/retention/prune_test.cc",
    "engine/projection/row_table": "tests/projection/sqlite_mirror_test.cc",
    "engine/projection/row_text": "tests/projection/single_row_test.cc",
    "engine/projection/sqlite": "tests/projection/sqlite_mirror_test.cc",
    "engine/projection/sqlite_reading": "tests/projection/sqlite_mirror_test.cc",
    "replay/sql/event_tables": "tests/replay/sql/virtual_table_test.cc",
    "replay/sql/extension": "tests/cli/sql_test.py",
    "replay/sql/operation_row": "tests/replay/sql/virtual_table_test.cc",
    "replay/sql/run_tables": "tests/replay/sql/virtual_table_test.cc",
    "replay/sql/session": "tests/replay/sql/virtual_table_test.cc",
    "replay/sql/sqlite_api": "tests/replay/sql/virtual_table_test.cc",
    "replay/sql/table": "tests/replay/sql/virtual_table_test.cc",
    "engine/projection/sqlite_source": "tests/cli/sqlite_reading_test.py",
    "replay/backup/restore": "tests/replay/backup/backup_test.cc",
    "replay/backup/streams": "tests/replay/backup/backup_test.cc",
    "replay/salvage/chains": "tests/replay/salvage/salvage_test.cc",
    "replay/salvage/found_log": "tests/replay/salvage/salvage_test.cc",
    "replay/salvage/pruned_past": "tests/replay/verify/pruned_test.cc",
    "replay/salvage/search": "tests/replay/salvage/salvage_test.cc",
    "replay/verify/base_check": "tests/replay/verify/pruned_test.cc",
    "replay/verify/batch_check": "tests/replay/verify/findings_test.cc",
    "replay/verify/chain_check": "tests/replay/verify/findings_test.cc",
    "replay/verify/derived_check": "tests/replay/verify/findings_test.cc",
    "replay/verify/part_check": "tests/replay/verify/findings_test.cc",
    "replay/verify/store_survey": "tests/replay/verify/findings_test.cc",
    "replay/verify/tail_check": "tests/replay/verify/findings_test.cc",
    "replay/event_filter": "tests/replay/event_query_test.cc",
    "replay/event_search": "tests/replay/event_query_test.cc",
    "replay/event_source": "tests/replay/event_query_test.cc",
    "replay/history_filter": "tests/replay/history_test.cc",
    "replay/history_scan": "tests/replay/history_test.cc",
    "replay/history_source": "tests/replay/history_test.cc",
    "replay/event_operation": "tests/replay/replayer_test.cc",
    "replay/processors": "tests/replay/scan_test.cc",
    "replay/json_event": "tests/replay/json_lines_test.cc",
    "replay/json_line": "tests/replay/json_lines_test.cc",
    "replay/json_lines_export": "tests/replay/json_lines_test.cc",
    "replay/json_lines_import": "tests/replay/json_lines_test.cc",
    "replay/report/fields": "tests/cli/render_json_test.cc",
    "replay/report/json_sink": "tests/cli/render_json_test.cc",
    "replay/report/log_view": "tests/cli/query_test.py",
    "replay/report/objects": "tests/cli/render_json_test.cc",
    "replay/report/pulse": "tests/cli/render_text_test.cc",
    "replay/report/sink": "tests/cli/render_json_test.cc",
    "replay/report/text": "tests/cli/text_test.cc",
    "replay/indexed_history": "tests/replay/history_test.cc",
    "replay/operation_finder": "tests/replay/event_query_test.cc",
}

NO_FUNCTION = re.compile(r"\s*(namespace|class|struct|union|enum|extern|template .*(class|struct))\b")


def sources(root, *folders):
    for folder in folders:
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in (".h", ".cc", ".py") and path.is_file():
                yield path


def long_files(root):
    for path in sources(root, "engine", "replay", "tools", "tests", "bench"):
        lines = len(path.read_bytes().splitlines())
        if lines > LINES_MAX:
            yield f"{path.relative_to(root)} has {lines} lines; the limit is {LINES_MAX}"


def long_functions(root):
    """By clang-format's layout: a block ends at the first closing brace that is indented as its beginning."""
    for path in sources(root, "engine", "replay", "tools", "bench"):
        if path.suffix == ".py":
            continue
        lines = path.read_text().splitlines()
        begun = 0  # where the statement begins that the line is a part of
        for number, line in enumerate(lines):
            if line.rstrip().endswith((";", "}", ":", "{")) or not line.strip() or line.lstrip().startswith(("//", "#")):
                first, begun = begun, number + 1
            else:
                continue
            # A lambda among arguments ends at its own indentation.
            first = next((i for i in range(number, first, -1) if lines[i].lstrip().startswith("[")), min(first, number))
            head = lines[first]
            if not line.endswith("{") or line.lstrip().startswith("//") or NO_FUNCTION.match(head) or head.rstrip().endswith("= {"):
                continue
            indent = re.match(r"\s*", head)[0]
            end = next((i for i in range(number + 1, len(lines)) if re.match(re.escape(indent) + r"\}", lines[i])), number)
            if end - first + 1 > FUNCTION_LINES_MAX:
                yield (f"{path.relative_to(root)}:{first + 1}: {end - first + 1} lines in one function; the limit is "
                       f"{FUNCTION_LINES_MAX}")


def upward_includes(root):
    for path in sources(root, "engine", "replay"):
        folder = path.parent.relative_to(root).as_posix()
        if "/include" in folder or path.suffix == ".py":
            continue
        allowed = LAYERS.get(folder)
        if allowed is None:
            yield f"{folder} stands in no layer; give it one in tests/style_test.py"
            continue
        for included in re.findall(r'#include "((?:engine|replay|tools)/[^"]+)"', path.read_text()):
            room = included.rsplit("/", 1)[0]
            if room != folder and room not in allowed and included not in allowed:
                yield f"{path.relative_to(root)} includes {included}, which is not below {folder}"


def leaked_libraries(root):
    for path in sources(root, "engine", "replay"):
        text = path.read_text()
        name = path.relative_to(root).as_posix()
        if "/include/" in name and THIRD_PARTY.search(text):
            yield f"{name} is public and shows {THIRD_PARTY.search(text)[1]}"
        if name != LMDB_ROOM and "#include <lmdb.h>" in text:
            yield f"{name} includes lmdb.h; only {LMDB_ROOM} may"


def unnamed_headers(root):
    for path in sources(root, "engine", "replay", "tools", "tests", "bench"):
        if path.suffix == ".h" and not path.read_text().startswith("// "):
            yield f"{path.relative_to(root)} does not say in its first line what it is"


def untested_units(root):
    for path in sources(root, "engine", "replay"):
        name = path.relative_to(root).with_suffix("").as_posix()
        if "/include/" in name or (path.suffix == ".h" and path.with_suffix(".cc").exists()):
            continue
        inside = name.removeprefix("engine/")
        test = f"tests/{inside if '/' in inside else 'engine/' + inside}_test.cc"
        other = TESTED_ELSEWHERE.get(name)
        if (root / test).exists():
            if other:
                yield f"{name} has a test of its name and needs no line in tests/style_test.py"
        elif not other or not (root / other).exists():
            yield f"{name} has no {test}; write it, or say in tests/style_test.py which test has it"


def unbuilt_sources(root):
    # Only the folders of sources: what other tests make and remove in the build tree meanwhile must not be walked.
    lists = "\n".join(path.read_text() for folder in ("engine", "replay", "tools", "tests", "bench")
                      for path in (root / folder).rglob("CMakeLists.txt"))
    for path in sources(root, "engine", "replay", "tools", "tests", "bench"):
        if path.suffix == ".cc" and path.stem not in lists:
            yield f"{path.relative_to(root)} is in no CMakeLists.txt"


def badly_formatted(root):
    files = [str(path) for path in sources(root, "engine", "replay", "tools", "tests", "bench") if path.suffix != ".py"]
    done = subprocess.run(["clang-format", "--dry-run", *files], capture_output=True, text=True, check=True)
    for path, line in re.findall(r"^(\S+):(\d+):\d+: warning: code should be clang-formatted", done.stderr, re.M):
        yield f"{pathlib.Path(path).relative_to(root)}:{line} is not as clang-format has it"


class Style(unittest.TestCase):
    def holds(self, rule, file, text):
        """The rule finds nothing in the tree, and something in one that has `text` in `file`."""
        self.assertEqual(list(rule(ROOT)), [])
        with tempfile.TemporaryDirectory() as folder:
            broken = pathlib.Path(folder)
            (broken / file).parent.mkdir(parents=True)
            (broken / file).write_text(text)
            (broken / ".clang-format").write_bytes((ROOT / ".clang-format").read_bytes())
            self.assertNotEqual(list(rule(broken)), [], "the rule lets a tree pass that breaks it")

    def test_files_are_short(self):
        self.holds(long_files, "engine/a.cc", "\n" * (LINES_MAX + 1))

    def test_functions_fit_a_screen(self):
        self.holds(long_functions, "engine/a.cc", "int A(int a,\n      int b) {\n" + "  ++a;\n" * 43 + "}\n")

    def test_includes_run_downward(self):
        self.holds(upward_includes, "engine/base/a.h", '#include "engine/log/store/store.h"\n')

    def test_a_new_folder_has_a_layer(self):
        self.holds(upward_includes, "engine/attic/a.h", "")

    def test_lmdb_is_sealed_in_its_room(self):
        self.holds(leaked_libraries, "engine/log/recovery.cc", "#include <lmdb.h>\n")

    def test_public_headers_show_no_library(self):
        self.holds(leaked_libraries, "engine/include/foldlog/a.h", "#include <capnp/message.h>\n")

    def test_a_header_says_what_it_is(self):
        self.holds(unnamed_headers, "engine/a.h", "#ifndef A\n")

    def test_each_unit_has_a_test_of_its_name(self):
        self.holds(untested_units, "engine/log/attic.cc", "")

    def test_each_source_is_built(self):
        self.holds(unbuilt_sources, "engine/attic.cc", "")

    def test_formatting(self):
        self.holds(badly_formatted, "engine/a.cc", "int  a ;\n")


if __name__ == "__main__":
    ROOT = pathlib.Path(sys.argv.pop(1)).resolve()
    unittest.main()
