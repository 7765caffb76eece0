// A log whose files have any changes: readers give its true events or an error, verify finds what a reader meets, and a
// writer either refuses the log or goes on behind events that are all true.

#include <chrono>
#include <filesystem>
#include <optional>

#include "absl/strings/match.h"
#include "engine/codec/frame.h"
#include "engine/log/store/records.h"
#include "foldlog/engine.h"
#include "foldlog/event_reader.h"
#include "foldlog/history.h"
#include "foldlog/log_directory.h"
#include "foldlog/verify.h"
#include "tests/fuzz/changes.h"
#include "tests/fuzz/frames.h"
#include "tests/fuzz/sample.h"
#include "tests/fuzz/target.h"

namespace foldlog::fuzz {
namespace {

bool TellsWhatToDo(const absl::Status& status) { return absl::StrContains(status.message(), ";"); }

// What is read of the log from its first event on.
struct Read {
  Sequence through = 0;
  absl::Status status;
};

Read ReadEvents(const EventLog& log, bool forged) {
  Read read;
  const absl::StatusOr<LogExtent> extent = log.Extent();
  if (!extent.ok()) return {0, extent.status()};
  EventReader reader(log, extent->base.sequence + 1);
  while (true) {
    const auto event = reader.Next();
    if (!event.ok() || !*event) {
      read.status = event.status();
      return read;
    }
    read.through = (*event)->sequence;
    const bool known = read.through <= TrueHashes().size() && TrueHashes()[read.through - 1] == (*event)->hash;
    Require(forged || known, "each event that is read is a true one");
  }
}

void CheckHistory(const EventLog& log) {
  const auto sum = SumUp(log);
  Require(sum.ok() || !sum.status().message().empty(), "a history is told, or says why not");
}

// The log as readers meet it.
Read CheckReading(const std::string& directory, bool forged) {
  const auto log = OpenLogForReading(directory);
  if (!log.ok()) {
    Require(!absl::IsDataLoss(log.status()) || TellsWhatToDo(log.status()), "damage is told with what to do");
    return {0, log.status()};
  }
  Read read = ReadEvents(**log, forged);
  Require(!absl::IsDataLoss(read.status) || TellsWhatToDo(read.status), "damage of an event is told with what to do");
  CheckHistory(**log);
  const auto snapshot = (*log)->FindSnapshot(TrueHashes().size());
  Require(snapshot.ok() || !snapshot.status().message().empty(), "a snapshot is found, or not");
  return read;
}

void CheckVerify(const std::string& directory, const Read& read) {
  const auto report = Verify(directory, {.depth = VerifyOptions::Depth::kFull, .jobs = 1});
  if (!report.ok()) {
    Require(!absl::IsDataLoss(report.status()), "damage is a finding of verify, never its error");
    return;
  }
  for (const VerifyFinding& finding : report->findings) {
    Require(finding.is_note || !finding.next.empty(), "damage is found with a next step");
  }
  Require(!report->sound() || read.status.ok(), "a log that is sound can be read");
  Require(!report->sound() || report->end.sequence == read.through, "a sound log ends where a reader ends");
  const auto quick = Verify(directory, {.depth = VerifyOptions::Depth::kQuick, .jobs = 1});
  Require(quick.ok(), "a log that can be verified can be looked at quickly");
  Require(!report->sound() || quick->sound(), "a quick look finds nothing in a sound log");
}

void CheckWriting(const std::string& directory, const Read& read, bool forged) {
  EngineOptions options;
  options.directory.create = LogDirectoryOptions::Create::kNever;
  auto engine = Engine::Open(directory, options);
  if (!engine.ok()) return;
  const absl::Status reset = (*engine)->Reset("fuzz");
  const absl::Status closed = (*engine)->Close();
  if (!reset.ok()) return;
  Require(closed.ok() || !closed.message().empty(), "a log is closed, or says why not");
  if (forged) return;
  const auto log = OpenLogForReading(directory);
  Require(log.ok(), "a log that was written to can be opened");
  const absl::StatusOr<LogExtent> extent = (*log)->Extent();
  Require(extent.ok() && extent->end.sequence > read.through, "a writer loses no event that could be read");
}

void Run(std::string_view input) {
  const std::string directory = ScratchDirectory() + "/log";
  std::filesystem::remove_all(directory);
  std::filesystem::create_directory(directory);
  for (const auto& [name, bytes] : ChangedFiles(input)) WriteBytes(directory + "/" + name, bytes);
  const std::uint8_t flags = input.empty() ? 0 : static_cast<std::uint8_t>(input[0]);
  // With hashes made right, anything can stand in a log.
  const bool forged = (flags & kResealAll) != 0;
  const Read read = CheckReading(directory, forged);
  CheckVerify(directory, read);
  if ((flags & kOpenForWriting) != 0) CheckWriting(directory, read, forged);
}

}  // namespace

const Target kLogTarget = {"log", Run, ChangeSeeds, nullptr};

}  // namespace foldlog::fuzz
