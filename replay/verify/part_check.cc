#include "replay/verify/part_check.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <iterator>
#include <mutex>
#include <thread>
#include <utility>

#include "engine/base/status_macros.h"
#include "engine/log/store/stored_log.h"

namespace foldlog::verify {
namespace {

// Small ones let all threads end at about the same time; where each begins, up to 4,096 events are folded twice.
constexpr std::size_t kPartBatchesMin = 64;
constexpr std::size_t kPartsPerJob = 16;

constexpr std::chrono::milliseconds kTellInterval{50};

using Progress = EventIndexer::Progress;

struct Part {
  std::size_t first = 0;  // batches
  std::size_t end = 0;
  std::vector<Run> runs = {};
  Findings findings = {};
  absl::Status status = {};
  DerivedResult derived = {};
  std::optional<Progress> begun = {};  // the fold before the first batch, as it was taken on trust …
  std::optional<Progress> ended = {};  // … and behind the last; nothing if it could not be made
};

bool IsSame(Progress a, Progress b) { return a.operations == b.operations && a.fold.Settled() == b.fold.Settled(); }

// Tells how far all threads are, now and then.
class Teller {
 public:
  Teller(std::uint64_t total, const std::function<void(const VerifyProgress&)>& tell) : tell_(&tell) {
    progress_.batches_total = total;
  }

  void Add(std::uint64_t events) {
    batches_.fetch_add(1, std::memory_order_relaxed);
    events_.fetch_add(events, std::memory_order_relaxed);
    if (!*tell_) return;
    const std::unique_lock lock(mutex_, std::try_to_lock);
    const auto now = std::chrono::steady_clock::now();
    if (!lock || now - told_ < kTellInterval) return;
    told_ = now;
    progress_.batches = batches_;
    progress_.events = events_;
    (*tell_)(progress_);
  }

 private:
  const std::function<void(const VerifyProgress&)>* tell_;
  std::atomic<std::uint64_t> batches_ = 0;
  std::atomic<std::uint64_t> events_ = 0;
  std::mutex mutex_;  // guards the rest
  std::chrono::steady_clock::time_point told_ = {};
  VerifyProgress progress_;
};

// Threads: Work() by several, each of which takes parts of its own; all else before or after that.
class PartsCheck {
 public:
  PartsCheck(const StoreSource& source, const std::vector<SnapshotPlace>& snapshots, int jobs, Teller& teller)
      : source_(&source), snapshots_(&snapshots), teller_(&teller) {
    const std::size_t batches = source.survey->batches.size();
    const std::size_t size = std::max(kPartBatchesMin, batches / (kPartsPerJob * static_cast<std::size_t>(jobs)) + 1);
    for (std::size_t first = 0; first < batches; first += size) {
      parts_.push_back({.first = first, .end = std::min(batches, first + size)});
    }
  }

  std::size_t size() const { return parts_.size(); }

  void Work() {
    for (std::size_t number = next_++; number < parts_.size(); number = next_++) {
      Part& part = parts_[number];
      part.begun = FoldBefore(part);
      part.status = CheckPart(part, part.begun, /*again=*/false);
    }
  }

  // The parts put together.
  absl::StatusOr<PartsResult> Result() {
    PartsResult result;
    std::optional<Progress> known;
    for (Part& checked : parts_) {
      Part part = std::move(checked);  // what it holds is not needed any longer than this
      RETURN_IF_ERROR(part.status);
      if (known && !(part.begun && IsSame(*known, *part.begun))) {
        part.derived = {};
        RETURN_IF_ERROR(CheckPart(part, known, /*again=*/true));
      }
      known = std::move(part.ended);
      result.all_derived = result.all_derived && known.has_value();
      std::move(part.runs.begin(), part.runs.end(), std::back_inserter(result.runs));
      result.findings.Append(std::move(part.findings));
      Take(std::move(part.derived), result.derived);
    }
    result.end = std::move(known);
    return result;
  }

 private:
  static void Take(DerivedResult part, DerivedResult& all) {
    all.findings.Append(std::move(part.findings));
    all.uncounted += part.uncounted;
    all.operation_rows.insert(all.operation_rows.end(), part.operation_rows.begin(), part.operation_rows.end());
    all.batch_rows.insert(all.batch_rows.end(), part.batch_rows.begin(), part.batch_rows.end());
  }

  const LmdbEntry& batch(std::size_t number) const { return source_->survey->batches[number]; }

