// A writer's life for the errno sweep: everything that touches a log's files, in a process whose system calls fail, and
// what it was promised meanwhile.

#ifndef FOLDLOG_TESTS_CRASH_ERRNO_WORKLOAD_H_
#define FOLDLOG_TESTS_CRASH_ERRNO_WORKLOAD_H_

#include <dlfcn.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "foldlog/engine.h"
#include "tests/crash/fault_injector.h"
#include "tests/crash/foldlog_check.h"
#include "tests/crash/numbered_events.h"

namespace foldlog {

inline constexpr std::int64_t kNoLog = -1;

// The injector's functions, which only the preloaded library has.
struct Injector {
  decltype(&foldlog_faults_arm) arm = Find<decltype(&foldlog_faults_arm)>("foldlog_faults_arm");
  decltype(&foldlog_faults_disarm) disarm = Find<decltype(&foldlog_faults_disarm)>("foldlog_faults_disarm");
  decltype(&foldlog_faults_adopt) adopt = Find<decltype(&foldlog_faults_adopt)>("foldlog_faults_adopt");
  decltype(&foldlog_faults_copy_disk) copy_disk = Find<decltype(&foldlog_faults_copy_disk)>("foldlog_faults_copy_disk");

  decltype(&foldlog_faults_fired) fired = Find<decltype(&foldlog_faults_fired)>("foldlog_faults_fired");
  decltype(&foldlog_faults_hold) hold = Find<decltype(&foldlog_faults_hold)>("foldlog_faults_hold");
  decltype(&foldlog_faults_let_go) let_go = Find<decltype(&foldlog_faults_let_go)>("foldlog_faults_let_go");

  template <typename Function>
  static Function Find(const char* name) {
    return reinterpret_cast<Function>(dlsym(RTLD_DEFAULT, name));  // NOLINT: what dlsym() returns
  }
};

// What the disk holds now of the files in `from`. Names are taken to be there: when they get there is the power-cut
// test's business. So are files that never were flushed, the lock files: they are evidence, not truth.
inline void CopyDisk(const Injector& injector, const std::string& from, const std::string& to) {
  std::error_code ignored;
  if (!std::filesystem::is_directory(from, ignored)) return;
  std::filesystem::create_directories(to);
  injector.hold();
  for (const auto& file : std::filesystem::directory_iterator(from)) {
    const std::string copy = to + "/" + file.path().filename().string();
    if (injector.copy_disk(file.path().c_str(), copy.c_str()) == 0)
      std::filesystem::copy_file(file.path(), copy, ignored);
  }
  injector.let_go();
}

// What the child tells its parent, in memory that they share.
struct Outcome {
  std::int64_t durable = kNoLog;   // the last event that was promised to survive power loss…
  bool power_cut = false;          // …until the disk was copied
  std::int64_t returned = kNoLog;  // the last event of a command that succeeded
  std::int64_t submitted = 0;
  faults::Counts counts = {};
  char complaint[400] = {};

  void Complain(const std::string& what) {
    if (complaint[0] == '\0') snprintf(complaint, sizeof complaint, "%s", what.c_str());
  }
};

// A writer's life: everything that touches a file. It goes on after errors as a program would that knows no better.
class Workload {
 public:
  // The power goes, so to say, `delay` commands after the first fault: what the disk holds then is copied to `disk`.
  Workload(std::string log, std::string disk, const Injector& injector, std::uint64_t delay, Outcome& outcome)
      : log_(std::move(log)), disk_(std::move(disk)), injector_(injector), delay_(delay), outcome_(outcome) {}

  void Run() {
    LiveTwice();
    CutPower();
  }

 private:
  void LiveTwice() {
    for (int life = 0; life < 2 && Open(); ++life) {
      const bool sound = Live();
      CheckReader();
      const absl::Status closed = engine_->Close();
      if (closed.ok()) Promise(last_);
      if (sound && !closed.ok() && last_ > outcome_.submitted) outcome_.Complain("the workload has lost count");
      engine_.reset();
      if (!sound || !closed.ok()) return;  // whether the same process may open it again is another question
    }
  }

  // A second try, as a program would that is told to try again.
  bool Open() {
    EngineOptions options;
    options.directory.tail_bytes = std::uint64_t{64} << 10;
    options.directory.flush_interval = std::chrono::milliseconds(4);
    options.snapshot_interval_events = 7;
    for (int attempt = 0; attempt < 2; ++attempt) {
      auto opened = Engine::Open(log_, options);
      if (!opened.ok()) continue;
      engine_ = *std::move(opened);
      last_ = static_cast<std::int64_t>(engine_->state().sequence);
      if (last_ < outcome_.returned) outcome_.Complain("opening again has lost an event");
      Promise(static_cast<std::int64_t>(engine_->durable_through()));
      return true;
    }
    return false;
  }

