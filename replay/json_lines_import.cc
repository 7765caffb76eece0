// From lines to frames, and from frames to a log that has its name only when it is whole.

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/base/file_system.h"
#include "engine/base/status_macros.h"
#include "engine/codec/frame.h"
#include "engine/json/reader.h"
#include "foldlog/event_index.h"
#include "foldlog/json_lines.h"
#include "foldlog/owner.h"
#include "replay/json_event.h"
#include "replay/json_line.h"
#include "replay/report/text.h"

namespace foldlog {
namespace {

// Frames are appended in runs of about so much.
constexpr std::size_t kRunWords = std::size_t{256} * 1024 / sizeof(std::uint64_t);

// Which kind of line comes next is known: first the beginning, then events, then the end.
class LinesToFrames {
 public:
  absl::Status Add(std::string_view line);

  // The export is whole.
  absl::Status Finish() const;

  const LogId& id() const { return id_; }
  FrameRun& run() { return run_; }
  const ChainEnd& at() const { return run_.after; }

  // The frames until now were taken.
  void NextRun() {
    run_.words.clear();
    run_.before = run_.after;
  }

 private:
  absl::Status Take(std::string_view line);
  absl::Status TakeBegin(const JsonFields& fields);
  absl::Status TakeEnd(const JsonFields& fields);
  absl::Status TakeEvent(const JsonFields& fields);

  std::uint64_t lines_ = 0;
  bool begun_ = false;
  bool ended_ = false;
  LogId id_ = {};
  FrameRun run_;
};

absl::Status LinesToFrames::Add(std::string_view line) {
  ++lines_;
  const absl::Status taken = Take(line);
  return taken.ok() ? taken : absl::Status(taken.code(), absl::StrCat("line ", lines_, ": ", taken.message()));
}

absl::Status LinesToFrames::Take(std::string_view line) {
  if (ended_) return absl::InvalidArgumentError("the export has ended, and this comes behind its end");
  if (!HasRightLineHash(line)) {
    return absl::InvalidArgumentError(
        "it is damaged, or no line of an export: its line_hash is not that of what it says");
  }
  ASSIGN_OR_RETURN(const JsonSlice object, ParseJson(line));
  if (object.kind != JsonSlice::Kind::kObject) return absl::InvalidArgumentError("it is no JSON object");
  const JsonFields fields(object);
  const std::string kind = fields.Text("kind").value_or("");
  if (!begun_ || kind == kBeginKind) return TakeBegin(fields);
  return kind == kEndKind ? TakeEnd(fields) : TakeEvent(fields);
}

absl::Status LinesToFrames::TakeBegin(const JsonFields& fields) {
  if (begun_) return absl::InvalidArgumentError("another export begins here");
  if (fields.Text("kind").value_or("") != kBeginKind) {
    return absl::InvalidArgumentError("an export does not begin with this line: those before it are missing");
  }
  if (fields.Integer("version").value_or(0) != kJsonLinesVersion) {
    return absl::InvalidArgumentError("the export is of a version that this foldlog does not know; use a newer one");
  }
  if (!fields.Bool("whole")) {
    return absl::InvalidArgumentError("only a part of a log was exported; export it whole to make a log of it");
  }
  const std::optional<LogId> id = LogIdOf(fields.Text("log_id").value_or(""));
  if (!id) return absl::InvalidArgumentError("it does not say which log it is of");
  if (fields.Unsigned("base_sequence").value_or(0) != 0) {
    return absl::InvalidArgumentError("the log had lost its first events: a log cannot be made of the rest");
  }
  begun_ = true;
  id_ = *id;
  run_.before = run_.after = {0, GenesisHash(id_)};
  return absl::OkStatus();
}

absl::Status LinesToFrames::TakeEnd(const JsonFields& fields) {
  const bool agrees =
      fields.Unsigned("last_sequence") == at().sequence && fields.Text("last_hash") == report::HashText(at().hash);
  if (!agrees) return absl::InvalidArgumentError(absl::StrCat("the export does not end with event ", at().sequence));
  ended_ = true;
  return absl::OkStatus();
}

absl::Status LinesToFrames::TakeEvent(const JsonFields& fields) {
  const Sequence sequence = fields.Unsigned("sequence").value_or(0);
  if (sequence != at().sequence + 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("event ", sequence, " does not come behind event ", at().sequence, " without a gap"));
  }
  if (const std::optional<std::string> payload = fields.Text("payload")) {
    const auto words = WordsOf(*payload);
    if (!words) return absl::InvalidArgumentError("its payload is no base64");
    RETURN_IF_ERROR(AppendPayload(*words, run_));
  } else {
    ASSIGN_OR_RETURN(const Event event, EventFromJson(fields));
    RETURN_IF_ERROR(AppendFrame(event, run_));
  }
  if (fields.Text("hash") == report::HashText(at().hash)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("event ", sequence,
                                                 " has another hash than its line says: it is of another "
                                                 "log than the lines before it"));
}

absl::Status LinesToFrames::Finish() const {
  if (!begun_) return absl::InvalidArgumentError("there is no export: not one line");
  if (ended_) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("the export is cut short: behind line ", lines_, ", event ", at().sequence, ", its end is missing"));
}

