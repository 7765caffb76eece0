// EventLog: the port between the engine and whatever stores its events.
//
// A log is a chain of frames (schema/FORMAT.md), numbered 1, 2, 3 … without gaps. It knows nothing of what the events
// mean. Every adapter passes the one contract suite in tests/support/event_log_contract.h.
//
// Threads: Append(), AppendWhole(), PutSnapshot() and Close() are called by one thread at a time; Sync() and everything
// const may be called from any thread meanwhile.
//
// Errors, everywhere: Aborted, the log has moved on, retry with fresh state; FailedPrecondition, not allowed here
// (closed, read-only, forked); DataLoss, stored bytes are damaged; ResourceExhausted, disk full or a limit reached,
// nothing was appended; Unavailable, the log failed earlier and must be opened anew to learn what became of the last
// append.

#ifndef FOLDLOG_EVENT_LOG_H_
#define FOLDLOG_EVENT_LOG_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "foldlog/event.h"

namespace foldlog {

// The end of a chain: where the next frame goes, and the hash that it must name as its predecessor's.
struct ChainEnd {
  Sequence sequence = 0;
  std::uint64_t hash = 0;
  bool operator==(const ChainEnd&) const = default;
};

// Consecutive frames, back to back. Words, so that the bytes are aligned for reading in place.
struct FrameRun {
  std::vector<std::uint64_t> words = {};
  ChainEnd before = {};  // the end of the chain that the first frame continues
  ChainEnd after = {};   // the end of the chain behind the last frame

  bool empty() const { return words.empty(); }
  std::uint64_t count() const { return after.sequence - before.sequence; }
  bool operator==(const FrameRun&) const = default;
};

// Where room is bounded, some of it is kept for the events that end or interrupt an operation, so that they can still
// be recorded when a full disk refuses everything else.
enum class Space { kUnreserved, kReserve };

// What a log holds at one moment.
struct LogExtent {
  ChainEnd base = {};             // the chain starts behind it: sequence 0 in a log that was never pruned
  ChainEnd end = {};              // last event
  Sequence durable_through = {};  // the last event known to be durable
  Sequence stored_through = {};   // the last event in the log's store; those behind it are in its tail, if it has one
  // Behind `end`, events up to this one were durable and are gone: the log is damaged, and Read() of them says so. 0 if
  // none is known to be missing, and in logs opened for writing.
  Sequence missing_through = {};
};

// The encoded fold of all events up to `at`. The bytes are opaque to the log.
struct Snapshot {
  ChainEnd at = {};
  std::vector<std::uint64_t> words = {};
};

class EventLog {
 public:
  virtual ~EventLog() = default;
  EventLog(const EventLog&) = delete;
  EventLog& operator=(const EventLog&) = delete;

  // Appends all frames of `run` or none. They are kill-safe when the call returns: they survive the death of the
  // process, but not power loss until Sync() or the adapter's own interval has made them durable. A death during the
  // call may leave a first part of the run. Aborted unless run.before is the end of this log.
  virtual absl::Status Append(const FrameRun& run, Space space) = 0;

  // Appends all frames of `run` or none, whatever happens meanwhile, and makes them durable: for events that mean
  // nothing without each other. Slower. InvalidArgument if they are too many for that.
  virtual absl::Status AppendWhole(const FrameRun& run) = 0;

  // Returns when all events up to `through` are durable. Threads that wait at the same time share one flush. OutOfRange
  // if `through` is behind the end.
  virtual absl::Status Sync(Sequence through) = 0;

  // Stores a snapshot of an event in this log, at once or soon. Losing one costs time, never truth.
  virtual absl::Status PutSnapshot(const Snapshot& snapshot) = 0;

  virtual absl::StatusOr<LogExtent> Extent() const = 0;

  // The frames from sequence number `from` on: at least one, and as many more as are at hand and fit into `bytes_max`.
  // Empty if `from` is one past the end. OutOfRange before the first event or further behind the end. The bytes are as
  // stored: EventReader checks the chain.
  virtual absl::StatusOr<FrameRun> Read(Sequence from, std::size_t bytes_max) const = 0;

  // The newest snapshot at or before `at_most`; nothing if there is none.
  virtual absl::StatusOr<std::optional<Snapshot>> FindSnapshot(Sequence at_most) const = 0;

  // Whether there is an event behind `behind`: waits until there is, at most for `timeout`, and no longer than until
  // the thread has handled a signal.
  virtual absl::StatusOr<bool> WaitForMore(Sequence behind, std::chrono::milliseconds timeout) const = 0;

  // Makes everything durable and lets go. Later calls are refused, and who waits is told so; a second Close() does
  // nothing.
  virtual absl::Status Close() = 0;

  // For messages: the directory, or "(memory)".
  virtual const std::string& name() const = 0;

 protected:
  EventLog() = default;
};

}  // namespace foldlog

#endif  // FOLDLOG_EVENT_LOG_H_
