// Checkpoints whose every byte follows from their sequence number: so anybody who finds one can tell whether it is the
// one that was submitted.

#ifndef FOLDLOG_TESTS_CRASH_NUMBERED_EVENTS_H_
#define FOLDLOG_TESTS_CRASH_NUMBERED_EVENTS_H_

#include <cstdint>
#include <random>
#include <string>
#include <variant>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "foldlog/event.h"
#include "foldlog/event_log.h"
#include "foldlog/event_reader.h"

namespace foldlog {

// Most are short, some take pages, and a few are too long for the smallest tail.
inline std::string TextOf(Sequence sequence) {
  std::mt19937_64 random(sequence);  // NOLINT: the same for everybody
  std::size_t bytes = random() % 80;
  if (random() % 4 == 0) bytes = random() % 6'000;
  if (random() % 256 == 0) bytes = 20'000;
  std::string text(bytes, '\0');
  for (char& c : text) c = static_cast<char>(random());
  return text;
}

inline Checkpoint CheckpointOf(Sequence sequence) {
  return {.files_processed = static_cast<std::int64_t>(sequence), .current_path = TextOf(sequence)};
}

// Events of other kinds are not looked into.
inline absl::Status CheckEvent(const RecordedEvent& event) {
  const auto* checkpoint = std::get_if<Checkpoint>(&event.event.body);
  if (checkpoint == nullptr || *checkpoint == CheckpointOf(event.sequence)) return absl::OkStatus();
  return absl::InternalError(absl::StrCat("event ", event.sequence, " is not the one that was submitted"));
}

// Reads the log from the event behind `checked` on, with its chain, and returns the number of its last event.
inline absl::StatusOr<Sequence> CheckEvents(const EventLog& log, Sequence checked = 0) {
  EventReader reader(log, checked + 1);
  Sequence last = checked;
  while (true) {
    ASSIGN_OR_RETURN(const auto event, reader.Next());
    if (!event) return last;
    RETURN_IF_ERROR(CheckEvent(*event));
    last = event->sequence;
  }
}

}  // namespace foldlog

#endif  // FOLDLOG_TESTS_CRASH_NUMBERED_EVENTS_H_
