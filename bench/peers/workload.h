// Workloads: each is one measurement of one system, in a fresh directory and in processes of its own, and checks
// afterwards in another process that what was acknowledged is there.

#ifndef FOLDLOG_BENCH_PEERS_WORKLOAD_H_
#define FOLDLOG_BENCH_PEERS_WORKLOAD_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bench/peers/system.h"

namespace foldlog::peers {

struct Parameters {
  std::string system = {};
  std::string workload = {};
  Level level = Level::kKillSafe;
  int threads = 1;
  double seconds = 1;                        // no longer than this, and …
  std::int64_t checkpoints = 1'000'000'000;  // … no more than so many
  std::int64_t batch = 1024;                 // checkpoints a call of RecordAll(); 1: Record() is called instead
  std::int64_t errors = 0;                   // that the operation has before the measurement begins
  std::int64_t operations = 1;
  std::int64_t samples = 5;  // openings, passes or questions, of which the median counts
  std::int64_t pace_ns = 0;  // one call in so long; 0: one after the other
  std::int64_t drop = 0;     // this one is acknowledged and not recorded: the check has to find out
  std::string directory = ".";
};

// Names and values, in the order in which they are shown.
using Figures = std::vector<std::pair<std::string, double>>;

// record: single checkpoints, by some threads; the writer is then killed. With `errors`, in a run that has so many.
// bytes: the same, but the writer closes, and what that writes counts, too.
absl::StatusOr<Figures> MeasureRecording(const Parameters& parameters);

// stream: many checkpoints until they are durable.
absl::StatusOr<Figures> MeasureStream(const Parameters& parameters);

// reopen: opening, and reading the state, after the writer closed and after it was killed.
absl::StatusOr<Figures> MeasureReopening(const Parameters& parameters);

// scan: reading, decoding and folding everything.
absl::StatusOr<Figures> MeasureScan(const Parameters& parameters);

// old_run: how one of many operations ended.
absl::StatusOr<Figures> MeasureOldRun(const Parameters& parameters);

// queries: the state, asked for by another process again and again while the writer works.
absl::StatusOr<Figures> MeasureQueries(const Parameters& parameters);

// What the workloads share.

// The system, with what Parameters::drop asks for.
std::unique_ptr<System> MakeSystem(const Parameters& parameters);
Place PlaceIn(const std::string& directory, const Parameters& parameters);

// Records checkpoints `first` to `last`, so many a call.
absl::Status RecordMany(System& system, Records& records, std::int64_t first, std::int64_t last, std::int64_t batch);

// The last checkpoint of operation `number`, of so many operations with so many checkpoints in all; and the same for
// the first of it.
std::int64_t LastOf(std::int64_t number, std::int64_t operations, std::int64_t checkpoints);

// Writes parameters.checkpoints in parameters.operations, durable and closed at the end. In a child.
absl::Status Build(const Parameters& parameters, const std::string& directory);

// DataLoss unless `current` is what checkpoint `last` leaves.
absl::Status CheckCurrent(const Current& current, std::int64_t checkpoints, std::int64_t errors, std::int64_t last);

}  // namespace foldlog::peers

#endif  // FOLDLOG_BENCH_PEERS_WORKLOAD_H_
