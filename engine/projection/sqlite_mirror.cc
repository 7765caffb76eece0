#include "engine/projection/sqlite_mirror.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/fold.h"
#include "engine/projection/row_table.h"
#include "engine/projection/sqlite_reading.h"
#include "engine/status_macros.h"
#include "engine/text.h"
#include "foldlog/event_reader.h"

namespace foldlog {
namespace {

constexpr std::string_view kWhat = "mirror";

constexpr std::chrono::milliseconds kPauseMin(20);

// Between two changes, so many times what the last one took: a list of a million errors must not be written all the
// time.
constexpr int kPauseFactor = 10;

// After an error. SQLite has already waited for its lock.
constexpr std::chrono::milliseconds kRetryInterval(1000);

// The link of the chain at an event, which tells one log from another; nothing if the log does not reach it.
absl::StatusOr<std::optional<ChainEnd>> LinkAt(const EventLog& log, Sequence sequence) {
  ASSIGN_OR_RETURN(const LogExtent extent, log.Extent());
  if (sequence == extent.base.sequence) return std::optional(extent.base);
  if (sequence < extent.base.sequence || sequence > extent.end.sequence) return std::optional<ChainEnd>();
  EventReader reader(log, sequence);
  ASSIGN_OR_RETURN(const std::optional<RecordedEvent> event, reader.Next());
  if (!event) return std::optional<ChainEnd>();
  return std::optional(ChainEnd{event->sequence, event->hash});
}

absl::Status UseWriteAheadLog(SqliteDatabase& database) {
  ASSIGN_OR_RETURN(const auto pragma, database.Prepare("PRAGMA journal_mode = WAL"));
  SqliteQuery query(*pragma);
  RETURN_IF_ERROR(query.Step().status());
  if (query.Bytes(0) == "wal") return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat(database.name(), " cannot be in WAL mode where it is; give a file on a local disk"));
}

// Whether the operation at hand was imported from just this row.
absl::StatusOr<bool> WasImportedFrom(const SingleRow& row, const EventLog& log, const State& state) {
  if (!state.operation || state.operation->imported_through == 0) return false;
  ASSIGN_OR_RETURN(const Fold fold, FoldLog(log, state.operation->imported_through));
  ASSIGN_OR_RETURN(const std::optional<SingleRow> imported, ProjectSingleRow(log, fold.state));
  return imported == row;
}

// Whether the file is this log's to write: its own earlier mirror, one without a row, or one whose row was imported.
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
  return absl::FailedPreconditionError(
      absl::StrCat(database.name(), " shows event ", record->shown.sequence, " of another log (", record->log,
                   "); give another file, or replace the row (foldlog project --check --heal --sqlite)"));
}

template <typename Value>
void Compare(std::string_view column, const Value& is, const Value& should_be, std::vector<std::string>& findings) {
  if (is == should_be) return;
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

SqliteMirror::SqliteMirror(std::unique_ptr<SqliteDatabase> database, const EventLog& log)
    : database_(std::move(database)), log_(log), projector_(log), pause_(kPauseMin) {}

SqliteMirror::~SqliteMirror() = default;

absl::StatusOr<std::unique_ptr<SqliteMirror>> SqliteMirror::Open(const std::string& path, const EventLog& log) {
  ASSIGN_OR_RETURN(std::unique_ptr<SqliteDatabase> database, SqliteDatabase::Open(path, kWhat));
  ASSIGN_OR_RETURN(const bool has_table, HasTable(*database, "indexing_state"));
  if (has_table) RETURN_IF_ERROR(CheckRowTable(*database));
  if (database->IsReadOnly()) return absl::PermissionDeniedError(absl::StrCat(database->name(), " is read-only"));
  RETURN_IF_ERROR(UseWriteAheadLog(*database));
  // What a power cut takes back is shown again at the next event.
  RETURN_IF_ERROR(database->Execute("PRAGMA synchronous = NORMAL"));
  return std::unique_ptr<SqliteMirror>(new SqliteMirror(std::move(database), log));
}

// As far as the log is durable: a mirror of events that a power cut took back would be one of another log.
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
    RETURN_IF_ERROR(Apply(*event, *state_));
    at_ = reader.position();
  }
  return absl::OkStatus();
}

absl::Status SqliteMirror::Write(bool heal) {
  const auto start = std::chrono::steady_clock::now();
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
  const auto took = std::chrono::ceil<std::chrono::milliseconds>(std::chrono::steady_clock::now() - start);
  pause_ = std::max(kPauseMin, kPauseFactor * took);
  return absl::OkStatus();
}

absl::Status SqliteMirror::CatchUp() {
  RETURN_IF_ERROR(ReadOn());
  return shown_ == at_ ? absl::OkStatus() : Write(/*heal=*/false);
}

absl::Status SqliteMirror::Heal() {
  RETURN_IF_ERROR(ReadOn());
  return Write(/*heal=*/true);
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
  ASSIGN_OR_RETURN(const Fold fold, FoldLog(log, *report.shown));
  ASSIGN_OR_RETURN(const std::optional<SingleRow> should_be, ProjectSingleRow(log, fold.state));
  CompareRows(shown.row, should_be, report.findings);
  if (*report.shown < report.end) {
    report.findings.push_back(
        absl::StrCat("it is behind: it shows event ", *report.shown, ", the log is durable up to event ", report.end));
  }
  return report;
}

MirrorFollower::MirrorFollower(std::unique_ptr<SqliteMirror> mirror)
    : mirror_(std::move(mirror)), thread_([this] { Run(); }) {}

MirrorFollower::~MirrorFollower() { Stop().IgnoreError(); }

absl::StatusOr<std::unique_ptr<MirrorFollower>> MirrorFollower::Start(const std::string& path, const EventLog& log) {
  ASSIGN_OR_RETURN(std::unique_ptr<SqliteMirror> mirror, SqliteMirror::Open(path, log));
  RETURN_IF_ERROR(mirror->CatchUp());
  return std::unique_ptr<MirrorFollower>(new MirrorFollower(std::move(mirror)));
}

absl::Status MirrorFollower::status() const {
  const std::lock_guard lock(mutex_);
  return status_;
}

absl::Status MirrorFollower::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
  return status();
}

// Once more after the word to stop, so that what was appended before it is shown.
void MirrorFollower::Run() {
  bool last = false;
  while (!last) {
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, status_.ok() ? mirror_->pause() : kRetryInterval, [this] { return stopping_; });
    last = stopping_;
    lock.unlock();
    absl::Status status = mirror_->CatchUp();
    lock.lock();
    status_ = std::move(status);
  }
}

}  // namespace foldlog
