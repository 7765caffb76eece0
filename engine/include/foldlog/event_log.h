// EventLog: the port between the engine and whatever stores its events.
//
// A log is a chain of frames (schema/FORMAT.md), numbered 1, 2, 3 … without gaps. It knows nothing of what the events
// mean. Every adapter passes the one contract suite in tests/support/event_log_contract.h.
//
// Threads: Append(), PutSnapshot() and Close() are called by one thread at a time; Sync() and everything const may be
// called from any thread meanwhile.
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
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "foldlog/event.h"
#include "foldlog/log_index.h"

namespace foldlog {

// The end of a chain: the number of its last frame, and the hash that the next frame must name as its predecessor's.
struct ChainEnd {
  Sequence sequence = 0;
  std::uint64_t hash = 0;
  bool operator==(const ChainEnd&) const = default;
};

// Consecutive frames, back to back. They are words, not bytes, so that they are aligned for reading in place. The run
// owns them.
struct FrameRun {
  // The frames, each a header and a payload of whole words.
  std::vector<std::uint64_t> words = {};
  ChainEnd before = {};  // the end of the chain before the first frame
  ChainEnd after = {};   // the end of the chain behind the last frame

  bool empty() const { return words.empty(); }
  std::uint64_t count() const { return after.sequence - before.sequence; }
  bool operator==(const FrameRun&) const = default;
};

// Which room an append may use. Where room is bounded, a log keeps some in reserve for events that end or interrupt an
// operation, so that they can be recorded when a full disk refuses everything else.
enum class Space { kUnreserved, kReserve };

// What a log holds at one moment.
struct LogExtent {
  ChainEnd base = {};  // the chain starts behind it: sequence 0 in a log that was never pruned
  ChainEnd end = {};   // the last event
  // The last event known to be durable, and the last one in the log's store; the events behind that are in its tail, if
  // it has one.
  Sequence durable_through = {};
  Sequence stored_through = {};
  // Events behind `end` up to this one were durable and are gone: the log is damaged, and Read() of them says so. 0 if
  // none is known to be missing, and in logs opened for writing.
  Sequence missing_through = {};
};

// Events that can't be read, both inclusive, although the log goes on behind them.
struct Gap {
  Sequence from = 0;
  Sequence through = 0;
  bool operator==(const Gap&) const = default;
};

// The encoded fold of all events up to `at`. To the log, its words are opaque.
struct Snapshot {
  ChainEnd at = {};
  std::vector<std::uint64_t> words = {};
};

// A range of events at the beginning of a log that was dropped: the log's base moved from `before` to `behind`. What
// the index tells of its operations stays.
struct PrunedRange {
  ChainEnd before = {};
  ChainEnd behind = {};
  TimeNs time = 0;               // of the last pruning, if there were several
  std::uint64_t times = 1;       // how many prunings it tells of
  std::uint64_t operations = 0;  // rows of operations that stay of events up to `behind`, since the log was created
  std::string policy = {};       // what asked for it, for people
  std::string by = {};           // who did it, for people
  bool operator==(const PrunedRange&) const = default;
};

// What is to be dropped, and the encoded fold of all events up to range.behind, from which folds go on afterwards.
struct PruneRequest {
  PrunedRange range = {};
  std::vector<std::uint64_t> state = {};
};

// A batch of events in the store. It reaches up to the next one.
struct StoredBatch {
  Sequence first = 0;
  std::uint64_t bytes = 0;  // that it takes on the disk
};

// The room that a log takes. 0 where a log has no file.
struct LogSpace {
  std::uint64_t used_bytes = 0;   // of the store's file: pages that hold something
  std::uint64_t free_bytes = 0;   // pages that the next events use first
  std::uint64_t file_bytes = 0;   // the length of that file, holes included
  std::uint64_t disk_bytes = 0;   // that file's share of the disk
  std::uint64_t other_bytes = 0;  // the disk's share of all other files of the log
};

// A log of frames. `name()` stands in the messages of its errors.
class EventLog {
 public:
  virtual ~EventLog() = default;
  EventLog(const EventLog&) = delete;
  EventLog& operator=(const EventLog&) = delete;

  // Appends all frames of `run` or none. They are kill-safe when the call returns: they survive the death of the
  // process, but a power cut only after Sync() or the adapter's own interval. A death during the call may leave the
  // first part of the run. Aborted unless run.before is the end of this log.
  virtual absl::Status Append(const FrameRun& run, Space space) = 0;