  // False once something has failed for good.
  bool Live() {
    const auto state = engine_->state();
    if (!Do(1, [&] {
          return Keep(state.active() ? engine_->Resume(state.operation->operation_id) : engine_->Start({}));
        })) {
      return false;
    }
    for (int i = 0; i < 26; ++i) {
      const Durability durability = i % 5 == 0 ? Durability::kSync : Durability::kInterval;
      std::vector<Checkpoint> checkpoints;
      for (int n = i % 3; n >= 0; --n) checkpoints.push_back(CheckpointOf(Next() + checkpoints.size()));
      if (!Do(checkpoints.size(), [&] { return engine_->Checkpoint(handle_, checkpoints, durability); })) return false;
      if (i % 12 == 11) std::this_thread::sleep_for(std::chrono::milliseconds(6));  // the interval ends
    }
    return Do(1, [&] { return engine_->Pause(handle_); }) &&
           Do(1, [&] { return Keep(engine_->Resume(handle_.operation_id)); }) &&
           Do(1, [&] { return engine_->Complete(handle_); }) && Do(1, [&] { return engine_->Clear(); });
  }

  Sequence Next() const { return static_cast<Sequence>(last_) + 1; }

  template <typename Command>
  bool Do(std::size_t events, const Command& command) {
    const std::int64_t before = last_;
    outcome_.submitted = std::max(outcome_.submitted, before + static_cast<std::int64_t>(events));
    absl::Status status;
    for (int attempt = 0; attempt < 3; ++attempt) {
      status = command();
      last_ = static_cast<std::int64_t>(engine_->state().sequence);
      const bool appended = last_ != before;
      if (status.ok() || appended || !absl::IsResourceExhausted(status)) break;
    }
    if (status.ok()) {
      if (last_ != before + static_cast<std::int64_t>(events)) outcome_.Complain("a command has not done what it says");
      outcome_.returned = last_;
    }
    Promise(static_cast<std::int64_t>(engine_->durable_through()));
    if (injector_.fired() > 0 && delay_-- == 0) CutPower();
    if (absl::IsUnavailable(status)) CheckStopped(status);
    return status.ok();
  }

  // What is promised from here on does not count.
  void CutPower() {
    if (std::exchange(outcome_.power_cut, true)) return;
    CopyDisk(injector_, log_, disk_);
  }

  // The writer has stopped: it says so again, and promises nothing but what LMDB has.
  void CheckStopped(const absl::Status& why) {
    const Sequence durable = engine_->durable_through();
    const Sequence through = engine_->state().sequence;
    if (through > durable && engine_->Flush().ok()) outcome_.Complain("a flush succeeds after a failed one");
    if (engine_->Checkpoint(handle_, CheckpointOf(Next()), Durability::kSync).ok()) {
      outcome_.Complain(absl::StrCat("a checkpoint succeeds after: ", why.ToString()));
    }
    const auto extent = engine_->log().Extent();
    if (!extent.ok()) return outcome_.Complain(extent.status().ToString());
    if (extent->durable_through > std::max(durable, extent->stored_through)) {
      outcome_.Complain(absl::StrCat("more is called durable after: ", why.ToString()));
    }
  }

  // Reading beside the writer sees events as they are, or an error.
  void CheckReader() {
    const auto reading = OpenLogForReading(log_);
    if (!reading.ok()) return;
    const auto last = CheckEvents(**reading);
    if (last.ok() && static_cast<std::int64_t>(*last) < outcome_.returned)
      outcome_.Complain("a reader misses an event");
    if (absl::IsInternal(last.status())) outcome_.Complain(last.status().ToString());
  }

  void Promise(std::int64_t through) {
    if (!outcome_.power_cut) outcome_.durable = std::max(outcome_.durable, through);
  }

  absl::Status Keep(absl::StatusOr<OperationHandle> handle) {
    if (handle.ok()) handle_ = *handle;
    return handle.status();
  }

  const std::string log_;
  const std::string disk_;
  const Injector& injector_;
  std::uint64_t delay_;
  Outcome& outcome_;
  std::unique_ptr<Engine> engine_;
  OperationHandle handle_;
  std::int64_t last_ = 0;
};

}  // namespace foldlog

#endif  // FOLDLOG_TESTS_CRASH_ERRNO_WORKLOAD_H_
