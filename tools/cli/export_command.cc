// export: a log for other programs, as lines of JSON, CSV or an SQLite file. Leaves a whole file or none.

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "foldlog/json_lines.h"
#include "replay/report/fields.h"
#include "replay/report/text.h"
#include "tools/cli/app.h"
#include "tools/cli/arguments.h"
#include "tools/cli/beyond_damage.h"
#include "tools/cli/command.h"
#include "tools/cli/flat_row.h"
#include "tools/cli/named_operation.h"
#include "tools/cli/new_file.h"
#include "tools/cli/search_progress.h"
#include "tools/cli/signals.h"
#include "tools/cli/sqlite_export.h"
#include "tools/cli/time_format.h"
#include "tools/cli/time_range.h"

namespace foldlog::cli {
namespace {

constexpr const char* kStandardOutput = "-";

const std::vector<std::string>& CsvColumns() {
  static const std::vector<std::string> columns = {"sequence",
                                                   "time",
                                                   "epoch",
                                                   "kind",
                                                   "operation_id",
                                                   "operation_type",
                                                   "status",
                                                   "total_files",
                                                   "files_processed",
                                                   "current_path",
                                                   "last_processed_file",
                                                   "batch_num",
                                                   "error_path",
                                                   "error",
                                                   "error_details",
                                                   "reason",
                                                   "evidence",
                                                   "failure",
                                                   "rate",
                                                   "started_at",
                                                   "last_update",
                                                   "updated_at",
                                                   "ended_at",
                                                   "roots",
                                                   "metadata",
                                                   "stats",
                                                   "errors",
                                                   "source",
                                                   "owner",
                                                   "row",
                                                   "boot",
                                                   "booted_at",
                                                   "hash"};
  return columns;
}

struct ExportOptions {
  std::optional<std::string> jsonl;
  std::optional<std::string> csv;
  std::optional<std::string> sqlite;
  std::optional<std::int64_t> from;
  std::optional<std::int64_t> to;
  std::optional<std::string> operation_id;
  std::set<std::size_t> kinds;  // in KindNames()
  bool errors = false;
  bool beyond_damage = false;
  TimeRangeText times;
  TimeRange range;         // what `times` means
  Sequence operation = 0;  // the first event of the operation that is named

  const std::string& file() const { return jsonl ? *jsonl : csv ? *csv : *sqlite; }
  bool filtered() const { return from || to || operation_id || !kinds.empty() || errors || times.since || times.until; }
};

EventFilter FilterOf(const ExportOptions& options) {
  EventFilter filter{
      .since = options.range.since, .until = options.range.until, .kinds = options.kinds, .with_error = options.errors};
  if (options.from) filter.from = static_cast<Sequence>(*options.from);
  if (options.to) filter.through = static_cast<Sequence>(*options.to);
  filter.operation = options.operation;
  return filter;
}

// What all three have in common while they go on.
struct Work {
  const EventLog& log;
  Context& context;
  SearchProgress& progress;
  const std::atomic<int>& stop;

  // Says when to end; `sequence` was the last event.
  absl::Status GoOn(Sequence sequence) const {
    progress.At(sequence);
    if (stop == 0) return absl::OkStatus();
    return absl::CancelledError("interrupted: the export is not whole; a file was not made");
  }
};

// Lines, into a new file or to standard output.
class LineTarget {
 public:
  static absl::StatusOr<LineTarget> Open(const std::string& file, Output& out) {
    if (file == kStandardOutput) return LineTarget(std::nullopt, out);
    ASSIGN_OR_RETURN(NewFile made, NewFile::Create(file));
    return LineTarget(std::optional<NewFile>(std::move(made)), out);
  }

