// A single row as an operation to import. Pure: a row's text in, an operation out; nothing is read or written here.

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <optional>
#include <string_view>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/base/text.h"
#include "engine/json/normalise.h"
#include "engine/json/reader.h"
#include "engine/projection/row_text.h"
#include "engine/seconds.h"
#include "foldlog/single_row.h"
#include "foldlog/state.h"

namespace foldlog {
namespace {

using Kind = JsonSlice::Kind;

// No program that rewrites its row at each step has so many, and memory must not depend on what a file says.
constexpr std::size_t kErrorsMax = 1'000'000;
constexpr std::size_t kDataBytesMax = std::size_t{64} << 20;

template <typename Meaning>
struct Word {
  std::string_view word;
  Meaning meaning;
};

// Besides foldlog's own words, those that indexers are known to use. "idle" is an operation that has ended: nothing is
// left to resume, and another may start.
constexpr Word<OperationStatus> kStatuses[] = {
    {"in_progress", OperationStatus::kInProgress}, {"indexing", OperationStatus::kInProgress},
    {"running", OperationStatus::kInProgress},     {"started", OperationStatus::kInProgress},
    {"active", OperationStatus::kInProgress},      {"paused", OperationStatus::kPaused},
    {"stopped", OperationStatus::kPaused},         {"completed", OperationStatus::kCompleted},
    {"complete", OperationStatus::kCompleted},     {"done", OperationStatus::kCompleted},
    {"finished", OperationStatus::kCompleted},     {"idle", OperationStatus::kCompleted},
    {"failed", OperationStatus::kFailed},          {"error", OperationStatus::kFailed},
    {"cancelled", OperationStatus::kFailed},       {"canceled", OperationStatus::kFailed},
};

constexpr Word<OperationType> kTypes[] = {
    {"initial", OperationType::kInitial},    {"full", OperationType::kInitial},
    {"index", OperationType::kInitial},      {"indexing", OperationType::kInitial},
    {"scan", OperationType::kInitial},       {"incremental", OperationType::kIncremental},
    {"update", OperationType::kIncremental}, {"recovery", OperationType::kRecovery},
};

absl::Status Unusable(std::string_view what, std::string_view is, std::string_view must_be) {
  constexpr std::size_t kShownMax = 80;
  return absl::InvalidArgumentError(absl::StrCat("the row cannot be imported: its ", ToAbsl(what), " is ",
                                                 ToAbsl(is.substr(0, kShownMax)), is.size() > kShownMax ? "…" : "",
                                                 "; it must be ", ToAbsl(must_be)));
}

template <typename Meaning, std::size_t N>
absl::StatusOr<Meaning> Translate(const Word<Meaning> (&words)[N], std::string_view column, const std::string& text) {
  const std::string lower = absl::AsciiStrToLower(text);
  const auto found = std::find_if(std::begin(words), std::end(words), [&](const auto& w) { return w.word == lower; });
  if (found != std::end(words)) return found->meaning;
  std::string known;
  for (const auto& word : words) absl::StrAppend(&known, known.empty() ? "" : ", ", ToAbsl(word.word));
  return Unusable(column, "\"" + text + "\"", "one of " + known);
}

absl::StatusOr<TimeNs> TimeOfColumn(std::string_view column, std::int64_t seconds) {
  TimeNs time = 0;
  if (__builtin_mul_overflow(seconds, kNanosecondsPerSecond, &time)) {
    return Unusable(column, std::to_string(seconds), "a time in seconds since 1970");
  }
  return time;
}

// The bytes of a string; where it has a lone surrogate that stands for none, its text with the escape.
std::string BytesOf(const JsonSlice& string) {
  return JsonBytes(string).value_or(std::string(string.text.substr(1, string.text.size() - 2)));
}

// The members of checkpoint_data. As for json.loads, the last of several with one name counts. One that is null is as
// good as absent.
class Members {
 public:
  explicit Members(const JsonSlice& object) : members_(JsonMembers(object)) {}

  std::optional<JsonSlice> Find(std::string_view name) const {
    const auto found = std::find_if(members_.rbegin(), members_.rend(),
                                    [&](const auto& member) { return JsonBytes(member.first) == name; });
    if (found == members_.rend() || found->second.kind == Kind::kNull) return std::nullopt;
    return found->second;
  }

