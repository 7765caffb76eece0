// Random values of every type that is stored, with every field used.

#ifndef FOLDLOG_TESTS_SUPPORT_RANDOM_EVENTS_H_
#define FOLDLOG_TESTS_SUPPORT_RANDOM_EVENTS_H_

#include <optional>
#include <random>
#include <string>

#include "foldlog/event.h"
#include "foldlog/state.h"
#include "tests/support/test_support.h"

namespace foldlog {

class Randomizer {
 public:
  explicit Randomizer(std::mt19937_64& random) : random_(random) {}

  std::uint64_t Number(std::uint64_t below) { return random_() % below; }
  std::int64_t Count() { return static_cast<std::int64_t>(random_() >> (1 + Number(63))); }
  std::string Bytes() { return RandomBytes(random_, 40); }
  std::string Ascii() {
    std::string text(Number(40), ' ');
    for (char& c : text) c = static_cast<char>('a' + Number(26));
    return text;
  }

  template <typename Make>
  auto Maybe(Make make) -> std::optional<decltype(make())> {
    if (Number(2) == 0) return std::nullopt;
    return make();
  }

  Owner AnyOwner() {
    return {.instance = Ascii(),
            .machine_id = Ascii(),
            .boot_id = Ascii(),
            .pid_namespace = random_(),
            .pid = Count(),
            .start_ticks = random_(),
            .holds_log = Number(2) == 0,
            .program = Bytes(),
            .host = Bytes(),
            .kernel_boot_id = Number(2) == 0,
            .place = {.file_system = random_(), .device = random_(), .directory = random_(), .lock_file = random_()}};
  }

  Boot AnyBoot() {
    if (Number(2) == 0) return {};
    return {.at = static_cast<TimeNs>(random_()), .id = static_cast<std::uint32_t>(random_())};
  }

  std::vector<std::string> Paths() {
    std::vector<std::string> paths(Number(4));
    for (std::string& path : paths) path = Bytes();
    return paths;
  }

  Metadata AnyMetadata() {
    Metadata metadata(Number(4));
    for (auto& [name, value] : metadata) name = Bytes(), value = Bytes();
    return metadata;
  }

  Stats AnyStats() {
    Stats stats(Number(5));
    for (auto& [name, value] : stats) {
      name = Bytes();
      switch (Number(3)) {
        case 0:
          value = -Count();
          break;
        case 1:
          value = static_cast<double>(Count()) / 3;
          break;
        default:
          value = Bytes();
      }
    }
    return stats;
  }

  // What a command accepts: nothing, or a JSON object.
  std::string Details() { return Number(2) == 0 ? "" : "{\"errno\": " + std::to_string(Count()) + "}"; }

  OperationType Type() { return static_cast<OperationType>(Number(3)); }

  EventBody Body(std::size_t kind) {
    switch (kind) {
      case 0:
        return Started{Bytes(), Type(), Maybe([&] { return Count(); }), Paths(), AnyMetadata(), AnyOwner()};
      case 1:
        return Checkpoint{Count(), Maybe([&] { return Bytes(); }), Maybe([&] { return Bytes(); }),
                          Maybe([&] { return Count(); }), Maybe([&] {
                            return FileError{Bytes(), Bytes(), Details()};
                          })};
      case 2:
        return Paused{Bytes()};
      case 3:
        return Resumed{Bytes(), AnyOwner()};
      case 4:
        return Recovered{static_cast<Evidence>(Number(4)), Bytes(), AnyOwner()};
      case 5:
        return Completed{AnyStats()};
      case 6:
        return Failed{Bytes()};
      case 7:
        return Cleared{};
      case 8:
        return Reset{Bytes()};
      default:
        return AnyImported();
    }
  }

  SingleRow AnyRow() {
    return {Bytes(), Bytes(), Bytes(), Count(), -Count(), Maybe([&] { return Count(); })};
  }

  Imported AnyImported() {
    Imported imported;
    imported.operation_id = Bytes();
    imported.type = Type();
    imported.status = static_cast<OperationStatus>(1 + Number(4));
    imported.total_files = Maybe([&] { return Count(); });
    imported.files_processed = Count();
    imported.batch_num = Count();
    imported.current_path = Maybe([&] { return Bytes(); });
    imported.last_processed_file = Maybe([&] { return Bytes(); });
    imported.rate = static_cast<double>(Count()) / 7;
    imported.started_at = Count();
    imported.last_update = -Count();
    imported.updated_at = Count();
    imported.ended_at = Count();
    imported.failure = Bytes();
    imported.errors.resize(Number(4));
    for (auto& [time, error] : imported.errors) time = -Count(), error = {Bytes(), Bytes(), Details()};
    imported.owner = AnyOwner();
    imported.source = Bytes();
    imported.row = Maybe([&] { return AnyRow(); });
    return imported;
  }

  Operation AnyOperation() {
    Operation operation;
    operation.operation_id = Bytes();
    operation.type = Type();
    operation.status = static_cast<OperationStatus>(1 + Number(4));
    operation.epoch = random_();
    operation.owner = AnyOwner();
    operation.roots = Paths();
    operation.metadata = AnyMetadata();
    operation.total_files = Maybe([&] { return Count(); });
    operation.files_processed = Count();
    operation.current_path = Maybe([&] { return Bytes(); });
    operation.last_processed_file = Maybe([&] { return Bytes(); });
    operation.batch_num = Count();
    operation.error_count = Count();
    operation.rate = static_cast<double>(Count()) / 7;
    operation.started_at = -Count();
    operation.updated_at = Count();
    operation.last_progress_at = Count();
    operation.completed_at = Maybe([&] { return Count(); });
    operation.first_error_sequence = random_();
    operation.last_error_sequence = random_();
    operation.imported = Number(2) == 0;
    operation.active_ns = Count();
    operation.recent_from = {Count(), Count()};
    operation.recent_next = {Count(), Count()};
    operation.clock_steps = Count();
    operation.clock_step_sequence = random_();
    operation.clock_step_ns = -Count();
    operation.first_sequence = random_();
    operation.last_sequence = random_();
    operation.checkpoints = Count();
    operation.paused_ns = Count();
    for (std::int64_t& count : operation.interruptions_by) count = Count();
    operation.pause_reason = Bytes();
    operation.failure = Bytes();
    operation.stats = AnyStats();
    return operation;
  }

 private:
  std::mt19937_64& random_;
};

inline Event RandomEvent(std::mt19937_64& random) {
  Randomizer any(random);
  return {static_cast<TimeNs>(random()), random(), any.Body(any.Number(std::variant_size_v<EventBody>)), any.AnyBoot()};
}

inline State RandomState(std::mt19937_64& random) {
  Randomizer any(random);
  return {random(),
          random(),
          any.Maybe([&] { return any.AnyOperation(); }),
          {static_cast<TimeNs>(random()), any.AnyBoot()}};
}

}  // namespace foldlog

#endif  // FOLDLOG_TESTS_SUPPORT_RANDOM_EVENTS_H_
