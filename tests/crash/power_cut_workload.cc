// The program whose power is cut: an indexer's life on a foldlog log, with everything that writes to the disk. The tail
// is the smallest there is, and moving events on into LMDB is slowed down, so that it laps and fills up again and
// again.
//
//   power_cut_workload run DIRECTORY COMMITS SEED [nosync|nometasync|notailsync]    in DIRECTORY/log
//   power_cut_workload recover DIRECTORY                                            goes on after a power cut
//
// The last word leaves out a flush: LMDB's (mdb_env_open is wrapped by the linker) or that of the tail (so are pwrite
// and fdatasync). With it, a power cut must lose events, and a test that does not notice is worth nothing.

#include <fcntl.h>
#include <lmdb.h>
#include <unistd.h>

#include <chrono>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <string_view>
#include <thread>

#include "engine/base/status_macros.h"
#include "foldlog/engine.h"
#include "tests/crash/recorder.h"

namespace {

unsigned extra_lmdb_flags = 0;
bool tail_is_flushed = true;

// Long enough for the tail to fill up now and then. Where LMDB's flush is left out it has to fill up each time: what a
// commit that was not flushed had set free must be overwritten before the next one makes up for it.
constexpr std::chrono::microseconds kDrainDelay{1'500};
constexpr std::chrono::microseconds kDrainDelayInControl{20'000};

// A flush takes its time on a disk, and others append meanwhile: what comes after it must not be taken for durable.
constexpr std::chrono::microseconds kFlushTime{300};

bool IsTail(int fd) {
  const std::string link = "/proc/self/fd/" + std::to_string(fd);
  char path[PATH_MAX] = {};
  const ssize_t size = readlink(link.c_str(), path, sizeof path);
  return size > 0 && std::string_view(path, static_cast<std::size_t>(size)).ends_with("/tail");
}

}  // namespace

// NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming): names that the linker gives
extern "C" {
int __real_mdb_env_open(MDB_env* env, const char* path, unsigned flags, mdb_mode_t mode);
int __wrap_mdb_env_open(MDB_env* env, const char* path, unsigned flags, mdb_mode_t mode) {
  return __real_mdb_env_open(env, path, flags | extra_lmdb_flags, mode);
}

int __real_mdb_txn_begin(MDB_env* env, MDB_txn* parent, unsigned flags, MDB_txn** txn);
int __wrap_mdb_txn_begin(MDB_env* env, MDB_txn* parent, unsigned flags, MDB_txn** txn) {
  if ((flags & MDB_RDONLY) == 0) {
    std::this_thread::sleep_for(extra_lmdb_flags != 0 ? kDrainDelayInControl : kDrainDelay);
  }
  return __real_mdb_txn_begin(env, parent, flags, txn);
}

int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd) {
  if (!IsTail(fd)) return __real_fdatasync(fd);
  const int rc = tail_is_flushed ? __real_fdatasync(fd) : 0;
  std::this_thread::sleep_for(kFlushTime);
  return rc;
}

// What is durable on return by its descriptor is written by another one where the flush is to be left out.
ssize_t __real_pwrite(int fd, const void* data, size_t size, off_t offset);
ssize_t __wrap_pwrite(int fd, const void* data, size_t size, off_t offset) {
  if ((fcntl(fd, F_GETFL) & O_DSYNC) == 0 || !IsTail(fd)) return __real_pwrite(fd, data, size, offset);
  std::this_thread::sleep_for(kFlushTime);
  if (tail_is_flushed) return __real_pwrite(fd, data, size, offset);
  const int plain = open(("/proc/self/fd/" + std::to_string(fd)).c_str(), O_WRONLY | O_CLOEXEC);
  const ssize_t put = __real_pwrite(plain, data, size, offset);
  close(plain);
  return put;
}
}
// NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming)

namespace foldlog {
namespace {

using power_cut::MarkAcknowledged;
using power_cut::MarkSubmitted;

constexpr std::uint64_t kSnapshotIntervalEvents = 29;
constexpr std::uint64_t kTailBytes = std::uint64_t{64} << 10;
constexpr std::chrono::milliseconds kFlushInterval{4};
constexpr std::chrono::seconds kDurableAtLast{60};  // by far, even where the machine is busy
constexpr std::size_t kHugeBytes = 40'000;          // too long for the tail: an event that goes to LMDB directly

// An engine that tells the recorder what it is asked for and what it has promised.
class MarkedEngine {
 public:
  absl::Status Open(const std::string& directory) {
    // Time and ids of its own make one run as good as the next for repeating a failure.
    EngineOptions options;
    options.directory.tail_bytes = kTailBytes;
    options.directory.flush_interval = kFlushInterval;
    options.snapshot_interval_events = kSnapshotIntervalEvents;
    options.clock = [this] { return now_ += 1'000'000; };
    options.new_id = [this] { return "operation-" + std::to_string(++last_id_); };
    ASSIGN_OR_RETURN(engine_, Engine::Open(directory, std::move(options)));
    last_ = engine_->state().sequence;
    MarkAcknowledged(engine_->durable_through());
    return absl::OkStatus();
  }

