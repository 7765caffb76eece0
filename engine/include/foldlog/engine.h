// Engine: commands in, events out; the state is a fold over the events.
//
//   auto engine = foldlog::Engine::Open("/var/lib/photos/index.foldlog").value();
//   auto handle = engine->Start({.type = foldlog::OperationType::kInitial, .total_files = 1000}).value();
//   absl::Status saved = engine->Checkpoint(handle, {.files_processed = 500, .last_processed_file = "img_0500.jpg"});
//   absl::Status ended = engine->Complete(handle, {{"bytes", std::int64_t{123456}}});
//
// At most one operation is active at a time. After a crash, open the log again: state() shows the operation still in
// progress, interruption() says what became of its owner, and Resume() goes on with it.
//
// A checkpoint is kill-safe when the call returns: it survives the death of the process, but a power cut within the
// next 50 ms (LogDirectoryOptions::flush_interval) may lose it. With Durability::kSync the call returns when the
// checkpoint is durable. All other commands are durable when they return, and with them all checkpoints before.
//
// Threads: any thread may call any method at any time; calls take effect one after the other, in an order of their own.
// If threads do `++done` and then Checkpoint(done), one may overtake another. So a count below the present one leaves
// the count as it is, unless the call says otherwise (Decrease), and progress never runs backwards by accident. Threads
// that share an operation should use Advance(), which adds under the engine's lock: no increment is lost or counted
// twice. The path, the file and the batch number are those of the call that took effect last.
//
// In a child made by fork() every command is refused; do not ask for the state there. A child that has to write opens
// the log after its parent has closed it.
//
// Ownership: the engine owns its log. Its destructor closes the log, as Close() does, which also reports errors.
//
// Errors of every command:
//
//   Aborted: the handle is stale, because the operation was taken over or another one was started. Stop working on
//     it; state() tells who has it.
//   FailedPrecondition: this state does not allow the transition: the operation is paused, has ended, or is off the
//     row.
//   InvalidArgument: a value is wrong, such as a negative count, or the event takes more than its limit. Commands
//     that end or interrupt an operation are recorded nevertheless: reason, error and statistics are cut as far as
//     need be (further on a full disk), with a mark that says so.
//   DataLoss: stored bytes are damaged; or the log holds an event that does not follow from those before it, and
//     Reset() goes on from there.
//   ResourceExhausted: the disk, a quota or the limit on file sizes is full. Nothing was appended, and the call may
//     be repeated. Room is kept to pause, complete, fail and clear nevertheless. (The library raises no SIGXFSZ,
//     whether or not the program ignores it.)
//   Unavailable: the disk has failed, now or earlier, and nobody knows whether the latest events are stored. Open
//     the log anew.

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
#include "foldlog/retention.h"
#include "foldlog/state.h"
#include "foldlog/system_clock.h"

namespace foldlog {

// What must be true of a call's events when it returns.
enum class Durability {
  kSync,      // the events of the call and all before them are durable: they survive power loss
  kInterval,  // they are kill-safe, and durable within the log's flush interval
};

// How an engine opens its log and works on it. The defaults suit a program that indexes on its own.
struct EngineOptions {
  // Ignored for a log that is open already.
  LogDirectoryOptions directory = {};

  // The clock and the source of operation ids; by default SystemClock() and random UUIDs. Both are called with the
  // engine's lock held, so they must not call the engine. A clock may return a TimeNs alone; then the time that passes
  // is that of the wall clock.
  std::function<Moment()> clock = {};
  std::function<std::string()> new_id = {};

  // The process that answers for operations started and resumed here, if it is not the one that holds the log: a script
  // that calls a program for every step names itself.
  std::optional<Owner> on_behalf_of = {};

  // What the engine prunes after an operation has ended; by default by the policy that is stored with the log. The
  // events go with the transactions that store later ones, so no checkpoint waits for it.
  std::optional<RetentionPolicy> retention = {};

  // The number of events between two stored snapshots of the state, and so the most that opening folds.
  std::uint64_t snapshot_interval_events = 4096;
};

// The one writer of a log. See the head of this file for threads, durability and errors.
class Engine {
 public:
  // Opens or creates the log in `directory` as its only writer, and folds its state. Errors as OpenLogForWriting() has
  // them.
  static absl::StatusOr<std::unique_ptr<Engine>> Open(const std::string& directory, EngineOptions options = {});

  // The same on a log of any kind, such as one in memory, which the engine then owns.
  static absl::StatusOr<std::unique_ptr<Engine>> Open(WritableLog log, EngineOptions options = {});

  // Closes the log, and ignores errors. In a child made by fork() it does the parent no harm.
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // Starts an operation, owned by this process. FailedPrecondition while one is in progress or paused; the message says
  // what to do about it. Durable on return.
  absl::StatusOr<OperationHandle> Start(const StartRequest& request, const CommandContext& context = {});

