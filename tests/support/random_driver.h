// RandomDriver: a life for an engine, legal or not.

#ifndef FOLDLOG_TESTS_SUPPORT_RANDOM_DRIVER_H_
#define FOLDLOG_TESTS_SUPPORT_RANDOM_DRIVER_H_

#include <array>
#include <cstdint>
#include <random>
#include <variant>

#include "foldlog/engine.h"
#include "tests/support/random_events.h"
#include "tests/support/test_support.h"

namespace foldlog {

// Drives an engine with random commands, most of them legal, and knows nothing of what it should do.
class RandomDriver {
 public:
  RandomDriver(Engine& engine, std::mt19937_64& random) : engine_(engine), any_(random) {}

  void Step() {
    const OperationHandle handle = engine_.current_handle().value_or(OperationHandle{"none", 0});
    switch (any_.Number(13)) {
      case 0:
        engine_.Start({any_.Type(), any_.Maybe([&] { return any_.Count(); }), any_.Paths(), any_.AnyMetadata()})
            .IgnoreError();
        break;
      case 1:
        engine_.Pause(handle, any_.Bytes()).IgnoreError();
        break;
      case 2:
        engine_.Resume(handle.operation_id, any_.Bytes()).IgnoreError();
        break;
      case 3:
        engine_.RecoverByForce(handle.operation_id, "r" + any_.Bytes()).IgnoreError();
        break;
      case 4:
        if (any_.Number(3) == 0) engine_.Complete(handle, any_.AnyStats()).IgnoreError();
        break;
      case 5:
        if (any_.Number(3) == 0) engine_.Fail(handle, any_.Bytes()).IgnoreError();
        break;
      case 6:
        engine_.Clear().IgnoreError();
        break;
      case 7:
        if (any_.Number(8) == 0) engine_.Reset(any_.Bytes()).IgnoreError();
        break;
      case 8:
        if (any_.Number(3) == 0) Import(engine_, Row()).IgnoreError();
        break;
      case 9:
        engine_.Checkpoint({handle.operation_id, handle.epoch + 1 - any_.Number(3)}, Progress()).IgnoreError();
        break;
      default:
        engine_.Checkpoint(handle, Progress()).IgnoreError();
    }
  }

 private:
  // With errors, and of every status.
  SingleRow Row() {
    constexpr std::array<const char*, 5> kStatuses = {"in_progress", "paused", "completed", "failed", "indexing"};
    return {
        "initial",           kStatuses.at(any_.Number(5)), R"({"files_processed": 3, "errors": [{"error": "a"}, "b"]})",
        any_.Count() % 1000, any_.Count() % 1000,          any_.Maybe([] { return std::int64_t{7}; })};
  }

  Checkpoint Progress() { return std::get<Checkpoint>(any_.Body(1)); }

  Engine& engine_;
  Randomizer any_;
};

}  // namespace foldlog

#endif  // FOLDLOG_TESTS_SUPPORT_RANDOM_DRIVER_H_