  // The last event that the batch should hold.
  std::optional<Sequence> Through(std::size_t number) const {
    const auto& batches = source_->survey->batches;
    const auto& commit = source_->survey->commit;
    if (number + 1 < batches.size()) return batches[number + 1].key - 1;
    if (commit && commit->end.sequence >= batches[number].key) return commit->end.sequence;
    return std::nullopt;
  }

  // The first event of the batch that the log still holds.
  Sequence FirstOf(const LmdbEntry& entry) const {
    return source_->survey->IsCutByBase(entry) ? source_->survey->base() + 1 : entry.key;
  }

  // Nothing if the events or snapshots that it takes can't be read.
  std::optional<Progress> FoldBefore(const Part& part) const {
    if (source_->file == nullptr) return std::nullopt;
    const StoredLog stored(*source_->file, source_->log);
    absl::StatusOr<Progress> progress = EventIndexer::ProgressBehind(stored, FirstOf(batch(part.first)) - 1);
    if (!progress.ok()) return std::nullopt;
    if (source_->survey->batch_rows.empty() && source_->survey->operation_rows.empty()) progress->operations.reset();
    return *std::move(progress);
  }

  std::span<const SnapshotPlace> SnapshotsOf(const Part& part) const {
    const auto before = [](const SnapshotPlace& place, Sequence at) { return place.at < at; };
    const auto from = std::lower_bound(snapshots_->begin(), snapshots_->end(), batch(part.first).key, before);
    const bool last = part.end == source_->survey->batches.size();
    const auto to = last ? snapshots_->end() : std::lower_bound(from, snapshots_->end(), batch(part.end).key, before);
    return {from, to};
  }

  // Behind a damaged batch the fold can't go on, up to the next part. Once more, it is only the fold that counts.
  absl::Status CheckPart(Part& part, std::optional<Progress> start, bool again) {
    BatchChecker checker(*source_);
    std::optional<Derivation> derivation;
    if (start) derivation.emplace(*source_, *std::move(start), SnapshotsOf(part));
    Sequence next = FirstOf(batch(part.first));
    for (std::size_t number = part.first; number < part.end; ++number) {
      ASSIGN_OR_RETURN(CheckedBatch checked, checker.Check(batch(number), Through(number)));
      const bool cut = source_->survey->IsCutByBase(batch(number));
      const bool follows = checked.whole() && checked.runs.front().before.sequence + 1 == next;
      if (checked.whole()) next = checked.runs.front().after.sequence + 1;
      if (derivation && follows) {
        RETURN_IF_ERROR(derivation->Add(checked.frames, /*compare_row=*/!cut));
      } else if (derivation) {
        RETURN_IF_ERROR(EndDerivation(*derivation, part));
        derivation.reset();
      }
      if (!again) Note(std::move(checked), part);
    }
    part.ended.reset();
    if (!derivation) return absl::OkStatus();
    RETURN_IF_ERROR(EndDerivation(*derivation, part));
    part.ended = derivation->progress();
    return absl::OkStatus();
  }

  static absl::Status EndDerivation(Derivation& derivation, Part& part) {
    RETURN_IF_ERROR(derivation.Finish());
    part.derived = std::move(derivation.result());
    return absl::OkStatus();
  }

  void Note(CheckedBatch checked, Part& part) const {
    std::uint64_t events = 0;
    for (const Run& run : checked.runs) {
      events += run.after.sequence - run.before.sequence;
      if (!part.runs.empty() && part.runs.back().after == run.before) {
        part.runs.back().after = run.after;
      } else {
        part.runs.push_back(run);
      }
    }
    part.findings.Append(std::move(checked.findings));
    teller_->Add(events);
  }

  const StoreSource* source_;
  const std::vector<SnapshotPlace>* snapshots_;
  Teller* teller_;
  std::vector<Part> parts_;
  std::atomic<std::size_t> next_ = 0;
};

}  // namespace

absl::StatusOr<PartsResult> CheckParts(const StoreSource& source, const std::vector<SnapshotPlace>& snapshots, int jobs,
                                       const std::function<void(const VerifyProgress&)>& progress) {
  Teller teller(source.survey->batches.size(), progress);
  PartsCheck check(source, snapshots, jobs, teller);
  std::vector<std::thread> threads;
  const std::size_t workers = std::min(static_cast<std::size_t>(jobs), check.size());
  while (threads.size() + 1 < workers) threads.emplace_back([&check] { check.Work(); });
  check.Work();
  for (std::thread& thread : threads) thread.join();
  return check.Result();
}

}  // namespace foldlog::verify
