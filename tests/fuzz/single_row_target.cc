// The row of an older program: what is imported of it is given back byte for byte by the projection.

#include <memory>
#include <optional>
#include <utility>

#include "foldlog/engine.h"
#include "foldlog/memory_log.h"
#include "foldlog/single_row.h"
#include "tests/fuzz/sample.h"
#include "tests/fuzz/target.h"

namespace foldlog::fuzz {
namespace {

// An input is three lines, for the type, the status and three numbers, and the rest is checkpoint_data.
SingleRow RowIn(std::string_view input) {
  const auto take_line = [&input] {
    const std::size_t end = input.find('\n');
    const std::string line(input.substr(0, end));
    input.remove_prefix(end == std::string_view::npos ? input.size() : end + 1);
    return line;
  };
  SingleRow row;
  row.operation_type = take_line();
  row.status = take_line();
  const std::string numbers = take_line();
  char* at = const_cast<char*>(numbers.c_str());
  row.started_at = std::strtoll(at, &at, 10);
  row.updated_at = std::strtoll(at, &at, 10);
  if (*at != '\0') row.completed_at = std::strtoll(at, &at, 10);
  row.checkpoint_data = std::string(input);
  return row;
}

void Run(std::string_view input) {
  const SingleRow row = RowIn(input);
  absl::StatusOr<Imported> imported = ImportedFrom(row, "fuzz");
  Require(imported.ok() || absl::IsInvalidArgument(imported.status()), "a row is understood, or refused");
  if (!imported.ok()) return;
  EngineOptions options;
  options.clock = [] { return TimeNs{1'700'000'000'000'000'000}; };
  WritableLog memory{.log = NewMemoryLog(), .self = Owner{.instance = "self"}, .previous = {}};
  const auto engine = Engine::Open(std::move(memory), options);
  Require(engine.ok(), "an engine in memory can be opened");
  const auto handle = (*engine)->Import(*std::move(imported));
  if (!handle.ok()) return;
  const auto projected = ProjectSingleRow((*engine)->log(), (*engine)->state());
  Require(projected.ok() && projected->has_value(), "an imported operation is on the row");
  Require(**projected == row, "an imported row comes back byte for byte");
}

std::vector<std::string> Seeds() {
  return {
      "initial\nin_progress\n1700000000 1700000100\n"
      R"({"operation_id": "op-1", "operation_type": "initial", "total_files": 10, "files_processed": 3, )"
      R"("current_path": "/a", "last_processed_file": "/a/b", "errors": [{"error": "x", "file": "/a/c", )"
      R"("timestamp": 1700000050.5}], "rate": 1.5, "started_at": 1700000000.25, "last_update": 1700000100.5, )"
      R"("batch_num": 2, "checkpoint_version": 1})",
      "incremental\nindexing\n5 6\n{\"files_processed\": 3, \"errors\": [{\"error\": \"a\"}, \"b\"]}",
      "rebuild\ncompleted\n5 6 7\n{\"batch_num\": 4, \"last_path\": \"/x\"}", "a\nfailed\n-1 -2 -3\n{}"};
}

}  // namespace

const Target kSingleRowTarget = {"single_row", Run, Seeds, nullptr};

}  // namespace foldlog::fuzz
