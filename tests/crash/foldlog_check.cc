#include "tests/crash/foldlog_check.h"

#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "foldlog/engine.h"
#include "foldlog/event_reader.h"
#include "foldlog/replayer.h"
#include "tests/crash/enumerator.h"

namespace foldlog::power_cut {
namespace {

absl::StatusOr<std::vector<RecordedEvent>> AllEvents(const EventLog& log) {
  std::vector<RecordedEvent> events;
  EventReader reader(log, /*from=*/1);
  while (true) {
    ASSIGN_OR_RETURN(std::optional<RecordedEvent> event, reader.Next());
    if (!event) return events;
    events.push_back(*std::move(event));
  }
}

// Everything that lasts.
std::string FileBytes(const std::string& log) {
  std::string bytes;
  for (const char* name : {"/log.mdb", "/tail"}) {
    std::ifstream file(log + name, std::ios::binary | std::ios::ate);
    std::string content(file ? static_cast<std::size_t>(file.tellg()) : 0, '\0');
    file.seekg(0).read(content.data(), static_cast<std::streamsize>(content.size()));
    bytes += content;
  }
  return bytes;
}

absl::Status Require(bool holds, const char* what) {
  return holds ? absl::OkStatus() : absl::InternalError(absl::StrCat("not so: ", what));
}

// Opens the log, holds what is in it against the reference, and returns the engine.
absl::StatusOr<std::unique_ptr<Engine>> OpenAndCheck(const std::string& log,
                                                     const std::vector<RecordedEvent>& reference,
                                                     const std::vector<RecordedEvent>& earlier) {
  EngineOptions options;
  options.directory.create = LogDirectoryOptions::Create::kNever;
  ASSIGN_OR_RETURN(auto engine, Engine::Open(log, options));

  ASSIGN_OR_RETURN(const auto events, AllEvents(engine->log()));
  State state;
  for (std::size_t i = 0; i < events.size(); ++i) {
    RETURN_IF_ERROR(Require(events[i].sequence == i + 1, "sequence numbers are 1, 2, 3 … without gaps"));
    const bool submitted =
        (i < reference.size() && events[i] == reference[i]) || (i < earlier.size() && events[i] == earlier[i]);
    RETURN_IF_ERROR(Require(submitted, "every event is what was submitted"));
    RETURN_IF_ERROR(Apply(events[i], state));
  }
  ASSIGN_OR_RETURN(const LogExtent extent, engine->log().Extent());
  RETURN_IF_ERROR(Require(extent.end.sequence == events.size(), "the log ends with its last event"));
  RETURN_IF_ERROR(engine->Flush());
  RETURN_IF_ERROR(Require(engine->durable_through() == events.size(), "all that is found can be made durable"));
  RETURN_IF_ERROR(Require(engine->state() == state, "the engine's state is the fold of all events"));
  ASSIGN_OR_RETURN(const State by_snapshot, StateAt(engine->log()));
  RETURN_IF_ERROR(Require(by_snapshot == state, "the state by snapshot is the fold of all events"));
  return engine;
}

absl::Status AppendMore(Engine& engine) {
  if (engine.state().status() != OperationStatus::kIdle) RETURN_IF_ERROR(engine.Reset("after the power cut"));
  ASSIGN_OR_RETURN(const OperationHandle handle, engine.Start({}));
  RETURN_IF_ERROR(engine.Checkpoint(handle, {.files_processed = 1, .last_processed_file = std::string(5000, 'x')}));
  RETURN_IF_ERROR(engine.Checkpoint(handle, {.files_processed = 2}, Durability::kSync));
  RETURN_IF_ERROR(Require(engine.durable_through() == engine.state().sequence, "a sync checkpoint is durable"));
  return engine.Complete(handle);
}

absl::Status CheckGoesOn(std::unique_ptr<Engine> engine, const std::string& log, std::size_t events_before) {
  RETURN_IF_ERROR(AppendMore(*engine));
  const State state = engine->state();
  RETURN_IF_ERROR(engine->Close());
  engine.reset();
  ASSIGN_OR_RETURN(const auto events, ReadEvents(log));
  RETURN_IF_ERROR(Require(events.size() >= events_before + 4, "what is appended after the power cut is kept"));
  RETURN_IF_ERROR(Require(events.size() == state.sequence, "nothing else is found behind it"));
  State folded;
  for (const RecordedEvent& event : events) RETURN_IF_ERROR(Apply(event, folded));
  return Require(folded == state, "events appended after the power cut continue the chain");
}

// Of the log as the power cut left it: before a writer has opened it, readers find the same in it.
absl::StatusOr<std::size_t> CountForReaders(const std::string& log) {
  ASSIGN_OR_RETURN(const auto events, ReadEvents(log));
  return events.size();
}

}  // namespace

absl::StatusOr<std::vector<RecordedEvent>> ReadEvents(const std::string& log) {
  ASSIGN_OR_RETURN(const auto reading, OpenLogForReading(log));
  return AllEvents(*reading);
}

void PretendReboot(const std::string& log) {
  std::fstream lock(log + "/writer.lock", std::ios::in | std::ios::out | std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(lock), std::istreambuf_iterator<char>()};
  constexpr std::string_view kBoot = "\nboot ";
  const std::size_t found = text.find(kBoot);
  if (found == std::string::npos || found + kBoot.size() >= text.size()) return;
  const std::size_t digit = found + kBoot.size();
  lock.clear();
  lock.seekp(static_cast<std::streamoff>(digit));
  lock.put(text[digit] == '0' ? '1' : '0');
}

absl::StatusOr<std::int64_t> CheckFoldlogImage(const std::string& log, const std::vector<RecordedEvent>& reference,
                                               const std::vector<RecordedEvent>& earlier) {
  PretendReboot(log);
  const auto for_readers = CountForReaders(log);
  auto engine = OpenAndCheck(log, reference, earlier);
  if (absl::IsNotFound(engine.status())) {
    ASSIGN_OR_RETURN(auto created, Engine::Open(log));
    RETURN_IF_ERROR(Require(created->state() == State{}, "a new log is empty"));
    RETURN_IF_ERROR(CheckGoesOn(std::move(created), log, 0));
    return kNoLog;
  }
  RETURN_IF_ERROR(engine.status());
  RETURN_IF_ERROR(for_readers.status());
  const Sequence last = (*engine)->state().sequence;
  RETURN_IF_ERROR(Require(*for_readers == last, "readers find what the writer does"));
  RETURN_IF_ERROR((*engine)->Close());
  engine->reset();

  const std::string before = FileBytes(log);
  ASSIGN_OR_RETURN(auto again, OpenAndCheck(log, reference, earlier));
  RETURN_IF_ERROR(Require(again->state().sequence == last, "a second opening finds what the first did"));
  RETURN_IF_ERROR(Require(FileBytes(log) == before, "a second opening changes nothing"));
  RETURN_IF_ERROR(Require(again->recovery().last_writer == OwnerFate::kClosedWithoutEnd, "the first closed the log"));
  RETURN_IF_ERROR(CheckGoesOn(std::move(again), log, last));
  return static_cast<std::int64_t>(last);
}

}  // namespace foldlog::power_cut
