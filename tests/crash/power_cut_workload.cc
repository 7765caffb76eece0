// The program whose power is cut: an indexer's life on a foldlog log, with everything that writes to the disk.
//
//   power_cut_workload run DIRECTORY COMMITS [nosync|nometasync]    in DIRECTORY/log
//   power_cut_workload recover DIRECTORY                            opens what a power cut left, and goes on
//
// The last word switches off what makes LMDB safe (mdb_env_open is wrapped by the linker): with it, a power cut must
// lose events, and a test that does not notice is worth nothing.

#include <lmdb.h>

#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>

#include "engine/status_macros.h"
#include "foldlog/engine.h"
#include "tests/crash/recorder.h"

namespace {
unsigned extra_lmdb_flags = 0;
}

// NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming): names that the linker gives
extern "C" {
int __real_mdb_env_open(MDB_env* env, const char* path, unsigned flags, mdb_mode_t mode);
int __wrap_mdb_env_open(MDB_env* env, const char* path, unsigned flags, mdb_mode_t mode) {
  return __real_mdb_env_open(env, path, flags | extra_lmdb_flags, mode);
}
}
// NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming)

namespace foldlog {
namespace {

using power_cut::MarkAcknowledged;
using power_cut::MarkSubmitted;

constexpr std::uint64_t kSnapshotIntervalEvents = 11;
constexpr std::size_t kHugeBytes = 150'000;  // an event over many pages, which LMDB writes by one writev()

// An engine that tells the recorder what it is asked for and what it has promised.
class MarkedEngine {
 public:
  absl::Status Open(const std::string& directory) {
    // Time and ids of its own make one run as good as the next for repeating a failure.
    EngineOptions options;
    options.snapshot_interval_events = kSnapshotIntervalEvents;
    options.clock = [this] { return now_ += 1'000'000; };
    options.new_id = [this] { return "operation-" + std::to_string(++last_id_); };
    ASSIGN_OR_RETURN(engine_, Engine::Open(directory, std::move(options)));
    last_ = engine_->state().sequence;
    MarkAcknowledged(last_);
    return absl::OkStatus();
  }

  // `command` appends `events` events and returns a status, or a handle that is kept.
  template <typename Command>
  absl::Status Do(std::uint64_t events, const Command& command) {
    MarkSubmitted(last_ + events);
    RETURN_IF_ERROR(Keep(command(*engine_)));
    last_ += events;
    if (engine_->state().sequence != last_) return absl::InternalError("the workload has lost count");
    MarkAcknowledged(last_);
    return absl::OkStatus();
  }

  absl::Status Close() {
    RETURN_IF_ERROR(engine_->Close());
    engine_.reset();
    return absl::OkStatus();
  }
  Engine& engine() { return *engine_; }
  const OperationHandle& handle() const { return handle_; }

 private:
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
  Workload(std::string log, int commits) : log_(std::move(log)), commits_left_(commits) {}

  absl::Status Run() {
    RETURN_IF_ERROR(marked_.Open(log_));
    for (int operation = 0; commits_left_ > 0; ++operation) RETURN_IF_ERROR(RunOperation(operation));
    return marked_.Close();
  }

 private:
  // Each other one is paused, closed and opened again in the middle; they end in different ways.
  absl::Status RunOperation(int operation) {
    RETURN_IF_ERROR(Commit(1, [&](Engine& e) { return e.Start({.total_files = 100, .roots = {Text(40)}}); }));
    for (int i = 0; i < 8; ++i) RETURN_IF_ERROR(CheckpointSome(i));
    if (operation % 2 == 1) {
      RETURN_IF_ERROR(Commit(1, [&](Engine& e) { return e.Pause(marked_.handle(), Text(30)); }));
      RETURN_IF_ERROR(marked_.Close());
      RETURN_IF_ERROR(marked_.Open(log_));
      RETURN_IF_ERROR(Commit(1, [&](Engine& e) { return e.Resume(marked_.handle().operation_id); }));
    }
    for (int i = 0; i < 4; ++i) RETURN_IF_ERROR(CheckpointSome(i));
    if (operation % 4 == 3) return Commit(1, [&](Engine& e) { return e.Reset("for a change"); });
    RETURN_IF_ERROR(Commit(1, [&](Engine& e) {
      return operation % 4 == 2 ? e.Fail(marked_.handle(), Text(300)) : e.Complete(marked_.handle(), {{"files", 9.5}});
    }));
    return operation % 4 == 1 ? Commit(1, [](Engine& e) { return e.Clear(); }) : absl::OkStatus();
  }

  absl::Status CheckpointSome(int i) {
    std::vector<Checkpoint> checkpoints(i % 4 == 2 ? 5 : 1);
    for (Checkpoint& checkpoint : checkpoints) {
      checkpoint = {.files_processed = ++files_, .last_processed_file = Text(random_() % 3 == 0 ? 3000 : 80)};
    }
    if (commits_left_ == kHugeAtCommitsLeft) checkpoints[0].current_path = Text(kHugeBytes);
    if (commits_left_ == kHugeAtCommitsLeft - 1) checkpoints[0].current_path = "small again";
    return Commit(checkpoints.size(), [&](Engine& e) { return e.Checkpoint(marked_.handle(), checkpoints); });
  }

  template <typename Command>
  absl::Status Commit(std::uint64_t events, const Command& command) {
    --commits_left_;
    return marked_.Do(events, command);
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
  std::mt19937_64 random_{1};  // NOLINT: the same run every time; what varies is where it is cut
};

absl::Status Recover(const std::string& log) {
  MarkedEngine marked;
  RETURN_IF_ERROR(marked.Open(log));
  if (const auto interrupted = marked.engine().current_handle()) {
    // Whether the former owner is provably gone depends on what the lock file says after the power cut.
    RETURN_IF_ERROR(marked.Do(1, [&](Engine& e) {
      auto handle = e.Resume(interrupted->operation_id);
      return handle.ok() ? handle : e.RecoverByForce(interrupted->operation_id, "the power is back");
    }));
  } else {
    if (marked.engine().state().status() != OperationStatus::kIdle) {
      RETURN_IF_ERROR(marked.Do(1, [](Engine& e) { return e.Clear(); }));
    }
    RETURN_IF_ERROR(marked.Do(1, [](Engine& e) { return e.Start({}); }));
  }
  RETURN_IF_ERROR(marked.Do(1, [&](Engine& e) { return e.Complete(marked.handle()); }));
  return marked.Close();
}

}  // namespace
}  // namespace foldlog

int main(int argc, char** argv) {
  const std::string command = argc > 2 ? argv[1] : "";
  const std::string flags = argc > 4 ? argv[4] : "";
  if (flags == "nosync") extra_lmdb_flags = MDB_NOSYNC;
  if (flags == "nometasync") extra_lmdb_flags = MDB_NOMETASYNC;
  absl::Status status = absl::InvalidArgumentError("usage: power_cut_workload run|recover DIRECTORY [COMMITS [FLAGS]]");
  if (command == "run" && argc > 3) status = foldlog::Workload(std::string(argv[2]) + "/log", atoi(argv[3])).Run();
  if (command == "recover") status = foldlog::Recover(std::string(argv[2]) + "/log");
  if (!status.ok()) fprintf(stderr, "power_cut_workload: %s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}
