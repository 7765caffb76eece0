// Engine: commands in, events out; the state is a fold over what was appended.
//
//   auto engine = foldlog::Engine::Open("/var/lib/photos/index.foldlog").value();
//   auto handle = engine->Start({.type = foldlog::OperationType::kInitial, .total_files = 1000}).value();
//   absl::Status saved = engine->Checkpoint(handle, {.files_processed = 500, .last_processed_file = "img_0500.jpg"});
//   absl::Status ended = engine->Complete(handle, {{"bytes", std::int64_t{123456}}});
//
// At most one operation is active at a time. After a crash, open the log again: state() shows the operation still in
// progress, interruption() says what became of its owner, and Resume() goes on with it.
//
// A checkpoint is kill-safe when the call returns: it survives the death of the process, but may be lost to a power cut
// within the next 50 ms (LogDirectoryOptions::flush_interval). With Durability::kSync the call returns when it is
// durable. All other commands are durable when they return, and with them all checkpoints before.
//
// Threads: every method may be called from any thread at any time; calls take effect one after the other, in an order
// that is theirs. Of threads that do `++done` and then Checkpoint(done), one may overtake another: so a count that is
// less than the present one leaves it as it is, unless the call says otherwise (Decrease), and progress never runs
// backwards by accident. Threads that share an operation are better off with Advance(), which adds under the engine's
// lock: what is added is never lost, and never counted twice. The path, the file and the batch number are those of the
// call that took effect last.
//
// In a child made by fork() every command is refused; do not ask there for state. A child that has to write opens the
// log when its parent has closed it.
// Ownership: the engine owns its log; destroying it closes the log. Close() does the same and reports errors.
//
// Errors: Aborted, the handle is stale: the operation was taken over, or another one was started since; stop working on
// it, state() tells who has it. FailedPrecondition, the transition is refused in this state: the operation is paused,
// ended, or was taken off the row. InvalidArgument, such as a count that is negative, or an event of more than 4 MiB.
// What ends or interrupts an operation is recorded nevertheless: reason, error and statistics are cut as far as need be
// (shorter still on a full disk), with a mark that tells so. DataLoss, stored bytes are damaged; or the log holds an
// event that does not follow from those before it, and Reset() goes on from there. ResourceExhausted, the disk, a quota
// or the limit on file sizes is full (the library raises no SIGXFSZ, whether or not the program ignores it):
// nothing was appended and the call may be repeated; room is kept to pause, complete, fail and clear nevertheless.
// Unavailable, the disk has failed, now or earlier: whether the latest events are stored is not known; open the log
// anew.

#ifndef FOLDLOG_ENGINE_H_
#define FOLDLOG_ENGINE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "foldlog/command.h"
#include "foldlog/event.h"
#include "foldlog/event_log.h"
#include "foldlog/log_directory.h"
#include "foldlog/state.h"
#include "foldlog/system_clock.h"

namespace foldlog {

// What has to be true when a call returns.
enum class Durability {
  kSync,      // the events of the call and all before them are durable: they survive power loss
  kInterval,  // they are kill-safe, and durable within the log's flush interval
};

struct EngineOptions {
  LogDirectoryOptions directory = {};

  // Time and operation ids; SystemClock() and random UUIDs unless given. Called with the engine's lock held. A clock
  // may give a TimeNs alone; then the time that passes is what the wall clock says.
  std::function<Moment()> clock = {};
  std::function<std::string()> new_id = {};

  // The process that answers for operations started and resumed here, when it is not the one that holds the log: a
  // script that calls a program for every step names itself.
  std::optional<Owner> on_behalf_of = {};

  // A snapshot of the state is stored every so many events, so that opening folds at most that many.
  std::uint64_t snapshot_interval_events = 4096;
};

class Engine {
 public:
  // Opens or creates the log in `directory` as its one writer.
  static absl::StatusOr<std::unique_ptr<Engine>> Open(const std::string& directory, EngineOptions options = {});

