// Logs as they come about, and as they should not: operations of every fate, clocks that are set, reboots, imports,
// resets, and now and then an event that does not follow.

#ifndef FOLDLOG_TESTS_SUPPORT_RANDOM_LOG_H_
#define FOLDLOG_TESTS_SUPPORT_RANDOM_LOG_H_

#include <random>
#include <string>
#include <utility>
#include <vector>

#include "foldlog/event.h"
#include "foldlog/state.h"
#include "tests/support/random_events.h"
#include "tests/support/test_support.h"

namespace foldlog {

// Makes up events one by one, each fitting the state that those before it led to, except for some.
class RandomLog {
 public:
  // One event in `one_misfit_in` may be of any kind; 0: none.
  RandomLog(std::mt19937_64& random, std::uint64_t one_misfit_in)
      : random_(random), any_(random), one_misfit_in_(one_misfit_in) {}

  Event Next() {
    Pass();
    const bool stray = one_misfit_in_ != 0 && any_.Number(one_misfit_in_) == 0;
    Event event = stray ? RandomEvent(random_) : Fitting();
    if (!stray) event.time = clock_.time, event.boot = clock_.boot;
    EXPECT_OK(ApplyRecorded({state_.sequence + 1, 0, event}, state_));
    return event;
  }

  std::vector<Event> Next(std::size_t count) {
    std::vector<Event> events;
    while (events.size() < count) events.push_back(Next());
    return events;
  }

  const State& state() const { return state_; }

 private:
  void Pass() {
    clock_.time += static_cast<TimeNs>(any_.Number(20'000'000'000));
    const TimeNs set_by = static_cast<TimeNs>(any_.Number(7'200'000'000'000)) - 3'600'000'000'000;
    if (any_.Number(60) == 0) clock_.time += set_by, clock_.boot.at += set_by / 1'000'000 * 1'000'000;
    if (any_.Number(90) == 0) clock_.boot = {.at = clock_.time, .id = clock_.boot.id + 1};
  }

  std::string Path() { return "/data/" + std::to_string(any_.Number(3)) + "/" + std::to_string(any_.Number(50)); }

  Event Of(EventBody body, Epoch epochs_ahead = 0) { return {0, state_.epoch + epochs_ahead, std::move(body), {}}; }

  Event Fitting() {
    if (state_.misfit && any_.Number(4) == 0) return Of(Reset{"after a misfit"});
    if (!state_.operation) return any_.Number(6) == 0 ? Of(AnImport(), 1) : Of(AStart(), 1);
    if (!state_.active()) return any_.Number(3) == 0 ? Of(AStart(), 1) : Of(Cleared{});
    if (any_.Number(60) == 0) return Of(Reset{"a whim"});
    if (any_.Number(25) == 0) return any_.Number(2) == 0 ? Of(Failed{"disk"}) : Of(Completed{any_.AnyStats()});
    if (state_.status() == OperationStatus::kPaused && any_.Number(2) == 0) return Of(Resumed{"", any_.AnyOwner()}, 1);
    if (state_.status() == OperationStatus::kInProgress && any_.Number(15) == 0) {
      if (any_.Number(2) == 0) return Of(Paused{"lunch"});
      return Of(Recovered{static_cast<Evidence>(any_.Number(4)), "gone", any_.AnyOwner()}, 1);
    }
    return Of(ACheckpoint());
  }

  Started AStart() {
    return {.operation_id = "op-" + std::to_string(any_.Number(12)),
            .type = any_.Type(),
            .total_files = any_.Maybe([&] { return any_.Count(); }),
            .roots = {Path()},
            .metadata = {{"host", "h" + std::to_string(any_.Number(3))}},
            .owner = any_.AnyOwner()};
  }

  Imported AnImport() {
    Imported imported = any_.AnyImported();
    imported.operation_id = "row-" + std::to_string(any_.Number(5));
    imported.started_at = clock_.time - 5'000'000'000;
    return imported;
  }

  Checkpoint ACheckpoint() {
    const std::int64_t files = state_.operation ? state_.operation->files_processed : 0;
    Checkpoint checkpoint{.files_processed = files + static_cast<std::int64_t>(any_.Number(9))};
    if (any_.Number(3) == 0) checkpoint.current_path = Path();
    if (any_.Number(3) == 0) checkpoint.last_processed_file = Path();
    if (any_.Number(3) == 0) checkpoint.batch_num = any_.Count();
    if (any_.Number(8) == 0) checkpoint.error = FileError{Path(), "message " + std::to_string(any_.Number(4)), ""};
    return checkpoint;
  }

  std::mt19937_64& random_;
  Randomizer any_;
  const std::uint64_t one_misfit_in_;
  Moment clock_ = {1'767'323'045'000'000'000, {.at = 1'767'000'000'000'000'000, .id = 1}};
  State state_;
};

}  // namespace foldlog

#endif  // FOLDLOG_TESTS_SUPPORT_RANDOM_LOG_H_
