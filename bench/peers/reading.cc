// The workloads that read: opening after a close and after a kill, a pass over everything, one old operation of many.

#include <algorithm>
#include <chrono>

#include "absl/strings/str_cat.h"
#include "bench/peers/process.h"
#include "bench/peers/workload.h"
#include "engine/base/status_macros.h"

namespace foldlog::peers {
namespace {

using Clock = std::chrono::steady_clock;

double MicrosecondsSince(Clock::time_point start) {
  return std::chrono::duration<double, std::micro>(Clock::now() - start).count();
}

// The median, and the extremes between which it lies.
void AddMedian(Figures& figures, const std::string& name, std::vector<double> samples) {
  std::sort(samples.begin(), samples.end());
  figures.emplace_back(name, samples[samples.size() / 2]);
  figures.emplace_back(name + "_min", samples.front());
  figures.emplace_back(name + "_max", samples.back());
}

// What a writer that dies leaves behind: foldlog has that in its tail, others in a journal. Of durable checkpoints
// less, because they take so long.
std::int64_t LeftByWriter(const Parameters& parameters) {
  return std::min<std::int64_t>(parameters.level == Level::kDurable ? 200 : 4000, parameters.checkpoints);
}

struct Opened {
  double taken_us = 0;
};

// Opens, reads the state and checks it. The system stays open.
absl::Status TimeOpening(System& system, const Place& place, std::int64_t checkpoints, Opened& opened) {
  const auto start = Clock::now();
  RETURN_IF_ERROR(system.Open(place));
  ASSIGN_OR_RETURN(const Current current, system.ReadCurrent());
  opened.taken_us = MicrosecondsSince(start);
  return CheckCurrent(current, checkpoints, 0, checkpoints);
}

}  // namespace

absl::StatusOr<Figures> MeasureReopening(const Parameters& parameters) {
  const ScratchPlace scratch(parameters.directory);
  const Place place = PlaceIn(scratch.path(), parameters);
  RETURN_IF_ERROR(Build(parameters, scratch.path()));
  const std::int64_t left = LeftByWriter(parameters);
  std::int64_t there = parameters.checkpoints;
  std::vector<double> after_close;
  std::vector<double> after_kill;
  for (std::int64_t sample = 0; sample < parameters.samples; ++sample) {
    const Shared<Opened> opened;
    const auto write_on = [&]() -> absl::Status {
      auto system = MakeSystem(parameters);
      RETURN_IF_ERROR(TimeOpening(*system, place, there, *opened));
      RETURN_IF_ERROR(system->GoOn());
      Records records;
      RETURN_IF_ERROR(RecordMany(*system, records, there + 1, there + left, 1));
      static_cast<void>(system.release());
      return absl::OkStatus();
    };
    RETURN_IF_ERROR(RunInChild(write_on, Ending::kSigkill));
    after_close.push_back(opened->taken_us);
    there += left;
    const auto open_again = [&]() -> absl::Status {
      const auto system = MakeSystem(parameters);
      RETURN_IF_ERROR(TimeOpening(*system, place, there, *opened));
      return system->Close();
    };
    RETURN_IF_ERROR(RunInChild(open_again, Ending::kExit));
    after_kill.push_back(opened->taken_us);
  }
  Figures figures = {{"checkpoints", static_cast<double>(parameters.checkpoints)},
                     {"left_by_writer", static_cast<double>(left)}};
  AddMedian(figures, "after_close_us", after_close);
  AddMedian(figures, "after_kill_us", after_kill);
  return figures;
}

absl::StatusOr<Figures> MeasureScan(const Parameters& parameters) {
  const ScratchPlace scratch(parameters.directory);
  RETURN_IF_ERROR(Build(parameters, scratch.path()));
  struct Passes {
    std::int64_t samples = 0;
    double seconds[64] = {};
  };
  const Shared<Passes> passes;
  const auto work = [&]() -> absl::Status {
    Folded wanted;
    Tally tally_wanted;
    Records records;
    for (std::int64_t number = 1; number <= parameters.checkpoints; ++number) {
      const RecordView view = ViewOf(records.At(number));
      wanted.Add(view);
      tally_wanted.Add(view);
    }
    const auto system = MakeSystem(parameters);
    RETURN_IF_ERROR(system->Open(PlaceIn(scratch.path(), parameters)));
    Tally tally;
    RETURN_IF_ERROR(system->Scan([&tally](const RecordView& record) { tally.Add(record); }));
    if (tally != tally_wanted) return absl::DataLossError(absl::StrCat(tally.checkpoints, " checkpoints were found"));
    for (; passes->samples < std::min<std::int64_t>(parameters.samples, 64); ++passes->samples) {
      Folded folded;
      const auto start = Clock::now();
      RETURN_IF_ERROR(system->Scan([&folded](const RecordView& record) { folded.Add(record); }));
      passes->seconds[passes->samples] = MicrosecondsSince(start) / 1e6;
      if (folded != wanted) return absl::DataLossError("the fold is wrong");
    }
    return system->Close();
  };
  RETURN_IF_ERROR(RunInChild(work, Ending::kExit));
  std::vector<double> rates;
  for (std::int64_t i = 0; i < passes->samples; ++i) {
    rates.push_back(static_cast<double>(parameters.checkpoints) / passes->seconds[i]);
  }
  Figures figures = {{"checkpoints", static_cast<double>(parameters.checkpoints)}};
  AddMedian(figures, "per_second", rates);
  return figures;
}

absl::StatusOr<Figures> MeasureOldRun(const Parameters& parameters) {
  const ScratchPlace scratch(parameters.directory);
  RETURN_IF_ERROR(Build(parameters, scratch.path()));
  struct Answer {
    double opened_us = 0;
    double answered_us = 0;
  };
  const Shared<Answer> answer;
  std::vector<double> opened;
  std::vector<double> answered;
  for (std::int64_t sample = 0; sample < parameters.samples; ++sample) {
    // From all over the history, but not the latest.
    const std::int64_t number = 1 + (parameters.operations - 1) * sample / parameters.samples;
    const auto ask = [&]() -> absl::Status {
      const auto system = MakeSystem(parameters);
      const auto start = Clock::now();
      RETURN_IF_ERROR(system->Open(PlaceIn(scratch.path(), parameters)));
      answer->opened_us = MicrosecondsSince(start);
      ASSIGN_OR_RETURN(const Current current, system->ReadOperation(number));
      answer->answered_us = MicrosecondsSince(start) - answer->opened_us;
      const std::int64_t before = LastOf(number - 1, parameters.operations, parameters.checkpoints);
      const std::int64_t last = LastOf(number, parameters.operations, parameters.checkpoints);
      RETURN_IF_ERROR(CheckCurrent(current, last - before, 0, last));
      return system->Close();
    };
    RETURN_IF_ERROR(RunInChild(ask, Ending::kExit));
    opened.push_back(answer->opened_us);
    answered.push_back(answer->answered_us);
  }
  Figures figures = {{"checkpoints", static_cast<double>(parameters.checkpoints)},
                     {"operations", static_cast<double>(parameters.operations)}};
  AddMedian(figures, "open_us", opened);
  AddMedian(figures, "answer_us", answered);
  return figures;
}

}  // namespace foldlog::peers