  absl::StatusOr<std::optional<std::int64_t>> Count(std::string_view name) const {
    const std::optional<JsonSlice> value = Find(name);
    if (!value) return std::optional<std::int64_t>();
    const std::optional<std::int64_t> count = value->kind == Kind::kInteger ? JsonInteger(*value) : std::nullopt;
    if (!count || *count < 0) return Unusable(name, value->text, "a whole number, 0 or more");
    return count;
  }

  absl::StatusOr<std::optional<std::string>> Text(std::string_view name) const {
    const std::optional<JsonSlice> value = Find(name);
    if (!value) return std::optional<std::string>();
    if (value->kind != Kind::kString) return Unusable(name, value->text, "a string");
    return std::optional(BytesOf(*value));
  }

  absl::StatusOr<std::optional<double>> Number(std::string_view name) const {
    const std::optional<JsonSlice> value = Find(name);
    if (!value) return std::optional<double>();
    if (value->kind != Kind::kFloat && value->kind != Kind::kInteger) return Unusable(name, value->text, "a number");
    return std::optional(JsonNumber(*value));
  }

  absl::StatusOr<TimeNs> Time(std::string_view name, TimeNs otherwise) const {
    ASSIGN_OR_RETURN(const std::optional<double> seconds, Number(name));
    if (!seconds) return otherwise;
    const absl::StatusOr<TimeNs> time = TimeOf(*seconds);
    if (!time.ok()) return Unusable(name, Find(name)->text, "a time in seconds since 1970");
    return *time;
  }

  absl::StatusOr<std::vector<JsonSlice>> List(std::string_view name) const {
    const std::optional<JsonSlice> value = Find(name);
    if (!value) return std::vector<JsonSlice>();
    if (value->kind != Kind::kArray) return Unusable(name, value->text, "a list");
    return JsonElements(*value);
  }

