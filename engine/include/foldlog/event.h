// The events of a foldlog log, as plain values.
//
//   void Print(const RecordedEvent& recorded) {
//     std::cout << recorded.sequence << " " << KindName(recorded.event.body) << "\n";
//     if (const auto* failed = std::get_if<Failed>(&recorded.event.body)) std::cout << failed->error << "\n";
//   }
//
// An event is an immutable fact about an indexing operation. Events are appended to a log, numbered 1, 2, 3 … without
// gaps, and never changed; the present state is a fold over them (state.h). Values copy; none of these types holds a
// resource or is tied to a thread.
//
// Paths, reasons and error texts are bytes, because file names on Linux need not be UTF-8.

#ifndef FOLDLOG_EVENT_H_
#define FOLDLOG_EVENT_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "foldlog/owner.h"

namespace foldlog {

// The number of an event in its log: 1, 2, 3 … without gaps. 0 stands before the first event.
using Sequence = std::uint64_t;

// Fencing epoch: grows with each start, resume and recovery, so that a handle from before is recognised as stale.
using Epoch = std::uint64_t;

// Nanoseconds since 1970-01-01T00:00:00 UTC.
using TimeNs = std::int64_t;

// A boot of the machine, as an event saw it. The kernel counts the time since boot, and nobody can set it. So within a
// boot the time between two events is known, even if the wall clock was set meanwhile: `at` changes by as much as the
// clock was set.
struct Boot {
  // When the boot began, by the wall clock of the event, in whole milliseconds.
  TimeNs at = 0;
  // Tells boots apart. 0: unknown, and then `at` says nothing.
  std::uint32_t id = 0;
  bool operator==(const Boot&) const = default;
};

// A reading of the clocks. A time alone is a moment of an unknown boot.
struct Moment {
  TimeNs time = 0;
  Boot boot = {};
  Moment() = default;
  Moment(TimeNs wall_clock, Boot of_boot = {}) : time(wall_clock), boot(of_boot) {}
  bool operator==(const Moment&) const = default;
};

enum class OperationType : std::uint16_t { kInitial = 0, kIncremental = 1, kRecovery = 2 };

enum class OperationStatus : std::uint16_t { kIdle = 0, kInProgress = 1, kPaused = 2, kCompleted = 3, kFailed = 4 };

// The proof that the former owner of a recovered operation is gone.
enum class Evidence : std::uint16_t {
  kProcessDied = 0,
  kMachineRebooted = 1,
  kClosedWithoutEnd = 2,
  // No proof: a person decided, and gave a reason.
  kForced = 3,
};

inline constexpr std::size_t kEvidenceKinds = 4;

// Free key/value pairs given at the start of an operation, in the caller's order.
using Metadata = std::vector<std::pair<std::string, std::string>>;

// Named figures given at the end of an operation, in the caller's order.
using StatValue = std::variant<std::int64_t, double, std::string>;
using Stats = std::vector<std::pair<std::string, StatValue>>;

// A file that could not be processed; the operation goes on.
struct FileError {
  std::string path = {};
  std::string message = {};
  // The error as the caller has it, if that is more than path and message: one JSON object in ASCII, as Python's
  // json.dumps writes it, with its own timestamp. The single-row projection shows it unchanged. Empty: nothing more.
  std::string details = {};
  bool operator==(const FileError&) const = default;
};

// An operation begins, under a new epoch, owned by the process that started it.
struct Started {
  std::string operation_id = {};
  OperationType type = OperationType::kInitial;
  std::optional<std::int64_t> total_files = {};
  // The directories that are indexed, as the caller named them.
  std::vector<std::string> roots = {};
  Metadata metadata = {};
  // The process that answers for the operation from now on.
  Owner owner = {};
  bool operator==(const Started&) const = default;
};

// Progress. Only fields that changed are present, but files_processed is always the total since the start of the
// operation.
struct Checkpoint {
  // The total, not the files since the last checkpoint.
  std::int64_t files_processed = 0;
  // The place where the indexer is, and the last file that it has finished.
  std::optional<std::string> current_path = {};
  std::optional<std::string> last_processed_file = {};
  std::optional<std::int64_t> batch_num = {};
  std::optional<FileError> error = {};
  bool operator==(const Checkpoint&) const = default;
};

// The operation stands still until it is resumed, completed or failed.
struct Paused {
  std::string reason = {};  // may be empty
  bool operator==(const Paused&) const = default;
};

// A paused operation goes on, under a new owner.
struct Resumed {
  std::string reason = {};  // may be empty
  // The process that resumed it.
  Owner owner = {};
  bool operator==(const Resumed&) const = default;
};

// An interrupted operation goes on, under a new owner; its former owner is gone.
struct Recovered {
  Evidence evidence = Evidence::kProcessDied;
  std::string reason = {};  // may be empty, unless evidence is kForced
  // The process that took it over.
  Owner owner = {};
  bool operator==(const Recovered&) const = default;
};

// The operation has ended well.
struct Completed {
  Stats stats = {};
  bool operator==(const Completed&) const = default;
};

// The operation has ended with an error; what it did until then stays recorded.
struct Failed {
  std::string error = {};
  bool operator==(const Failed&) const = default;
};

// The ended operation is taken off the row. The log keeps its history.
struct Cleared {
  bool operator==(const Cleared&) const = default;
};

// Maintenance: any operation is taken off the row, active or not. The log keeps its history.
struct Reset {
  std::string reason = {};  // may be empty
  bool operator==(const Reset&) const = default;
};

// An operation as the one row of a table `indexing_state`, in which older programs kept it (single_row.h).
struct SingleRow {
  std::string operation_type = {};
  std::string status = {};
  std::string checkpoint_data = {};  // JSON
  std::int64_t started_at = 0;       // seconds, like the next two
  std::int64_t updated_at = 0;
  std::optional<std::int64_t> completed_at = {};
  bool operator==(const SingleRow&) const = default;
};

struct ImportedError {
  TimeNs time = 0;
  FileError error = {};
  bool operator==(const ImportedError&) const = default;
};

// An operation that an older program kept in a single row goes on here, with all that the row says of it.
struct Imported {
  std::string operation_id = {};
  OperationType type = OperationType::kInitial;
  OperationStatus status = OperationStatus::kInProgress;
  std::optional<std::int64_t> total_files = {};
  std::int64_t files_processed = 0;
  std::int64_t batch_num = 0;
  std::optional<std::string> current_path = {};
  std::optional<std::string> last_processed_file = {};
  double rate = 0.0;
  TimeNs started_at = 0;
  TimeNs last_update = 0;
  TimeNs updated_at = 0;
  TimeNs ended_at = 0;       // if it was completed or failed
  std::string failure = {};  // if it failed
  std::vector<ImportedError> errors = {};
  Owner owner = {};                   // the process that imported it
  std::string source = {};            // where the row was, for the auditor
  std::optional<SingleRow> row = {};  // the row itself, if the above does not give it byte for byte
  bool operator==(const Imported&) const = default;
};

// Every kind of event, in the order of KindNames().
using EventBody =
    std::variant<Started, Checkpoint, Paused, Resumed, Recovered, Completed, Failed, Cleared, Reset, Imported>;

// A fact, with its time, and the epoch of the operation under which it was recorded.
struct Event {
  // The wall clock when the event was decided on.
  TimeNs time = 0;
  // The epoch of its operation; a start, a resumption or a recovery brings a new one.
  Epoch epoch = 0;
  // The kind of the event, and its data.
  EventBody body = {};
  // The boot that `time` is of; unknown if the clock gave only a time.
  Boot boot = {};
  bool operator==(const Event&) const = default;
};

// An event with its place in a log.
struct RecordedEvent {
  Sequence sequence = 0;
  // The hash of its frame, which the next frame of the chain names.
  std::uint64_t hash = 0;
  Event event = {};
  bool operator==(const RecordedEvent&) const = default;
};

// The names used in JSON, on the command line and in messages: "started", "checkpoint", …
std::string_view KindName(const EventBody& body);
std::string_view Name(OperationType type);      // "initial", "incremental", "recovery"
std::string_view Name(OperationStatus status);  // "idle", "in_progress", "paused", "completed", "failed"
std::string_view Name(Evidence evidence);       // "process_died", "machine_rebooted", …

// The type of that name; nothing if there is none.
std::optional<OperationType> ParseOperationType(std::string_view name);

// All kind names, in the order of EventBody.
const std::vector<std::string_view>& KindNames();

}  // namespace foldlog

#endif  // FOLDLOG_EVENT_H_