  // The same on a log of any kind, such as one in memory.
  static absl::StatusOr<std::unique_ptr<Engine>> Open(WritableLog log, EngineOptions options = {});

  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // Starts an operation. Refused while one is in progress or paused.
  absl::StatusOr<OperationHandle> Start(const StartRequest& request);

  // Records progress, in progress or paused. The second form appends several at once: all or none, unless the process
  // or the power dies meanwhile, which may leave the first ones.
  absl::Status Checkpoint(const OperationHandle& handle, const foldlog::Checkpoint& checkpoint,
                          Durability durability = Durability::kInterval, Decrease decrease = Decrease::kIgnored);
  absl::Status Checkpoint(const OperationHandle& handle, std::span<const foldlog::Checkpoint> checkpoints,
                          Durability durability = Durability::kInterval, Decrease decrease = Decrease::kIgnored);

  // The same, counted from where the operation stands when the call takes effect; from any number of threads. Returns
  // the total then.
  //
  //   engine->Advance(handle, {.last_processed_file = name});                                    // one more file
  //   engine->Advance(handle, {.files_added = 0, .error = FileError{name, "unreadable"}});
  absl::StatusOr<std::int64_t> Advance(const OperationHandle& handle, const Increment& increment,
                                       Durability durability = Durability::kInterval);

  absl::Status Pause(const OperationHandle& handle, const std::string& reason = "");

  // Goes on with a paused operation, or with one in progress whose owner is proven gone (the log records the evidence).
  absl::StatusOr<OperationHandle> Resume(const std::string& operation_id, const std::string& reason = "");

  // Takes over an operation in progress although nothing proves that its owner is gone. The reason is required and
  // recorded. The former owner's handle becomes stale.
  absl::StatusOr<OperationHandle> RecoverByForce(const std::string& operation_id, const std::string& reason);

  absl::Status Complete(const OperationHandle& handle, const Stats& stats = {});
  absl::Status Fail(const OperationHandle& handle, const std::string& error);

  // Takes a completed or failed operation off the row. Its history stays.
  absl::Status Clear();

  // Takes whatever there is off the row, for maintenance. Every handle becomes stale.
  absl::Status Reset(const std::string& reason = "");

  // Goes on with an operation that an older program kept as the single row of a table (single_row.h), including its
  // errors. Refused unless this log's own row is empty. The projection then shows `row` as it was given, byte for byte,
  // until the next event. `source` says where the row was, for the auditor.
  //
  // An operation in progress is from now on this process's own. That the older program has stopped nothing here can
  // know. If this process goes, too, it is resumed like any other.
  //
  // InvalidArgument if it is no such row: the message names the column or member. Nothing is appended then.
  absl::StatusOr<OperationHandle> Import(const SingleRow& row, const std::string& source = "");

  // The state as of the last event appended.
  State state() const;

  // The handle that is valid now, for programs that hold none, such as a script's next step; nothing if no operation is
  // active.
  std::optional<OperationHandle> current_handle() const;

  // What has become of the owner of the operation in progress; nothing if there is no such operation, or it is owned
  // through this engine.
  std::optional<OwnerFate> interruption() const;

  // How long the operation has been at work until now; pauses and interruptions do not count. 0 if there is none.
  std::int64_t active_ns() const;

  // The last event known to survive power loss.
  Sequence durable_through() const;

  // What opening the log found of the writer before: events in the tail only, torn frames, how that writer ended.
  const RecoveryReport& recovery() const;

  // Makes everything appended so far durable.
  absl::Status Flush();

  // The log, for reading (EventReader, Replayer, History). Valid as long as the engine.
  const EventLog& log() const;

  // Makes everything durable and lets go of the log. Later commands are refused.
  absl::Status Close();

 private:
  struct Impl;
  explicit Engine(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace foldlog

#endif  // FOLDLOG_ENGINE_H_
