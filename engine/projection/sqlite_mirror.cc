#include "engine/projection/sqlite_mirror.h"

#include <sys/stat.h>

#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/file_system.h"
#include "engine/base/status_macros.h"
#include "engine/base/text.h"
#include "engine/fold.h"
#include "engine/projection/row_table.h"
#include "engine/projection/sqlite_reading.h"
#include "foldlog/event_reader.h"

namespace foldlog {
namespace {

constexpr std::string_view kWhat = "mirror";

// Long enough for another program's commit or a backup's checkpoint, short enough for a person to wait.
constexpr std::chrono::milliseconds kPatience(5000);

// A trigger of the file's owner may make a change endless.
constexpr std::chrono::seconds kWritingTimeMax(10);

// The link of the chain at an event; nothing if the log does not reach it. The hash tells one log from another.
absl::StatusOr<std::optional<ChainEnd>> LinkAt(const EventLog& log, Sequence sequence) {
  ASSIGN_OR_RETURN(const LogExtent extent, log.Extent());
  if (sequence == extent.base.sequence) return std::optional(extent.base);
  if (sequence < extent.base.sequence || sequence > extent.end.sequence) return std::optional<ChainEnd>();
  EventReader reader(log, sequence);
  ASSIGN_OR_RETURN(const std::optional<RecordedEvent> event, reader.Next());
  if (!event) return std::optional<ChainEnd>();
  return std::optional(ChainEnd{event->sequence, event->hash});
}

// After a power cut the next event shows again what was lost, so a mirror needs no full durability. In WAL mode, NORMAL
// risks nothing else. With a rollback journal, less than SQLite's default could damage the file, so it stays.
absl::Status ChooseDurability(SqliteDatabase& database) {
  ASSIGN_OR_RETURN(const auto pragma, database.Prepare("PRAGMA journal_mode"));
  SqliteQuery query(*pragma);
  RETURN_IF_ERROR(query.Step().status());
  return query.Bytes(0) == "wal" ? database.Execute("PRAGMA synchronous = NORMAL") : absl::OkStatus();
}

// All names in a log's directory belong to the log; its files could even be taken for empty databases. A file with two
// names would have a journal for each, and SQLite would miss one of them.
absl::Status CheckPlace(const std::string& path, const std::string& name, const EventLog& log) {
  struct stat file {};
  if (stat(path.c_str(), &file) == 0 && file.st_nlink > 1) {
    return absl::FailedPreconditionError(absl::StrCat(name, " has ", file.st_nlink,
                                                      " names (hard links), which SQLite cannot keep apart; give a "
                                                      "file with one"));
  }
  struct stat parent {};
  struct stat logs {};
  if (stat(ParentOf(path).c_str(), &parent) == 0 && stat(log.name().c_str(), &logs) == 0 &&
      parent.st_dev == logs.st_dev && parent.st_ino == logs.st_ino) {
    return absl::FailedPreconditionError(
        absl::StrCat(name, " is in the log's directory, where all names belong to the log; give another place"));
  }
  return absl::OkStatus();
}

// Adds the next step to errors of SQLite that the user can do something about.
absl::Status Explained(const absl::Status& status) {
  if (absl::IsPermissionDenied(status)) {
    return absl::PermissionDeniedError(
        absl::StrCat(status.message(), "; make the file and its directory writable, or give another file"));
  }
  if (absl::IsInvalidArgument(status)) {
    return absl::InvalidArgumentError(absl::StrCat(status.message(), "; give another file"));
  }
  return status;
}

// Whether the operation at hand was imported from just this row.
absl::StatusOr<bool> WasImportedFrom(const SingleRow& row, const EventLog& log, const State& state) {
  if (!state.operation || !state.operation->imported) return false;
  ASSIGN_OR_RETURN(const Fold fold, FoldLog(log, state.operation->first_sequence));
  ASSIGN_OR_RETURN(const std::optional<SingleRow> imported, ProjectSingleRow(log, fold.state));
  return imported == row;
}

// Whether this log may write the file: it holds its own earlier mirror, no row, or the row that was imported from it.
absl::Status CheckOwnership(SqliteDatabase& database, const EventLog& log, const State& state) {
  ASSIGN_OR_RETURN(const std::optional<MirrorRecord> record, ReadRecord(database));
  if (!record) {
    ASSIGN_OR_RETURN(const std::optional<SingleRow> row, ReadRow(database));
    if (!row) return absl::OkStatus();
    ASSIGN_OR_RETURN(const bool imported, WasImportedFrom(*row, log, state));
    if (imported) return absl::OkStatus();
    return absl::FailedPreconditionError(
        absl::StrCat(database.name(),
                     " has a row in indexing_state that no mirror wrote; import it first (foldlog "
                     "import --sqlite), or replace it (foldlog project --check --heal --sqlite)"));
  }
  ASSIGN_OR_RETURN(const std::optional<ChainEnd> link, LinkAt(log, record->shown.sequence));
  if (link == record->shown) return absl::OkStatus();
  ASSIGN_OR_RETURN(const LogExtent extent, log.Extent());
  if (record->shown.sequence < extent.base.sequence) {
    return absl::FailedPreconditionError(
        absl::StrCat(database.name(), " shows event ", record->shown.sequence,
                     ", which was pruned from the log, if it was of this log; replace the row (foldlog project --check "
                     "--heal --sqlite)"));
  }
  return absl::FailedPreconditionError(
      absl::StrCat(database.name(), " shows event ", record->shown.sequence, " of another log (", record->log,
                   "); give another file, or replace the row (foldlog project --check --heal --sqlite)"));
}

// Adds a finding if the column differs from what the log says.
template <typename Value>
void Compare(std::string_view column, const Value& is, const Value& should_be, std::vector<std::string>& findings) {
  if (is == should_be) return;
  // checkpoint_data may be megabytes long.
  constexpr std::size_t kShownMax = 200;
  const auto shown = [](const Value& value) {
    std::string text;
    if constexpr (std::is_same_v<Value, std::string>) {
      text = value.size() <= kShownMax ? value : absl::StrCat(value.substr(0, kShownMax), "…");
    } else if constexpr (std::is_same_v<Value, std::int64_t>) {
      text = std::to_string(value);
    } else {
      text = value ? std::to_string(*value) : "NULL";
    }
    return text;
  };
  findings.push_back(
      absl::StrCat("a foreign write: ", ToAbsl(column), " is ", shown(is), ", the log says ", shown(should_be)));
}

void CompareRows(const std::optional<SingleRow>& is, const std::optional<SingleRow>& should_be,
                 std::vector<std::string>& findings) {
  if (!is && should_be) findings.emplace_back("a foreign write: the row is gone");
  if (is && !should_be) findings.emplace_back("a foreign write: there is a row, the log says there is none");
  if (!is || !should_be) return;
  Compare("operation_type", is->operation_type, should_be->operation_type, findings);
  Compare("status", is->status, should_be->status, findings);
  Compare("checkpoint_data", is->checkpoint_data, should_be->checkpoint_data, findings);
  Compare("started_at", is->started_at, should_be->started_at, findings);
  Compare("updated_at", is->updated_at, should_be->updated_at, findings);
  Compare("completed_at", is->completed_at, should_be->completed_at, findings);
}

}  // namespace

SqliteMirror::SqliteMirror(std::string path, std::string name, const EventLog& log)
    : path_(std::move(path)), name_(std::move(name)), log_(log), projector_(log), patience_(kPatience) {}

SqliteMirror::~SqliteMirror() = default;

absl::StatusOr<std::unique_ptr<SqliteMirror>> SqliteMirror::Open(const std::string& path, const EventLog& log) {
  const std::string name = SqliteFileName(kWhat, path);
  ASSIGN_OR_RETURN(std::string absolute, SqlitePath(path, name));
  return std::unique_ptr<SqliteMirror>(new SqliteMirror(std::move(absolute), name, log));
}

void SqliteMirror::WaitForLocks(std::chrono::milliseconds patience) {
  patience_ = patience;
  if (database_) database_->WaitForLocks(patience);
}

// Connects to the file that is at the path now, unless it is connected to it.
absl::Status SqliteMirror::Connect() {
  if (database_ && !database_->HasMoved()) return absl::OkStatus();
  if (database_) {
    ++replaced_;
    // The -wal at this path still belongs to the file that was here. Left as it is, SQLite would take it for part of
    // the file that is here now.
    database_->Execute("PRAGMA wal_checkpoint(TRUNCATE)").IgnoreError();
  }
  database_.reset();
  shown_.reset();
  RETURN_IF_ERROR(CheckPlace(path_, name_, log_));
  ASSIGN_OR_RETURN(std::unique_ptr<SqliteDatabase> database, SqliteDatabase::Open(path_, kWhat));
  database->set_name(name_);
  database->WaitForLocks(patience_);
  ASSIGN_OR_RETURN(const bool has_table, HasTable(*database, "indexing_state"));
  if (has_table) RETURN_IF_ERROR(CheckRowTable(*database));
  if (database->IsReadOnly()) return absl::PermissionDeniedError(absl::StrCat(name_, " is read-only"));
  RETURN_IF_ERROR(ChooseDurability(*database));
  database_ = std::move(database);
  return absl::OkStatus();
}

// Only as far as the log is durable: a power cut can take back later events, and the mirror would show another history.
absl::Status SqliteMirror::ReadOn() {
  ASSIGN_OR_RETURN(const LogExtent extent, log_.Extent());
  if (!state_) {
    ASSIGN_OR_RETURN(Fold fold, FoldLog(log_, extent.durable_through));
    state_ = std::move(fold.state);
    at_ = fold.at;
    return absl::OkStatus();
  }
  EventReader reader(log_, at_);
  while (at_.sequence < extent.durable_through) {
    ASSIGN_OR_RETURN(const std::optional<RecordedEvent> event, reader.Next());
    if (!event) break;
    RETURN_IF_ERROR(ApplyRecorded(*event, *state_));
    at_ = reader.position();
  }
  return absl::OkStatus();
}

// Ownership is checked inside the transaction, so that no other program can change the row in between.
absl::Status SqliteMirror::Write(bool heal) {
  const auto start = std::chrono::steady_clock::now();
  RETURN_IF_ERROR(Connect());
  database_->SetDeadline(start + kWritingTimeMax);
  ASSIGN_OR_RETURN(const std::optional<SingleRow> row, projector_.Project(*state_));
  SqliteTransaction transaction(*database_);
  RETURN_IF_ERROR(transaction.Begin());
  RETURN_IF_ERROR(CreateTables(*database_));
  if (!heal) RETURN_IF_ERROR(CheckOwnership(*database_, log_, *state_));
  if (heal) RETURN_IF_ERROR(database_->Execute("DELETE FROM indexing_state"));
  RETURN_IF_ERROR(WriteRow(*database_, row));
  RETURN_IF_ERROR(WriteRecord(*database_, {.log = log_.name(), .shown = at_, .row_hash = RowHash(row)}));
  RETURN_IF_ERROR(transaction.Commit());
  shown_ = at_;
  took_ = std::chrono::ceil<std::chrono::milliseconds>(std::chrono::steady_clock::now() - start);
  return absl::OkStatus();
}

// Compared by position, not by content: the file is not even read while the log has nothing new.
absl::StatusOr<bool> SqliteMirror::Show() {
  if (shown_ == at_ && database_ && !database_->HasMoved()) return false;
  RETURN_IF_ERROR(Explained(Write(/*heal=*/false)));
  return true;
}

absl::Status SqliteMirror::CatchUp() {
  RETURN_IF_ERROR(ReadOn());
  return Show().status();
}

// Deletes all rows first: a table of an older program may have several.
absl::Status SqliteMirror::Heal() {
  RETURN_IF_ERROR(ReadOn());
  return Explained(Write(/*heal=*/true));
}

namespace {

// Row and record as of one moment.
struct Shown {
  bool has_table = false;
  std::optional<MirrorRecord> record;
  std::optional<SingleRow> row;
};

absl::StatusOr<Shown> WhatIsShown(SqliteDatabase& database) {
  Shown shown;
  ASSIGN_OR_RETURN(shown.has_table, HasTable(database, "indexing_state"));
  if (!shown.has_table) return shown;
  RETURN_IF_ERROR(CheckRowTable(database));
  ASSIGN_OR_RETURN(shown.record, ReadRecord(database));
  ASSIGN_OR_RETURN(shown.row, ReadRow(database));
  return shown;
}

}  // namespace

absl::StatusOr<MirrorReport> SqliteMirror::Check(const std::string& path, const EventLog& log) {
  Shown shown;
  RETURN_IF_ERROR(ReadSqlite(path, kWhat, [&](SqliteDatabase& database) -> absl::Status {
    ASSIGN_OR_RETURN(shown, WhatIsShown(database));
    return absl::OkStatus();
  }));
  MirrorReport report;
  ASSIGN_OR_RETURN(const LogExtent extent, log.Extent());
  report.end = extent.durable_through;
  if (!shown.has_table) {
    report.findings.emplace_back("there is no table indexing_state");
    return report;
  }
  if (!shown.record) {
    report.findings.emplace_back("no mirror has written there");
    return report;
  }
  report.shown = shown.record->shown.sequence;
  ASSIGN_OR_RETURN(const std::optional<ChainEnd> link, LinkAt(log, *report.shown));
  if (link != shown.record->shown) {
    report.findings.push_back(absl::StrCat("it shows event ", *report.shown, " of another log, ", shown.record->log));
    return report;
  }
  // Compared with the log at the event that the file shows, not at its end: a mirror that is behind is not a foreign
  // write.
  ASSIGN_OR_RETURN(const Fold fold, FoldLog(log, *report.shown));
  ASSIGN_OR_RETURN(const std::optional<SingleRow> should_be, ProjectSingleRow(log, fold.state));
  CompareRows(shown.row, should_be, report.findings);
  if (*report.shown < report.end) {
    report.findings.push_back(
        absl::StrCat("it is behind: it shows event ", *report.shown, ", the log is durable up to event ", report.end));
  }
  return report;
}

}  // namespace foldlog