  // Records progress of an operation that is in progress or paused. The second form appends several checkpoints at
  // once: all or none, unless the process dies or the power fails during the call, which may leave the first ones.
  absl::Status Checkpoint(const OperationHandle& handle, const foldlog::Checkpoint& checkpoint,
                          Durability durability = Durability::kInterval, Decrease decrease = Decrease::kIgnored,
                          const CommandContext& context = {});
  absl::Status Checkpoint(const OperationHandle& handle, std::span<const foldlog::Checkpoint> checkpoints,
                          Durability durability = Durability::kInterval, Decrease decrease = Decrease::kIgnored,
                          const CommandContext& context = {});

  // Records progress as Checkpoint() does, counted from where the operation stands when the call takes effect; for any
  // number of threads. Returns the new total.
  //
  //   engine->Advance(handle, {.last_processed_file = name});                                    // one more file
  //   engine->Advance(handle, {.files_added = 0, .error = FileError{name, "unreadable"}});
  absl::StatusOr<std::int64_t> Advance(const OperationHandle& handle, const Increment& increment,
                                       Durability durability = Durability::kInterval,
                                       const CommandContext& context = {});

  // Pauses an operation in progress; the time until it is resumed does not count. `reason` is for the auditor. The
  // handle stays valid for checkpoints, and to complete or fail the operation. Durable on return.
  absl::Status Pause(const OperationHandle& handle, const std::string& reason = "", const CommandContext& context = {});

  // Goes on with a paused operation, or with one in progress whose owner is proven gone; the log records the evidence.
  // The new handle makes earlier ones stale. FailedPrecondition if nothing proves that the owner is gone. Durable on
  // return.
  absl::StatusOr<OperationHandle> Resume(const std::string& operation_id, const std::string& reason = "",
                                         const CommandContext& context = {});

  // Takes over an operation in progress although nothing proves that its owner is gone. `reason` is required, and
  // recorded. The former owner's handle becomes stale. Durable on return.
  absl::StatusOr<OperationHandle> RecoverByForce(const std::string& operation_id, const std::string& reason,
                                                 const CommandContext& context = {});

  // Ends the operation as completed, with figures for the auditor. Durable on return.
  absl::Status Complete(const OperationHandle& handle, const Stats& stats = {}, const CommandContext& context = {});
  // Ends the operation as failed; `error` also counts as one of its errors. Durable on return.
  absl::Status Fail(const OperationHandle& handle, const std::string& error, const CommandContext& context = {});

  // Takes a completed or failed operation off the row; the log keeps its history. FailedPrecondition if there is none,
  // or it is active. Durable on return.
  absl::Status Clear(const CommandContext& context = {});

  // Takes any operation off the row, for maintenance, and goes on behind a misfit. Every handle becomes stale. Never
  // refused for the state. Durable on return.
  absl::Status Reset(const std::string& reason = "", const CommandContext& context = {});

  // Goes on with an operation that an older program kept as the single row of a table, including its errors; see
  // ImportedFrom() in single_row.h, which makes `operation` of such a row. Refused unless this log's own row is empty.
  // The projection then shows the row as it was, byte for byte, until the next event. An operation without an id is
  // given one. Its event may take 64 MiB.
  //
  // An operation in progress is from now on this process's own: `operation.owner` is set here. That the older program
  // has stopped nothing here can know. If this process goes, too, it is resumed like any other.
  absl::StatusOr<OperationHandle> Import(Imported operation, const CommandContext& context = {});

  // A copy of the state after the last event appended, durable or not.
  State state() const;

  // The handle that is valid now, for programs that keep none, such as a script's next step; nothing if no operation is
  // active.
  std::optional<OperationHandle> current_handle() const;

  // What has become of the owner of the operation in progress; nothing if there is no such operation, or this engine
  // owns it. Looks at the running system on each call.
  std::optional<OwnerFate> interruption() const;

  // How long the operation has been at work until now, in nanoseconds, without pauses and interruptions. 0 if there is
  // none.
  std::int64_t active_ns() const;

  // The last event known to survive a power cut.
  Sequence durable_through() const;

  // What opening the log found: events that only the tail had, torn frames, and how the last writer ended. Does not
  // change.
  const RecoveryReport& recovery() const;

  // Makes everything appended so far durable. Other threads may go on meanwhile.
  absl::Status Flush();

  // The log, for reading (EventReader, Replayer, ReadHistory()). Valid as long as the engine.
  const EventLog& log() const;

  // Makes everything durable and gives up the log. Later commands are refused; a second Close() does nothing.
  absl::Status Close();

 private:
  struct Impl;
  explicit Engine(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace foldlog

#endif  // FOLDLOG_ENGINE_H_
