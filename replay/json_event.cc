#include "replay/json_event.h"

#include <algorithm>
#include <charconv>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/base/text.h"
#include "replay/report/text.h"

namespace foldlog {
namespace {

using Kind = JsonSlice::Kind;

std::string TextOf(const JsonSlice& value) {
  return value.kind == Kind::kString ? JsonBytes(value).value_or("") : std::string();
}

// The enumerator of that name; the first if there is none.
template <typename Enum>
Enum ByName(const std::optional<std::string>& name, Enum last) {
  for (auto value = Enum{}; value <= last; value = static_cast<Enum>(static_cast<int>(value) + 1)) {
    if (name && *name == Name(value)) return value;
  }
  return Enum{};
}

// A name whose value is a list was given several times.
template <typename Add>
void ForEachPair(const JsonFields& fields, std::string_view name, Add add) {
  const std::optional<JsonSlice> pairs = fields.Find(name, Kind::kObject);
  if (!pairs) return;
  for (const auto& [key, value] : JsonMembers(*pairs)) {
    if (value.kind != Kind::kArray) {
      add(TextOf(key), value);
      continue;
    }
    for (const JsonSlice& one : JsonElements(value)) add(TextOf(key), one);
  }
}

StatValue StatOf(const JsonSlice& value) {
  if (value.kind == Kind::kInteger) return JsonInteger(value).value_or(0);
  if (value.kind == Kind::kFloat) return JsonNumber(value);
  return TextOf(value);
}

FileError ErrorOf(const JsonSlice& object) {
  FileError error;
  for (const auto& [key, value] : JsonMembers(object)) {
    const std::string name = TextOf(key);
    if (name == "path") error.path = TextOf(value);
    if (name == "error") error.message = TextOf(value);
    if (name == "details") error.details = value.kind == Kind::kString ? TextOf(value) : std::string(value.text);
  }
  return error;
}

std::optional<FileError> ErrorIn(const JsonFields& fields) {
  const std::optional<JsonSlice> error = fields.Find("error", Kind::kObject);
  return error ? std::optional(ErrorOf(*error)) : std::nullopt;
}

Owner OwnerIn(const JsonFields& fields) {
  const std::optional<JsonSlice> found = fields.Find("owner", Kind::kObject);
  if (!found) return {};
  const JsonFields in(*found);
  return {.instance = in.Text("instance").value_or(""),
          .machine_id = in.Text("machine_id").value_or(""),
          .boot_id = in.Text("boot_id").value_or(""),
          .pid_namespace = in.Unsigned("pid_namespace").value_or(0),
          .pid = in.Integer("pid").value_or(0),
          .start_ticks = in.Unsigned("start_ticks").value_or(0),
          .holds_log = in.Bool("holds_log"),
          .program = in.Text("program").value_or(""),
          .host = in.Text("host").value_or(""),
          .kernel_boot_id = in.Bool("kernel_boot_id"),
          .place = {.file_system = in.Unsigned("file_system").value_or(0),
                    .device = in.Unsigned("device").value_or(0),
                    .directory = in.Unsigned("directory").value_or(0),
                    .lock_file = in.Unsigned("lock_file").value_or(0)}};
}

OperationType TypeIn(const JsonFields& fields) {
  return ParseOperationType(fields.Text("operation_type").value_or("")).value_or(OperationType::kInitial);
}

Started StartedFrom(const JsonFields& in) {
  Started started{.operation_id = in.Text("operation_id").value_or(""),
                  .type = TypeIn(in),
                  .total_files = in.Integer("total_files"),
                  .owner = OwnerIn(in)};
  if (const auto roots = in.Find("roots", Kind::kArray)) {
    for (const JsonSlice& root : JsonElements(*roots)) started.roots.push_back(TextOf(root));
  }
  ForEachPair(in, "metadata", [&](std::string name, const JsonSlice& value) {
    started.metadata.emplace_back(std::move(name), TextOf(value));
  });
  return started;
}

Checkpoint CheckpointFrom(const JsonFields& in) {
  return {.files_processed = in.Integer("files_processed").value_or(0),
          .current_path = in.Text("current_path"),
          .last_processed_file = in.Text("last_processed_file"),
          .batch_num = in.Integer("batch_num"),
          .error = ErrorIn(in)};
}

Completed CompletedFrom(const JsonFields& in) {
  Completed completed;
  ForEachPair(in, "stats", [&](std::string name, const JsonSlice& value) {
    completed.stats.emplace_back(std::move(name), StatOf(value));
  });
  return completed;
}

std::optional<SingleRow> RowIn(const JsonFields& fields) {
  const std::optional<JsonSlice> found = fields.Find("row", Kind::kObject);
  if (!found) return std::nullopt;
  const JsonFields in(*found);
  return SingleRow{.operation_type = in.Text("operation_type").value_or(""),
                   .status = in.Text("status").value_or(""),
                   .checkpoint_data = in.Text("checkpoint_data").value_or(""),
                   .started_at = in.Integer("started_at").value_or(0),
                   .updated_at = in.Integer("updated_at").value_or(0),
                   .completed_at = in.Integer("completed_at")};
}

Imported ImportFrom(const JsonFields& in) {
  Imported imported{.operation_id = in.Text("operation_id").value_or(""),
                    .type = TypeIn(in),
                    .status = ByName(in.Text("status"), OperationStatus::kFailed),
                    .total_files = in.Integer("total_files"),
                    .files_processed = in.Integer("files_processed").value_or(0),
                    .batch_num = in.Integer("batch_num").value_or(0),
                    .current_path = in.Text("current_path"),
                    .last_processed_file = in.Text("last_processed_file"),
                    .rate = in.Real("rate"),
                    .started_at = in.Time("started_at").value_or(0),
                    .last_update = in.Time("last_update").value_or(0),
                    .updated_at = in.Time("updated_at").value_or(0),
                    .ended_at = in.Time("ended_at").value_or(0),
                    .failure = in.Text("failure").value_or(""),
                    .owner = OwnerIn(in),
                    .source = in.Text("source").value_or(""),
                    .row = RowIn(in)};
  const std::optional<JsonSlice> errors = in.Find("errors", Kind::kArray);
  if (!errors) return imported;
  for (const JsonSlice& error : JsonElements(*errors)) {
    if (error.kind != Kind::kObject) continue;
    const JsonFields one(error);
    imported.errors.push_back({one.Time("time").value_or(0), ErrorIn(one).value_or(FileError())});
  }
  return imported;
}

absl::StatusOr<EventBody> BodyFrom(const std::string& kind, const JsonFields& in) {
  const std::string reason = in.Text("reason").value_or("");
  if (kind == "started") return StartedFrom(in);
  if (kind == "checkpoint") return CheckpointFrom(in);
  if (kind == "paused") return Paused{reason};
  if (kind == "resumed") return Resumed{reason, OwnerIn(in)};
  if (kind == "recovered") return Recovered{ByName(in.Text("evidence"), Evidence::kForced), reason, OwnerIn(in)};
  if (kind == "completed") return CompletedFrom(in);
  if (kind == "failed") return Failed{in.Text("failure").value_or("")};
  if (kind == "cleared") return Cleared{};
  if (kind == "reset") return Reset{reason};
  if (kind == "imported") return ImportFrom(in);
  return absl::InvalidArgumentError(absl::StrCat("\"", kind, "\" is no kind of event that this version knows"));
}

}  // namespace

JsonFields::JsonFields(const JsonSlice& object) {
  for (const auto& [key, value] : JsonMembers(object)) members_.emplace(key.text, value);
}

std::optional<JsonSlice> JsonFields::Find(std::string_view name, Kind kind) const {
  const auto found = members_.find(absl::StrCat("\"", ToAbsl(name), "\""));
  if (found == members_.end() || found->second.kind != kind) return std::nullopt;
  return found->second;
}

std::optional<std::string> JsonFields::Text(std::string_view name) const {
  const std::optional<JsonSlice> value = Find(name, Kind::kString);
  return value ? JsonBytes(*value) : std::nullopt;
}

std::optional<std::int64_t> JsonFields::Integer(std::string_view name) const {
  const std::optional<JsonSlice> value = Find(name, Kind::kInteger);
  return value ? JsonInteger(*value) : std::nullopt;
}

std::optional<std::uint64_t> JsonFields::Unsigned(std::string_view name) const {
  const std::optional<JsonSlice> value = Find(name, Kind::kInteger);
  if (!value) return std::nullopt;
  std::uint64_t number = 0;
  const char* const end = value->text.data() + value->text.size();
  const auto [stop, error] = std::from_chars(value->text.data(), end, number);
  return error == std::errc() && stop == end ? std::optional(number) : std::nullopt;
}

std::optional<TimeNs> JsonFields::Time(std::string_view name) const {
  const std::optional<std::string> text = Text(name);
  return text ? report::ParseRfc3339(*text) : std::nullopt;
}

double JsonFields::Real(std::string_view name) const {
  std::optional<JsonSlice> value = Find(name, Kind::kFloat);
  if (!value) value = Find(name, Kind::kInteger);
  return value ? JsonNumber(*value) : 0.0;
}

bool JsonFields::Bool(std::string_view name) const {
  const std::optional<JsonSlice> value = Find(name, Kind::kBool);
  return value && value->text == "true";
}

absl::StatusOr<Event> EventFromJson(const JsonFields& fields) {
  ASSIGN_OR_RETURN(EventBody body, BodyFrom(fields.Text("kind").value_or(""), fields));
  return Event{.time = fields.Time("time").value_or(0),
               .epoch = fields.Unsigned("epoch").value_or(0),
               .body = std::move(body),
               .boot = {.at = fields.Time("booted_at").value_or(0),
                        .id = static_cast<std::uint32_t>(fields.Unsigned("boot").value_or(0))}};
}

}  // namespace foldlog
