// A log as years of indexing leave it, for what asks about the past: operations of many kinds and ends, with paths as a
// library of photos has them, errors, pauses and recoveries. The same shape always gives the same events.

#ifndef FOLDLOG_BENCH_GENERATED_LOG_H_
#define FOLDLOG_BENCH_GENERATED_LOG_H_

#include <algorithm>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "foldlog/engine.h"

namespace foldlog {

struct LogShape {
  std::int64_t events = 20'000'000;  // about
  std::int64_t operations = 10'000;
  std::int64_t errors_per_10000 = 100;  // checkpoints with an error, of so many
};

// Checkpoints one after the other, as an indexer makes them on its way through a library of photos.
class CheckpointGenerator {
 public:
  explicit CheckpointGenerator(std::int64_t errors_per_10000) : errors_per_10000_(errors_per_10000) {}

  Checkpoint Next() {
    if (seen_++ % kFilesPerFolder == 0) {
      const std::uint64_t day = random_() % 3650;
      folder_ = absl::StrCat("/srv/media/photos/", 2014 + day / 365, "/", Event(random_() % 8), " ", day % 365, "/raw");
    }
    const std::string file = absl::StrCat("IMG_", 100'000 + seen_ * 7919 % 900'000, ".NEF");
    Checkpoint checkpoint{.files_processed = ++files_,
                          .current_path = absl::StrCat(folder_, "/", file),
                          .last_processed_file = file,
                          .batch_num = files_ / 100};
    if (static_cast<std::int64_t>(random_() % 10'000) < errors_per_10000_) {
      const std::uint64_t kind = random_() % 3;
      checkpoint.error = FileError{*checkpoint.current_path, Message(kind), kind == 0 ? "{\"errno\": 13}" : ""};
    }
    return checkpoint;
  }

  // The count starts anew, as for another operation.
  void StartOver() { files_ = 0; }

 private:
  static constexpr std::int64_t kFilesPerFolder = 180;

  static const char* Event(std::uint64_t number) {
    constexpr const char* kEvents[] = {"summer in the alps", "school", "garden", "birthday of a friend",
                                       "north sea",          "work",   "city",   "concert"};
    return kEvents[number];
  }
  static const char* Message(std::uint64_t number) {
    constexpr const char* kMessages[] = {"permission denied", "unexpected end of file", "unknown camera model"};
    return kMessages[number];
  }

  const std::int64_t errors_per_10000_;
  std::mt19937_64 random_{1};
  std::int64_t files_ = 0;
  std::int64_t seen_ = 0;
  std::string folder_;
};

class LogGenerator {
 public:
  explicit LogGenerator(const LogShape& shape) : shape_(shape), checkpoints_(shape.errors_per_10000) {}

  // Writes the log into `directory`, which must not exist.
  absl::Status Write(const std::string& directory) {
    EngineOptions options;
    options.clock = [this] { return Moment(now_ += kStepNs, {.at = kBegin, .id = 1}); };
    options.new_id = [this] { return absl::StrCat("operation-", ++ids_); };
    ASSIGN_OR_RETURN(const auto engine, Engine::Open(directory, std::move(options)));
    for (std::int64_t i = 0; i < shape_.operations; ++i) RETURN_IF_ERROR(Operate(*engine, i));
    return engine->Close();
  }

 private:
  static constexpr TimeNs kBegin = 1'700'000'000'000'000'000;
  static constexpr TimeNs kStepNs = 40'000'000;
  static constexpr std::size_t kCheckpointsPerCall = 64;

  // Two of three complete, some fail, a few are reset while active; some are paused or taken over on the way.
  absl::Status Operate(Engine& engine, std::int64_t number) {
    const std::int64_t checkpoints = std::max<std::int64_t>(shape_.events / shape_.operations - 3, 1);
    const auto type = number % 10 == 0 ? OperationType::kInitial : OperationType::kIncremental;
    ASSIGN_OR_RETURN(OperationHandle handle,
                     engine.Start({type, checkpoints, {"/srv/media/photos"}, {{"host", "nas"}, {"trigger", "timer"}}}));
    RETURN_IF_ERROR(Index(engine, handle, checkpoints / 2));
    if (number % 7 == 0) {
      RETURN_IF_ERROR(engine.Pause(handle, "backup window"));
      now_ += 600 * kStepNs;
      ASSIGN_OR_RETURN(handle, engine.Resume(handle.operation_id, "backup done"));
    } else if (number % 11 == 0) {
      ASSIGN_OR_RETURN(handle, engine.RecoverByForce(handle.operation_id, "the container is gone"));
    }
    RETURN_IF_ERROR(Index(engine, handle, checkpoints - checkpoints / 2));
    now_ += 3000 * kStepNs;
    checkpoints_.StartOver();
    if (number % 50 == 49) return engine.Reset("stuck");
    if (number % 20 == 19) {
      RETURN_IF_ERROR(engine.Fail(handle, "disk full: no space left on device"));
    } else {
      RETURN_IF_ERROR(engine.Complete(handle, {{"added", std::int64_t{12}}, {"bytes", std::int64_t{1} << 33}}));
    }
    return number + 1 < shape_.operations ? engine.Clear() : absl::OkStatus();
  }

  absl::Status Index(Engine& engine, const OperationHandle& handle, std::int64_t count) {
    std::vector<Checkpoint> checkpoints;
    while (count > 0) {
      checkpoints.clear();
      for (; count > 0 && checkpoints.size() < kCheckpointsPerCall; --count) checkpoints.push_back(checkpoints_.Next());
      RETURN_IF_ERROR(engine.Checkpoint(handle, checkpoints));
    }
    return absl::OkStatus();
  }

  const LogShape shape_;
  CheckpointGenerator checkpoints_;
  TimeNs now_ = kBegin;
  std::int64_t ids_ = 0;
};

}  // namespace foldlog

#endif  // FOLDLOG_BENCH_GENERATED_LOG_H_
