#include "bench/peers/workload.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "bench/peers/process.h"
#include "engine/base/status_macros.h"

namespace foldlog::peers {
namespace {

// Acknowledges one checkpoint without handing it on.
class Dropping : public System {
 public:
  Dropping(std::unique_ptr<System> system, std::int64_t dropped) : system_(std::move(system)), dropped_(dropped) {}

  Description Describe(Level level) const override { return system_->Describe(level); }
  absl::Status Open(const Place& place) override { return system_->Open(place); }
  absl::Status OpenToRead(const Place& place) override { return system_->OpenToRead(place); }
  absl::Status Begin() override { return system_->Begin(); }
  absl::Status GoOn() override { return system_->GoOn(); }
  absl::Status Record(int thread, const Checkpoint& checkpoint) override {
    return checkpoint.files_processed == dropped_ ? absl::OkStatus() : system_->Record(thread, checkpoint);
  }
  absl::Status RecordAll(std::span<const Checkpoint> checkpoints) override {
    for (std::size_t i = 0; i < checkpoints.size(); ++i) {
      if (checkpoints[i].files_processed != dropped_) continue;
      if (i > 0) RETURN_IF_ERROR(system_->RecordAll(checkpoints.first(i)));
      return i + 1 < checkpoints.size() ? system_->RecordAll(checkpoints.subspan(i + 1)) : absl::OkStatus();
    }
    return system_->RecordAll(checkpoints);
  }
  absl::Status MakeDurable() override { return system_->MakeDurable(); }
  absl::StatusOr<Current> ReadCurrent() override { return system_->ReadCurrent(); }
  absl::Status Scan(const Visit& visit) override { return system_->Scan(visit); }
  absl::StatusOr<Current> ReadOperation(std::int64_t number) override { return system_->ReadOperation(number); }
  absl::Status Close() override { return system_->Close(); }

 private:
  const std::unique_ptr<System> system_;
  const std::int64_t dropped_;
};

}  // namespace

std::unique_ptr<System> MakeSystem(const Parameters& parameters) {
  std::unique_ptr<System> system = NewSystem(parameters.system);
  if (parameters.drop == 0 || system == nullptr) return system;
  return std::make_unique<Dropping>(std::move(system), parameters.drop);
}

Place PlaceIn(const std::string& directory, const Parameters& parameters) {
  return {.directory = directory, .level = parameters.level, .threads = parameters.threads};
}

absl::Status RecordMany(System& system, Records& records, std::int64_t first, std::int64_t last, std::int64_t batch) {
  for (std::int64_t number = first; number <= last;) {
    if (batch == 1) {
      RETURN_IF_ERROR(system.Record(0, records.At(number++)));
      continue;
    }
    const std::span<const Checkpoint> some = records.From(number, std::min(batch, last - number + 1));
    number += static_cast<std::int64_t>(some.size());
    RETURN_IF_ERROR(system.RecordAll(some));
  }
  return absl::OkStatus();
}

std::int64_t LastOf(std::int64_t number, std::int64_t operations, std::int64_t checkpoints) {
  return number == operations ? checkpoints : number * (checkpoints / operations);
}

absl::Status Build(const Parameters& parameters, const std::string& directory) {
  return RunInChild(
      [&]() -> absl::Status {
        const auto system = MakeSystem(parameters);
        RETURN_IF_ERROR(system->Open(PlaceIn(directory, parameters)));
        Records records;
        std::int64_t first = 1;
        for (std::int64_t number = 1; number <= parameters.operations; ++number) {
          const std::int64_t last = LastOf(number, parameters.operations, parameters.checkpoints);
          RETURN_IF_ERROR(system->Begin());
          RETURN_IF_ERROR(RecordMany(*system, records, first, last, parameters.batch));
          first = last + 1;
        }
        RETURN_IF_ERROR(system->MakeDurable());
        return system->Close();
      },
      Ending::kExit);
}

absl::Status CheckCurrent(const Current& current, std::int64_t checkpoints, std::int64_t errors, std::int64_t last) {
  thread_local Records records;  // made once: a reader asks again and again
  if (current.checkpoints != checkpoints || current.errors != errors) {
    return absl::DataLossError(absl::StrCat(current.checkpoints, " checkpoints with ", current.errors,
                                            " errors are there, not ", checkpoints, " with ", errors));
  }
  if (ContentOf(current.view()) != ContentOf(ViewOf(records.At(last)))) {
    return absl::DataLossError(absl::StrCat("the state is not that of checkpoint ", last, ", but of ", current.files));
  }
  return absl::OkStatus();
}

}  // namespace foldlog::peers
