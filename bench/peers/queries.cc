// The state, asked for by another process while the writer works: how fast answers come, and what they cost the writer.

#include <atomic>
#include <chrono>
#include <thread>

#include "absl/strings/str_cat.h"
#include "bench/peers/latency.h"
#include "bench/peers/process.h"
#include "bench/peers/workload.h"
#include "engine/base/status_macros.h"

namespace foldlog::peers {
namespace {

using Clock = std::chrono::steady_clock;

enum Phase : int { kAlone, kReaderMayCome, kBeside, kWriterDone, kReaderDone };

struct Meeting {
  std::atomic<int> phase = kAlone;
  std::atomic<bool> failed = false;  // one side has, and the other must not wait for it
  double alone_per_second = 0;
  double beside_per_second = 0;
  double query_seconds = 0;
  std::int64_t written = 0;
  Latency queries;
};
static_assert(std::atomic<int>::is_always_lock_free);

// False if the other side has failed.
bool WaitFor(const Meeting& meeting, Phase phase) {
  while (meeting.phase < phase && !meeting.failed) std::this_thread::sleep_for(std::chrono::microseconds(100));
  return !meeting.failed;
}

absl::StatusOr<double> RecordFor(const Parameters& parameters, System& system, Records& records,
                                 std::int64_t& written) {
  const auto begin = Clock::now();
  const auto stop = begin + std::chrono::duration<double>(parameters.seconds);
  const std::int64_t before = written;
  while (Clock::now() < stop && written - before < parameters.checkpoints) {
    RETURN_IF_ERROR(system.Record(0, records.At(written + 1)));
    ++written;
  }
  return static_cast<double>(written - before) / std::chrono::duration<double>(Clock::now() - begin).count();
}

absl::Status WriteBeside(const Parameters& parameters, const std::string& directory, Meeting& meeting) {
  const auto system = MakeSystem(parameters);
  RETURN_IF_ERROR(system->Open(PlaceIn(directory, parameters)));
  RETURN_IF_ERROR(system->Begin());
  Records records;
  ASSIGN_OR_RETURN(meeting.alone_per_second, RecordFor(parameters, *system, records, meeting.written));
  meeting.phase = kReaderMayCome;
  if (!WaitFor(meeting, kBeside)) return absl::AbortedError("the reader has failed");
  ASSIGN_OR_RETURN(meeting.beside_per_second, RecordFor(parameters, *system, records, meeting.written));
  meeting.phase = kWriterDone;
  if (!WaitFor(meeting, kReaderDone)) return absl::AbortedError("the reader has failed");
  return system->Close();
}

// Answers never go back, and the last one is of all that was written.
absl::Status Ask(const Parameters& parameters, const std::string& directory, Meeting& meeting) {
  const auto system = MakeSystem(parameters);
  RETURN_IF_ERROR(system->OpenToRead(PlaceIn(directory, parameters)));
  ASSIGN_OR_RETURN(Current current, system->ReadCurrent());
  meeting.phase = kBeside;
  const auto begin = Clock::now();
  auto now = begin;
  do {  // at least once, however soon the writer is done
    ASSIGN_OR_RETURN(Current later, system->ReadCurrent());
    const auto answered = Clock::now();
    meeting.queries.Add((answered - now).count());
    if (later.checkpoints < current.checkpoints) return absl::DataLossError("an answer is older than the one before");
    RETURN_IF_ERROR(CheckCurrent(later, later.checkpoints, 0, later.checkpoints));
    current = std::move(later);
    now = Clock::now();
  } while (meeting.phase == kBeside && !meeting.failed);
  meeting.query_seconds = std::chrono::duration<double>(now - begin).count();
  ASSIGN_OR_RETURN(current, system->ReadCurrent());
  RETURN_IF_ERROR(CheckCurrent(current, meeting.written, 0, meeting.written));
  RETURN_IF_ERROR(system->Close());
  meeting.phase = kReaderDone;
  return absl::OkStatus();
}

// So that the other side does not wait for ever.
template <typename Work>
auto Announcing(Meeting& meeting, const Work& work) {
  return [&meeting, work]() -> absl::Status {
    absl::Status status = work();
    if (!status.ok()) meeting.failed = true;
    return status;
  };
}

}  // namespace

absl::StatusOr<Figures> MeasureQueries(const Parameters& parameters) {
  const ScratchPlace scratch(parameters.directory);
  const Shared<Meeting> meeting;
  const auto write = [&] { return WriteBeside(parameters, scratch.path(), *meeting); };
  const auto ask = [&] { return Ask(parameters, scratch.path(), *meeting); };
  Child writer(Announcing(*meeting, write));
  if (!WaitFor(*meeting, kReaderMayCome)) return writer.Wait();
  Child reader(Announcing(*meeting, ask));
  const absl::Status asked = reader.Wait();
  if (!asked.ok()) meeting->failed = true;  // if it died without a word
  const absl::Status written = writer.Wait();
  RETURN_IF_ERROR(asked);
  RETURN_IF_ERROR(written);
  const Latency& queries = meeting->queries;
  return Figures{{"checkpoints", static_cast<double>(meeting->written)},
                 {"alone_per_second", meeting->alone_per_second},
                 {"per_second", meeting->beside_per_second},
                 {"share_left", meeting->beside_per_second / meeting->alone_per_second},
                 {"queries_per_second", static_cast<double>(queries.count()) / meeting->query_seconds},
                 {"query_p50_ns", queries.Percentile(0.5)},
                 {"query_p99_ns", queries.Percentile(0.99)}};
}

}  // namespace foldlog::peers