  // `command` appends `events` events and returns a status, or a handle that is kept.
  template <typename Command>
  absl::Status Do(std::uint64_t events, Durability durability, const Command& command) {
    MarkSubmitted(last_ + events);
    RETURN_IF_ERROR(Keep(command(*engine_)));
    last_ += events;
    if (engine_->state().sequence != last_) return absl::InternalError("the workload has lost count");
    if (durability == Durability::kSync) return AcknowledgeAll();
    MarkAcknowledged(engine_->durable_through());
    return absl::OkStatus();
  }

  // What nobody waits for becomes durable nevertheless, and soon.
  absl::Status WaitUntilDurable() {
    const auto deadline = std::chrono::steady_clock::now() + kDurableAtLast;
    while (engine_->durable_through() < last_) {
      if (std::chrono::steady_clock::now() > deadline) return absl::InternalError("the interval is over long since");
      std::this_thread::sleep_for(kFlushInterval / 4);
      MarkAcknowledged(engine_->durable_through());
    }
    return absl::OkStatus();
  }

  absl::Status Close() {
    RETURN_IF_ERROR(engine_->Close());
    RETURN_IF_ERROR(AcknowledgeAll());
    engine_.reset();
    return absl::OkStatus();
  }
  Engine& engine() { return *engine_; }
  const OperationHandle& handle() const { return handle_; }

 private:
  absl::Status AcknowledgeAll() {
    if (engine_->durable_through() != last_) return absl::InternalError("what should be durable is not said to be");
    MarkAcknowledged(last_);
    return absl::OkStatus();
  }

  static absl::Status Keep(absl::Status status) { return status; }
  absl::Status Keep(absl::StatusOr<OperationHandle> handle) {
    if (handle.ok()) handle_ = *handle;
    return handle.status();
  }

  std::unique_ptr<Engine> engine_;
  OperationHandle handle_;
  std::uint64_t last_ = 0;
  TimeNs now_ = 1'700'000'000'000'000'000;
  int last_id_ = 0;
};

class Workload {
 public:
  Workload(std::string log, int commits, std::uint64_t seed)
      : log_(std::move(log)), commits_left_(commits), random_(seed) {}

  absl::Status Run() {
    RETURN_IF_ERROR(marked_.Open(log_));
    for (int operation = 0; commits_left_ > 0; ++operation) RETURN_IF_ERROR(RunOperation(operation));
    return marked_.Close();
  }

 private:
  // Each other one is long enough to lap the tail; those between are paused, closed and opened again in the middle.
  // They end in different ways.
  absl::Status RunOperation(int operation) {
    RETURN_IF_ERROR(Lifecycle([&](Engine& e) { return e.Start({.total_files = 100, .roots = {Text(40)}}); }));
    const bool is_long = operation % 2 == 0;
    for (int i = 0; i < (is_long ? 60 : 12); ++i) RETURN_IF_ERROR(CheckpointSome());
    if (!is_long) {
      RETURN_IF_ERROR(Lifecycle([&](Engine& e) { return e.Pause(marked_.handle(), Text(30)); }));
      RETURN_IF_ERROR(marked_.Close());
      RETURN_IF_ERROR(marked_.Open(log_));
      RETURN_IF_ERROR(Lifecycle([&](Engine& e) { return e.Resume(marked_.handle().operation_id); }));
    }
    for (int i = 0; i < 8; ++i) RETURN_IF_ERROR(CheckpointSome());
    RETURN_IF_ERROR(marked_.WaitUntilDurable());
    if (operation % 4 == 3) return Lifecycle([&](Engine& e) { return e.Reset("for a change"); });
    RETURN_IF_ERROR(Lifecycle([&](Engine& e) {
      return operation % 4 == 2 ? e.Fail(marked_.handle(), Text(300)) : e.Complete(marked_.handle(), {{"files", 9.5}});
    }));
    return operation % 4 == 1 ? Lifecycle([](Engine& e) { return e.Clear(); }) : absl::OkStatus();
  }

