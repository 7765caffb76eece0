// An operation, and what is known of its log, for tests of what the program shows.

#ifndef FOLDLOG_TESTS_SUPPORT_RENDER_SUPPORT_H_
#define FOLDLOG_TESTS_SUPPORT_RENDER_SUPPORT_H_

#include <ostream>
#include <string>

#include "foldlog/event.h"
#include "foldlog/owner.h"
#include "foldlog/state.h"
#include "tools/cli/log_view.h"
#include "tools/cli/styled.h"

namespace foldlog::cli {

inline constexpr TimeNs kStart = 1767323045123456789;  // 2026-01-02T03:04:05.123456789Z
inline constexpr TimeNs kSecond = 1'000'000'000;

inline Owner SomeOwner() {
  return {.instance = "i",
          .machine_id = "m",
          .boot_id = "b",
          .pid_namespace = 4,
          .pid = 4711,
          .start_ticks = 9,
          .holds_log = true,
          .program = "foldlog",
          .host = "nas"};
}

inline Operation SomeOperation() {
  Operation operation;
  operation.operation_id = "op-1";
  operation.type = OperationType::kIncremental;
  operation.epoch = 2;
  operation.owner = SomeOwner();
  operation.roots = {"/photos", "/b\xff"};
  operation.metadata = {{"who", "me"}};
  operation.total_files = 2000;
  operation.files_processed = 500;
  operation.last_processed_file = "/photos/\x1b[2J\n.jpg";
  operation.rate = 1.0;
  operation.active_ns = 10 * kSecond;
  operation.started_at = kStart;
  operation.updated_at = kStart + 10 * kSecond;
  operation.last_progress_at = operation.updated_at;
  operation.first_sequence = 1;
  operation.last_sequence = 7;
  operation.checkpoints = 5;
  return operation;
}

inline LogView ViewOf(const Operation& operation, OwnerFate fate = OwnerFate::kAlive, bool interrupted = false) {
  LogView view;
  view.state = {.sequence = 7, .epoch = 2, .operation = operation, .seen = operation.updated_at};
  view.extent = {.base = {}, .end = {.sequence = 9, .hash = 1}, .durable_through = 9, .stored_through = 9};
  view.writer = {.held = !interrupted, .writer = SomeOwner()};
  view.hash = 0x0123456789abcdef;
  view.fate = fate;
  view.interrupted = interrupted;
  return view;
}

// For GoogleTest, of what differs.
inline void PrintTo(const StyledLine& line, std::ostream* out) { *out << '"' << line.text << '"'; }

inline std::string Joined(const Lines& lines) {
  std::string text;
  for (const StyledLine& line : lines) text += line.text + "\n";
  return text;
}

}  // namespace foldlog::cli

#endif  // FOLDLOG_TESTS_SUPPORT_RENDER_SUPPORT_H_
