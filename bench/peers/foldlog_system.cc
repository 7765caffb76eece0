// foldlog itself, with its defaults.

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "bench/peers/systems.h"
#include "engine/base/status_macros.h"
#include "foldlog/engine.h"
#include "foldlog/event_view.h"
#include "foldlog/history.h"
#include "foldlog/replayer.h"

namespace foldlog::peers {
namespace {

std::string IdOf(std::int64_t number) { return absl::StrCat("operation-", number); }

Current CurrentOf(const Operation& operation) {
  return {.checkpoints = operation.checkpoints,
          .errors = operation.error_count,
          .files = operation.files_processed,
          .batch = operation.batch_num,
          .path = operation.current_path.value_or(""),
          .name = operation.last_processed_file.value_or("")};
}

class FoldlogSystem : public System {
 public:
  Description Describe(Level level) const override {
    Description description{.version = "this tree", .keeps_history = true, .shared = true};
    description.settings = level == Level::kDurable ? "defaults; Durability::kSync" : "defaults; Durability::kInterval";
    description.promise =
        level == Level::kDurable ? "durable on return" : "kill-safe on return, durable within 50 ms and one flush";
    return description;
  }

  absl::Status Open(const Place& place) override {
    durability_ = place.level == Level::kDurable ? Durability::kSync : Durability::kInterval;
    // Threads overtake each other between taking a number and recording it; what they say is recorded as they say it.
    decrease_ = place.threads > 1 ? Decrease::kAllowed : Decrease::kIgnored;
    EngineOptions options;
    options.new_id = [this] { return IdOf(++begun_); };
    ASSIGN_OR_RETURN(engine_, Engine::Open(LogIn(place), std::move(options)));
    return absl::OkStatus();
  }

  absl::Status OpenToRead(const Place& place) override {
    ASSIGN_OR_RETURN(reader_, OpenLogForReading(LogIn(place)));
    return absl::OkStatus();
  }

  absl::Status Begin() override {
    if (engine_->state().active()) {
      RETURN_IF_ERROR(engine_->Complete(handle_));
      RETURN_IF_ERROR(engine_->Clear());
    }
    ASSIGN_OR_RETURN(handle_, engine_->Start({}));
    return absl::OkStatus();
  }

  absl::Status GoOn() override {
    const State state = engine_->state();
    if (!state.active()) return absl::NotFoundError("no operation is active");
    ASSIGN_OR_RETURN(handle_, engine_->Resume(state.operation->operation_id));
    return absl::OkStatus();
  }

  absl::Status Record(int, const Checkpoint& checkpoint) override {
    return engine_->Checkpoint(handle_, checkpoint, durability_, decrease_);
  }

  absl::Status RecordAll(std::span<const Checkpoint> checkpoints) override {
    return engine_->Checkpoint(handle_, checkpoints, durability_, decrease_);
  }

  absl::Status MakeDurable() override { return engine_->Flush(); }

  absl::StatusOr<Current> ReadCurrent() override {
    if (engine_ != nullptr) return CurrentIn(engine_->state());
    ASSIGN_OR_RETURN(const State state, StateAt(*reader_));
    return CurrentIn(state);
  }

  absl::Status Scan(const Visit& visit) override {
    static const std::size_t checkpoint_kind = EventBody(Checkpoint{}).index();
    ViewReader reader(engine_ != nullptr ? engine_->log() : *reader_, 1);
    auto event = reader.Next();
    for (; event.ok() && *event != nullptr; event = reader.Next()) {
      if ((*event)->kind != checkpoint_kind) continue;
      visit({.files = (*event)->files_processed,
             .batch = (*event)->batch_num.value_or(0),
             .path = (*event)->current_path,
             .name = (*event)->last_processed_file,
             .has_error = (*event)->has_error});
    }
    return event.status();
  }

  absl::StatusOr<Current> ReadOperation(std::int64_t number) override {
    ASSIGN_OR_RETURN(const HistoryEntry entry,
                     FindOperation(engine_ != nullptr ? engine_->log() : *reader_, IdOf(number)));
    return CurrentOf(entry.operation);
  }

  absl::Status Close() override {
    reader_.reset();
    return engine_ != nullptr ? engine_->Close() : absl::OkStatus();
  }

 private:
  static std::string LogIn(const Place& place) { return place.directory + "/log"; }
  static absl::StatusOr<Current> CurrentIn(const State& state) {
    if (!state.operation) return absl::NotFoundError("no operation");
    return CurrentOf(*state.operation);
  }

  Durability durability_ = Durability::kInterval;
  Decrease decrease_ = Decrease::kIgnored;
  std::int64_t begun_ = 0;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<EventLog> reader_;
  OperationHandle handle_;
};

}  // namespace

std::unique_ptr<System> NewFoldlog() { return std::make_unique<FoldlogSystem>(); }

}  // namespace foldlog::peers