  absl::Status CheckpointSome() {
    std::vector<Checkpoint> checkpoints(random_() % 6 == 0 ? 4 : 1);
    for (Checkpoint& checkpoint : checkpoints) {
      checkpoint = {.files_processed = ++files_, .last_processed_file = Text(random_() % 3 == 0 ? 4000 : 80)};
    }
    if (commits_left_ == kHugeAtCommitsLeft) checkpoints[0].current_path = Text(kHugeBytes);
    if (commits_left_ == kHugeAtCommitsLeft - 1) checkpoints[0].current_path = "small again";
    const Durability durability = random_() % 3 == 0 ? Durability::kSync : Durability::kInterval;
    RETURN_IF_ERROR(Commit(checkpoints.size(), durability,
                           [&](Engine& e) { return e.Checkpoint(marked_.handle(), checkpoints, durability); }));
    // Now and then the interval ends between two checkpoints.
    if (random_() % 16 == 0) std::this_thread::sleep_for(kFlushInterval / 2);
    return absl::OkStatus();
  }

  template <typename Command>
  absl::Status Lifecycle(const Command& command) {
    return Commit(1, Durability::kSync, command);
  }

  template <typename Command>
  absl::Status Commit(std::uint64_t events, Durability durability, const Command& command) {
    --commits_left_;
    return marked_.Do(events, durability, command);
  }

  std::string Text(std::size_t bytes_max) {
    std::string text(bytes_max / 2 + random_() % (bytes_max / 2 + 1), '\0');
    for (char& c : text) c = static_cast<char>(random_());
    return text;
  }

  // Not many, since the file is large from there on and each image a copy of it.
  static constexpr int kHugeAtCommitsLeft = 9;

  const std::string log_;
  int commits_left_;
  MarkedEngine marked_;
  std::int64_t files_ = 0;
  std::mt19937_64 random_;
};

absl::Status Recover(const std::string& log) {
  MarkedEngine marked;
  RETURN_IF_ERROR(marked.Open(log));
  const auto lifecycle = [&](const auto& command) { return marked.Do(1, Durability::kSync, command); };
  if (const auto interrupted = marked.engine().current_handle()) {
    // Whether the former owner is provably gone depends on what the lock file says after the power cut.
    RETURN_IF_ERROR(lifecycle([&](Engine& e) {
      auto handle = e.Resume(interrupted->operation_id);
      return handle.ok() ? handle : e.RecoverByForce(interrupted->operation_id, "the power is back");
    }));
  } else {
    if (marked.engine().state().status() != OperationStatus::kIdle) {
      RETURN_IF_ERROR(lifecycle([](Engine& e) { return e.Clear(); }));
    }
    RETURN_IF_ERROR(lifecycle([](Engine& e) { return e.Start({}); }));
  }
  for (const Durability durability : {Durability::kInterval, Durability::kSync, Durability::kInterval}) {
    RETURN_IF_ERROR(marked.Do(1, durability, [&](Engine& e) {
      return e.Checkpoint(marked.handle(), {.files_processed = 1, .current_path = std::string(700, 'r')}, durability);
    }));
  }
  RETURN_IF_ERROR(lifecycle([&](Engine& e) { return e.Complete(marked.handle()); }));
  return marked.Close();
}

}  // namespace
}  // namespace foldlog

int main(int argc, char** argv) {
  const std::string command = argc > 2 ? argv[1] : "";
  const std::string left_out = argc > 5 ? argv[5] : "";
  if (left_out == "nosync") extra_lmdb_flags = MDB_NOSYNC;
  if (left_out == "nometasync") extra_lmdb_flags = MDB_NOMETASYNC;
  if (left_out == "notailsync") tail_is_flushed = false;
  absl::Status status =
      absl::InvalidArgumentError("usage: power_cut_workload run|recover DIRECTORY [COMMITS SEED [NO]]");
  if (command == "run" && argc > 4) {
    status = foldlog::Workload(std::string(argv[2]) + "/log", atoi(argv[3]), strtoull(argv[4], nullptr, 10)).Run();
  }
  if (command == "recover") status = foldlog::Recover(std::string(argv[2]) + "/log");
  if (!status.ok()) fprintf(stderr, "power_cut_workload: %s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}
