// A log whose files have any changes, salvaged: nothing is invented, at least as much is found as a reader can read
// from the start, and what is made is a sound log of just that.

#include <filesystem>

#include "foldlog/event_reader.h"
#include "foldlog/log_directory.h"
#include "foldlog/salvage.h"
#include "foldlog/verify.h"
#include "tests/fuzz/changes.h"
#include "tests/fuzz/frames.h"
#include "tests/fuzz/sample.h"
#include "tests/fuzz/target.h"

namespace foldlog::fuzz {
namespace {

// The last event that can be read from the first one on, each of them a true one.
Sequence ReadThrough(const std::string& directory) {
  const auto log = OpenLogForReading(directory);
  if (!log.ok()) return 0;
  EventReader reader(**log, kStart);
  while (true) {
    const auto event = reader.Next();
    if (!event.ok() || !*event) return reader.position().sequence;
    const Sequence sequence = (*event)->sequence;
    Require(sequence <= TrueHashes().size() && TrueHashes()[sequence - 1] == (*event)->hash, "an event is a true one");
  }
}

void CheckReport(const SalvageReport& report) {
  Require(report.end.sequence <= TrueHashes().size(), "no event is found that there never was");
  Require(report.proven_through <= report.end.sequence, "what is proven was found");
  Sequence last = report.end.sequence;
  for (const SalvagedStretch& stretch : report.beyond) {
    Require(stretch.before.sequence >= last && stretch.count() > 0, "stretches rise");
    last = stretch.after.sequence;
    Require(last <= TrueHashes().size() && TrueHashes()[last - 1] == stretch.after.hash, "a stretch is of true events");
  }
  for (const Gap& gap : report.gaps()) Require(gap.from <= gap.through, "a gap is one");
}

void Run(std::string_view input) {
  const std::string from = ScratchDirectory() + "/damaged";
  const std::string to = ScratchDirectory() + "/salvaged";
  std::filesystem::remove_all(from);
  std::filesystem::create_directory(from);
  // With hashes of frames made right, what is found need not be true.
  std::string changes(input);
  if (!changes.empty()) changes[0] = static_cast<char>(changes[0] & ~kResealFrames);
  for (const auto& [name, bytes] : ChangedFiles(changes)) WriteBytes(from + "/" + name, bytes);
  SalvageOptions options{.log_id = kSampleId};
  std::uint64_t lines = 0;
  options.beyond_gaps = [&](const std::string&) {
    ++lines;
    return absl::OkStatus();
  };
  const absl::StatusOr<SalvageReport> report = Salvage(from, to, options);
  if (!report.ok()) {
    Require(absl::IsFailedPrecondition(report.status()), "a log is salvaged, unless it is of another id");
    return Require(!std::filesystem::exists(to), "a salvage that fails leaves nothing");
  }
  CheckReport(*report);
  Require((lines > 0) == !report->beyond.empty(), "what is beyond gaps is given as lines");
  Require(ReadThrough(from) <= report->end.sequence, "what can be read is found");
  if (report->end.sequence == 0) return;
  Require(ReadThrough(to) == report->end.sequence, "all that is found can be read");
  const auto verified = Verify(to, {.jobs = 1});
  Require(verified.ok() && verified->sound() && verified->end == report->end, "what is made is a sound log");
  std::filesystem::remove_all(to);
}

}  // namespace

const Target kSalvageTarget = {"salvage", Run, ChangeSeeds, nullptr};

}  // namespace foldlog::fuzz