 private:
  std::vector<std::pair<JsonSlice, JsonSlice>> members_;
};

// The operation as the row has it, without its errors and how it ended.
absl::StatusOr<Imported> OperationOf(const SingleRow& row, const Members& data) {
  Imported operation;
  ASSIGN_OR_RETURN(operation.status, Translate(kStatuses, "status", row.status));
  ASSIGN_OR_RETURN(operation.type, Translate(kTypes, "operation_type", row.operation_type));
  ASSIGN_OR_RETURN(const std::optional<std::string> id, data.Text("operation_id"));
  operation.operation_id = id.value_or("");
  ASSIGN_OR_RETURN(operation.total_files, data.Count("total_files"));
  ASSIGN_OR_RETURN(const std::optional<std::int64_t> files, data.Count("files_processed"));
  operation.files_processed = files.value_or(0);
  ASSIGN_OR_RETURN(const std::optional<std::int64_t> batch, data.Count("batch_num"));
  operation.batch_num = batch.value_or(0);
  ASSIGN_OR_RETURN(operation.current_path, data.Text("current_path"));
  ASSIGN_OR_RETURN(operation.last_processed_file, data.Text("last_processed_file"));
  if (!operation.last_processed_file) {
    ASSIGN_OR_RETURN(operation.last_processed_file, data.Text("last_path"));
  }
  ASSIGN_OR_RETURN(const std::optional<double> rate, data.Number("rate"));
  operation.rate = rate.value_or(0.0);

  ASSIGN_OR_RETURN(operation.updated_at, TimeOfColumn("updated_at", row.updated_at));
  ASSIGN_OR_RETURN(operation.last_update, data.Time("last_update", operation.updated_at));
  ASSIGN_OR_RETURN(const TimeNs started_at, TimeOfColumn("started_at", row.started_at));
  ASSIGN_OR_RETURN(operation.started_at, data.Time("started_at", started_at));
  return operation;
}

absl::StatusOr<std::string> EntryAgain(const JsonSlice& entry) {
  absl::StatusOr<std::string> again = NormaliseJson(entry);
  if (again.ok()) return again;
  return absl::InvalidArgumentError(
      absl::StrCat("the row cannot be imported: in its errors, ", again.status().message()));
}

// One entry of the list of errors, with the time that it gives or else `time`.
absl::StatusOr<ImportedError> ErrorOf(const JsonSlice& entry, TimeNs time) {
  FileError error;
  if (entry.kind == Kind::kObject) {
    const Members members(entry);
    const auto text = [&](std::string_view name) {
      const std::optional<JsonSlice> value = members.Find(name);
      return value && value->kind == Kind::kString ? BytesOf(*value) : std::string();
    };
    error.path = text("path");
    error.message = text("error");
    if (const absl::StatusOr<TimeNs> own = members.Time("timestamp", time); own.ok()) time = *own;
    ASSIGN_OR_RETURN(std::string again, EntryAgain(entry));
    if (again != FileErrorJson(error, time)) error.details = std::move(again);
  } else {
    error.message = entry.kind == Kind::kString ? BytesOf(entry) : std::string(entry.text);
  }
  return ImportedError{time, std::move(error)};
}

// Whether the last entry of a failed operation's errors is its failure, as the projection would write it.
absl::StatusOr<bool> TakeFailure(const JsonSlice& entry, Imported& operation) {
  if (entry.kind != Kind::kObject) return false;
  const Members members(entry);
  const absl::StatusOr<std::optional<std::string>> error = members.Text("error");
  const absl::StatusOr<TimeNs> time = members.Time("timestamp", 0);
  if (!error.ok() || !*error || !time.ok()) return false;
  ASSIGN_OR_RETURN(const std::string again, EntryAgain(entry));
  if (again != FailureJson(**error, *time)) return false;
  operation.failure = **error;
  operation.ended_at = *time;
  return true;
}

// How the operation ended, if it did. An entry of `errors` that is its failure is taken off them.
absl::Status TakeEnd(const SingleRow& row, std::vector<JsonSlice>& errors, Imported& operation) {
  if (operation.status == OperationStatus::kCompleted) {
    ASSIGN_OR_RETURN(operation.ended_at, TimeOfColumn("completed_at", row.completed_at.value_or(row.updated_at)));
  }
  if (operation.status != OperationStatus::kFailed) return absl::OkStatus();
  operation.failure = row.status;
  operation.ended_at = operation.updated_at;
  if (errors.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const bool taken, TakeFailure(errors.back(), operation));
  if (taken) errors.pop_back();
  return absl::OkStatus();
}

// Only if the operation does not give the row byte for byte, the row itself is kept. One without an id will be given
// one.
absl::StatusOr<Imported> WithRowIfNeeded(const SingleRow& row, Imported operation) {
  Event event{.epoch = 1, .body = std::move(operation)};
  State state;
  std::string errors;
  RETURN_IF_ERROR(Apply({1, 0, event}, state));
  AppendErrors(event, errors);
  auto& imported = std::get<Imported>(event.body);
  if (imported.operation_id.empty() || ComputedRow(*state.operation, errors) != row) imported.row = row;
  return std::move(imported);
}

}  // namespace

absl::StatusOr<Imported> ImportedFrom(const SingleRow& row, const std::string& source) {
  if (row.completed_at) RETURN_IF_ERROR(TimeOfColumn("completed_at", *row.completed_at).status());
  if (row.checkpoint_data.size() > kDataBytesMax) {
    return Unusable("checkpoint_data", absl::StrCat("of ", row.checkpoint_data.size(), " bytes"),
                    absl::StrCat("of ", kDataBytesMax, " at most; shorten its list of errors"));
  }
  const absl::StatusOr<JsonSlice> data = ParseJson(row.checkpoint_data);
  if (!data.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the row cannot be imported: its checkpoint_data is ", data.status().message()));
  }
  if (data->kind != Kind::kObject) return Unusable("checkpoint_data", data->text, "a JSON object");
  const Members members(*data);
  ASSIGN_OR_RETURN(Imported operation, OperationOf(row, members));
  operation.source = source;
  ASSIGN_OR_RETURN(std::vector<JsonSlice> errors, members.List("errors"));
  if (errors.size() > kErrorsMax) {
    return Unusable("errors", absl::StrCat("a list of ", errors.size()), absl::StrCat("of ", kErrorsMax, " at most"));
  }
  RETURN_IF_ERROR(TakeEnd(row, errors, operation));
  operation.errors.reserve(errors.size());
  for (const JsonSlice& entry : errors) {
    ASSIGN_OR_RETURN(ImportedError error, ErrorOf(entry, operation.last_update));
    operation.errors.push_back(std::move(error));
  }
  return WithRowIfNeeded(row, std::move(operation));
}

}  // namespace foldlog
