// An engine on a machine whose wall clock a test sets, and which it reboots.

#ifndef FOLDLOG_TESTS_SUPPORT_CLOCKED_ENGINE_H_
#define FOLDLOG_TESTS_SUPPORT_CLOCKED_ENGINE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "foldlog/engine.h"
#include "tests/support/test_support.h"

namespace foldlog {

inline constexpr TimeNs kSecond = 1'000'000'000;
inline constexpr TimeNs kHour = 3600 * kSecond;
inline constexpr TimeNs kNow = 1'767'323'045 * kSecond;  // 2026

// A machine with a wall clock that may be set, and an engine on it.
class ClockedEngineTest : public testing::Test {
 protected:
  ClockedEngineTest() {
    EngineOptions options;
    options.clock = [this] { return now_; };
    options.new_id = [this] { return "op-" + std::to_string(++ids_); };
    auto engine = Engine::Open(NewWritableMemoryLog(), std::move(options));
    EXPECT_OK(engine);
    engine_ = *std::move(engine);
  }

  void Pass(TimeNs time) { now_.time += time; }
  void SetClock(TimeNs by) { now_.time += by, now_.boot.at += by; }
  void Reboot(TimeNs off) {
    Pass(off);
    now_.boot = {.at = now_.time, .id = now_.boot.id + 1};
  }

  void Start() {
    auto handle = engine_->Start({.total_files = 1'000'000});
    ASSERT_OK(handle);
    handle_ = *handle;
  }
  void Files(std::int64_t files) {
    ASSERT_OK(
        engine_->Checkpoint(handle_, {.files_processed = files_ += files}, Durability::kInterval, Decrease::kAllowed));
  }
  void Resume() { Take(engine_->Resume(handle_.operation_id)); }
  void Recover() { Take(engine_->RecoverByForce(handle_.operation_id, "for the test")); }

  State state() const { return engine_->state(); }
  Operation operation() const { return *engine_->state().operation; }

  Moment now_ = {kNow, {.at = kNow - kHour, .id = 1}};
  std::unique_ptr<Engine> engine_;
  OperationHandle handle_;
  std::int64_t files_ = 0;

 private:
  void Take(const absl::StatusOr<OperationHandle>& handle) {
    ASSERT_OK(handle);
    handle_ = *handle;
  }
  int ids_ = 0;
};

}  // namespace foldlog

#endif  // FOLDLOG_TESTS_SUPPORT_CLOCKED_ENGINE_H_