// A log under a temporary name; gone with this object, unless it was given its own.
class UnfinishedLog {
 public:
  explicit UnfinishedLog(const std::string& directory)
      : directory_(directory), temporary_(absl::StrCat(directory, ".import-", NewUuid())) {}
  ~UnfinishedLog() {
    std::error_code ignored;
    if (!temporary_.empty()) std::filesystem::remove_all(temporary_, ignored);
  }
  UnfinishedLog(const UnfinishedLog&) = delete;
  UnfinishedLog& operator=(const UnfinishedLog&) = delete;

  const std::string& path() const { return temporary_; }

  // An empty directory may stand there; a rename takes its place, and that of nothing else.
  absl::Status GiveName() {
    if (std::rename(temporary_.c_str(), directory_.c_str()) != 0) {
      return ErrnoStatus(errno, absl::StrCat("give the imported log its name ", directory_));
    }
    temporary_.clear();
    return SyncEntryOf(directory_);
  }

 private:
  const std::string directory_;
  std::string temporary_;
};

absl::Status CheckNothingThere(const std::string& directory) {
  std::error_code error;
  const auto found = std::filesystem::symlink_status(directory, error);
  if (!std::filesystem::exists(found)) return absl::OkStatus();
  if (std::filesystem::is_directory(found) && std::filesystem::is_empty(directory, error)) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      "there is something at ", directory, " already; an export becomes a log of its own: name a new directory"));
}

// The frames that `lines` has, to the log, which is made with the first of them.
absl::Status Store(const std::string& path, LinesToFrames& lines, std::unique_ptr<EventLog>& log) {
  if (!log) {
    using Create = LogDirectoryOptions::Create;
    LogDirectoryOptions options{.create = Create::kMustBeNew, .log_id = lines.id()};
    options.indexer = NewEventIndexer();
    ASSIGN_OR_RETURN(WritableLog made, OpenLogForWriting(path, options));
    log = std::move(made.log);
  }
  RETURN_IF_ERROR(log->Append(lines.run(), Space::kUnreserved));
  lines.NextRun();
  return absl::OkStatus();
}

absl::Status Fill(const NextLine& next_line, const std::string& path, LinesToFrames& lines) {
  std::unique_ptr<EventLog> log;
  while (true) {
    ASSIGN_OR_RETURN(const std::optional<std::string_view> line, next_line());
    if (!line) break;
    RETURN_IF_ERROR(lines.Add(*line));
    if (lines.run().words.size() >= kRunWords) RETURN_IF_ERROR(Store(path, lines, log));
  }
  RETURN_IF_ERROR(lines.Finish());
  RETURN_IF_ERROR(Store(path, lines, log));
  RETURN_IF_ERROR(log->Sync(lines.at().sequence));
  return log->Close();
}

}  // namespace

absl::StatusOr<JsonLinesSummary> ImportJsonLines(const NextLine& next_line, const std::string& given) {
  const std::string directory = WithoutTrailingSlashes(given);
  RETURN_IF_ERROR(CheckNothingThere(directory));
  UnfinishedLog unfinished(directory);
  LinesToFrames lines;
  RETURN_IF_ERROR(Fill(next_line, unfinished.path(), lines));
  RETURN_IF_ERROR(unfinished.GiveName());
  return JsonLinesSummary{.id = lines.id(), .events = lines.at().sequence, .last_hash = lines.at().hash};
}

}  // namespace foldlog