  // Returns when all events up to `through` are durable. Threads that wait at the same time share one flush. OutOfRange
  // if `through` is behind the end of the log.
  virtual absl::Status Sync(Sequence through) = 0;

  // Stores a snapshot of an event of this log, at once or soon. A lost snapshot costs time, never truth.
  virtual absl::Status PutSnapshot(const Snapshot& snapshot) = 0;

  // What the log holds now; each of its bounds may have grown by the time the caller looks at it.
  virtual absl::StatusOr<LogExtent> Extent() const = 0;

  // A copy of the frames from sequence number `from` on: at least one, and as many more as are at hand and fit into
  // `bytes_max`. Empty if `from` is one past the end; OutOfRange before the first event and further behind the end. The
  // chain is not checked: EventReader does that.
  absl::StatusOr<FrameRun> Read(Sequence from, std::size_t bytes_max) const;

  // Read() into `run`, whose memory is used again: for who reads run after run. The frames are not even walked over:
  // `run.after` is left unknown, and where a frame should be there may be anything. After an error, `run` is of no use.
  virtual absl::Status ReadInto(Sequence from, std::size_t bytes_max, FrameRun& run) const = 0;

  // What of this log can't be read, rising, if it was opened to be read beyond that (beyond_damage.h); no other log has
  // gaps. Valid as long as the log.
  virtual std::span<const Gap> gaps() const { return {}; }

  // The newest snapshot at or before `at_most`; nothing if there is none.
  virtual absl::StatusOr<std::optional<Snapshot>> FindSnapshot(Sequence at_most) const = 0;

  // Rows of the index (log_index.h), at most `rows_max`: in rising order from the last row with a key of at most `from`
  // on, or the first if there is none; or in falling order from that last row on. Empty if there are no more, and in
  // logs without an index. DataLoss if the index is damaged: its events are not, and tell the same.
  enum class IndexOrder { kRising, kFalling };
  virtual absl::StatusOr<std::vector<IndexRow>> ReadIndex(IndexTable table, Sequence from, IndexOrder order,
                                                          std::size_t rows_max) const;

  // Replaces the whole index by the rows that `indexer` makes of the stored events. FailedPrecondition in logs that
  // have none. Threads: as Append().
  virtual absl::Status RebuildIndex(LogIndexer& indexer);

  // What was pruned, the oldest first; empty if nothing was. Old prunings may be told as one.
  virtual absl::StatusOr<std::vector<PrunedRange>> ReadPruned() const;

  // Moves the base of the log: events up to request.range.behind can't be read afterwards, the index keeps its rows of
  // operations, and FindSnapshot() knows the state at the base. Durable on return; the space is freed by and by, with
  // later transactions. Aborted unless range.before is the base now; InvalidArgument unless range.behind is a later
  // event of the store; FailedPrecondition in logs that can't be pruned. Threads: any, one at a time.
  virtual absl::Status Prune(const PruneRequest& request);

  // Waits until the space of all that was pruned is free, and gives it back to the file system. Threads: as Prune().
  virtual absl::Status FreePruned();

  // The stored batches from that of event `from` on, at most `batches_max`.
  virtual absl::StatusOr<std::vector<StoredBatch>> ReadBatches(Sequence from, std::size_t batches_max) const;

  virtual absl::StatusOr<LogSpace> ReadSpace() const;

  // The policy that is stored with the log, as text (retention.h); empty if there is none.
  virtual absl::StatusOr<std::string> ReadPolicy() const;
  virtual absl::Status StorePolicy(const std::string& policy);

  // Whether the log has an event behind `behind`. Waits until it has, for `timeout` at most, and no longer than until
  // the thread has handled a signal.
  virtual absl::StatusOr<bool> WaitForMore(Sequence behind, std::chrono::milliseconds timeout) const = 0;

  // Makes everything durable and gives up files and lock. Threads that wait are woken, and later calls refused; a
  // second Close() does nothing.
  virtual absl::Status Close() = 0;

  // The log's name in messages: its directory, or "(memory)". Valid as long as the log.
  virtual const std::string& name() const = 0;

 protected:
  EventLog() = default;
};

}  // namespace foldlog

#endif  // FOLDLOG_EVENT_LOG_H_