  // Standard output may be a terminal: what it must not see is escaped there.
  absl::Status Write(const std::string& line) {
    if (file_) return file_->Write(line);
    if (isatty(out_->fd()) != 0) {
      out_->Line(line.substr(0, line.find_last_not_of("\r\n") + 1));
      return absl::OkStatus();
    }
    out_->Raw(line);
    waiting_ += line.size();
    if (waiting_ < kWaitingBytes) return absl::OkStatus();
    waiting_ = 0;
    return out_->Flush();
  }

  // Nobody reads any more.
  bool closed() const { return !file_ && out_->closed(); }

  absl::Status Commit() { return file_ ? file_->Commit() : out_->Flush(); }

 private:
  static constexpr std::size_t kWaitingBytes = 64 * 1024;

  LineTarget(std::optional<NewFile> file, Output& out) : file_(std::move(file)), out_(&out) {}

  std::optional<NewFile> file_;
  Output* out_;
  std::size_t waiting_ = 0;
};

absl::Status ExportJsonl(const ExportOptions& options, const Work& work) {
  ASSIGN_OR_RETURN(const LogId id, ReadLogId(work.context.log));
  const auto filter = options.filtered() ? std::optional(FilterOf(options)) : std::nullopt;
  ASSIGN_OR_RETURN(JsonLinesExport lines, JsonLinesExport::Of(work.log, id, filter));
  ASSIGN_OR_RETURN(LineTarget target, LineTarget::Open(options.file(), work.context.out));
  while (!target.closed()) {
    ASSIGN_OR_RETURN(const std::optional<std::string> line, lines.Next());
    if (!line) return target.Commit();
    RETURN_IF_ERROR(target.Write(*line + "\n"));
    RETURN_IF_ERROR(work.GoOn(lines.position()));
  }
  return absl::OkStatus();
}

// Calls `use` with each event wanted. Frames that hold no event have no row: they are said, and the rest goes on.
template <typename Use>
absl::Status ForEachEvent(const ExportOptions& options, const Work& work, const Use& use) {
  ASSIGN_OR_RETURN(EventQuery query, EventQuery::Over(work.log, FilterOf(options)));
  absl::Status damage;
  while (true) {
    const absl::StatusOr<std::optional<QueriedEvent>> found = query.Next();
    if (absl::IsDataLoss(found.status()) && found.status() != damage) {
      damage = found.status();
      work.context.messages.Line(absl::StrCat("foldlog: left out: ", damage.message()));
      work.context.exit_status = kCorrupt;
      continue;
    }
    RETURN_IF_ERROR(found.status());
    if (!found->has_value()) return absl::OkStatus();
    RETURN_IF_ERROR(use(**found));
    RETURN_IF_ERROR(work.GoOn((*found)->event.sequence));
  }
}

absl::Status ExportCsv(const ExportOptions& options, const Work& work) {
  ASSIGN_OR_RETURN(LineTarget target, LineTarget::Open(options.file(), work.context.out));
  RETURN_IF_ERROR(target.Write(CsvLine(CsvColumns())));
  FlatRow row(CsvColumns());
  RETURN_IF_ERROR(ForEachEvent(options, work, [&](const QueriedEvent& event) -> absl::Status {
    row.BeginObject();
    PutEventHead(row, event.event, event.operation_id);
    PutClocks(row, event.event.event, 0);
    PutBody(row, event.event.event);
    Put(row, "hash", report::HashText(event.event.hash));
    row.EndObject();
    return target.Write(CsvLine(row.Take()));
  }));
  return target.Commit();
}

absl::Status ExportSqlite(const ExportOptions& options, const Work& work) {
  ASSIGN_OR_RETURN(NewFile file, NewFile::CreateNamed(options.file()));
  ASSIGN_OR_RETURN(std::unique_ptr<SqliteExport> tables, SqliteExport::Into(file.temporary(), options.file()));
  std::set<Sequence> runs;
  RETURN_IF_ERROR(ForEachEvent(options, work, [&](const QueriedEvent& event) {
    runs.insert(event.operation);
    return tables->Add(event);
  }));
  ASSIGN_OR_RETURN(HistoryQuery history, HistoryQuery::Over(work.log));
  while (true) {
    ASSIGN_OR_RETURN(const std::optional<HistoryEntry> run, history.Next());
    if (!run) break;
    if (runs.contains(run->operation.first_sequence)) RETURN_IF_ERROR(tables->Add(*run));
  }
  RETURN_IF_ERROR(tables->Finish());
  tables.reset();
  return file.Commit();
}

absl::Status RunExport(ExportOptions options, Context& context) {
  ASSIGN_OR_RETURN(options.range, ParseTimeRange(options.times, context));
  ASSIGN_OR_RETURN(const std::unique_ptr<EventLog> log, OpenToRead(context, options.beyond_damage));
  ASSIGN_OR_RETURN(const LogExtent extent, log->Extent());
  if (options.operation_id) {
    ASSIGN_OR_RETURN(const HistoryEntry entry, FindNamedOperation(*log, *options.operation_id));
    options.operation = entry.operation.first_sequence;
  }
  SearchProgress progress(extent.end.sequence, context.messages);
  const Work work{*log, context, progress, StopFlagOnSignals()};
  RETURN_IF_ERROR(options.jsonl ? ExportJsonl(options, work)
                  : options.csv ? ExportCsv(options, work)
                                : ExportSqlite(options, work));
  const EventFilter filter = FilterOf(options);
  TellOfGaps(*log, /*json=*/false, context, filter.from, filter.through);
  return absl::OkStatus();
}

void CheckOptions(const ExportOptions& options) {
  const int formats = int{options.jsonl.has_value()} + int{options.csv.has_value()} + int{options.sqlite.has_value()};
  if (formats != 1) throw CLI::ValidationError("export", "give one of --jsonl FILE, --csv FILE and --sqlite FILE");
  if (options.sqlite && *options.sqlite == kStandardOutput) {
    throw CLI::ValidationError("--sqlite", "SQLite needs a file with a name");
  }
  if (options.from && options.to && *options.from > *options.to) {
    throw CLI::ValidationError("--to", "lies before --from");
  }
}

}  // namespace

void AddExportCommand(CLI::App& app, Command& chosen) {
  const auto options = std::make_shared<ExportOptions>();
  CLI::App* command =
      AddCommand(app, "export", "The log for other programs: lines of JSON, CSV, an SQLite file", Group::kScript);
  AddText(*command, "--jsonl", options->jsonl, "A JSON object a line; \"import --jsonl\" makes the same log of them")
      ->type_name("FILE");
  AddText(*command, "--csv", options->csv, "Comma-separated values, an event a line")->type_name("FILE");
  AddText(*command, "--sqlite", options->sqlite, "The tables runs, events, checkpoints and errors")->type_name("FILE");
  AddCount(*command, "--from", options->from, "First sequence number");
  AddCount(*command, "--to", options->to, "Last sequence number");
  AddText(*command, "--operation", options->operation_id,
          std::string("Only events of this operation: ") + kOperationHelp)
      ->type_name("ID");
  AddKinds(*command, options->kinds);
  AddTimeRange(*command, options->times);
  AddFlag(*command, "--errors", options->errors, "Only errors: of files, and of operations that failed");
  AddBeyondDamage(*command, options->beyond_damage);
  command->footer(
      "FILE must not be there yet, and is there only when it is whole; \"-\" is standard output.\n"
      "A part of a log (--from and so on) is for reading: no log can be made of it.\n"
      "Examples:\n"
      "  foldlog export --log photos.log --jsonl photos.jsonl\n"
      "  foldlog export --log photos.log --csv - --errors\n"
      "  foldlog export --log photos.log --sqlite photos.db");
  command->callback([options, &chosen] {
    CheckOptions(*options);
    chosen = [options](Context& context) { return RunExport(*options, context); };
  });
}

}  // namespace foldlog::cli
