#include "foldlog/beyond_damage.h"

#include <fcntl.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/base/file_system.h"
#include "engine/base/status_macros.h"
#include "engine/codec/frame_reader.h"
#include "engine/codec/frame_search.h"
#include "engine/gaps.h"
#include "engine/log/frame_run.h"
#include "engine/log/store/log_file.h"
#include "foldlog/log_directory.h"
#include "replay/verify/batch_check.h"
#include "replay/verify/store_survey.h"

namespace foldlog {
namespace {

using verify::BatchChecker;
using verify::Run;
using verify::StoreSource;
using verify::StoreSurvey;
using Words = std::span<const std::uint64_t>;

// Where the events are read: the log as it is opened by others, and log.mdb as a survey saw it.
struct Sources {
  std::unique_ptr<EventLog> log;
  FileDescriptor file;
  std::unique_ptr<LogFile> log_file;
  StoreSurvey survey;
  StoreSource store;
};

// Threads: any; all is const. Invariants: events from extent_.base to extent_.end that are in no gap are whole.
class GapLog final : public EventLog {
 public:
  GapLog(std::unique_ptr<Sources> sources, const LogExtent& extent, std::vector<Gap> gaps, std::vector<Gap> damaged)
      : sources_(std::move(sources)), extent_(extent), gaps_(std::move(gaps)), damaged_(std::move(damaged)) {}

  absl::Status Append(const FrameRun&, Space) override { return RefuseWriting(); }
  absl::Status Sync(Sequence) override { return RefuseWriting(); }
  absl::Status PutSnapshot(const Snapshot&) override { return RefuseWriting(); }
  absl::StatusOr<bool> WaitForMore(Sequence behind, std::chrono::milliseconds) const override {
    return behind < extent_.end.sequence;
  }
  absl::Status Close() override { return sources_->log->Close(); }
  const std::string& name() const override { return sources_->log->name(); }
  std::span<const Gap> gaps() const override { return gaps_; }
  absl::StatusOr<LogExtent> Extent() const override { return extent_; }

  absl::Status ReadInto(Sequence from, std::size_t bytes_max, FrameRun& run) const override {
    RETURN_IF_ERROR(CheckReadable(from, extent_, name()));
    if (from > extent_.end.sequence) return ClearRun(from, run);
    if (const Gap* const gap = GapAt(*this, from)) {
      return absl::DataLossError(absl::StrCat("the log ", name(), ": ", WhichAre(*gap), " missing"));
    }
    const Gap* const gap = GapFrom(*this, from);
    Sequence last = gap != nullptr ? std::min(gap->from - 1, extent_.end.sequence) : extent_.end.sequence;
    // What of a damaged batch is whole was found so in this very way.
    const auto damaged = std::lower_bound(damaged_.begin(), damaged_.end(), from,
                                          [](const Gap& batch, Sequence at) { return batch.through < at; });
    if (damaged != damaged_.end() && damaged->from <= from) {
      return ReadFromBatch(from, std::min(last, damaged->through), run);
    }
    if (damaged != damaged_.end()) last = std::min(last, damaged->from - 1);
    RETURN_IF_ERROR(sources_->log->ReadInto(from, bytes_max, run));
    CutBehind(from, last, run);
    return absl::OkStatus();
  }

  // One taken in a gap does no harm, for what follows it can't be read.
  absl::StatusOr<std::optional<Snapshot>> FindSnapshot(Sequence at_most) const override {
    return sources_->log->FindSnapshot(at_most);
  }
  absl::StatusOr<std::vector<IndexRow>> ReadIndex(IndexTable table, Sequence from, IndexOrder order,
                                                  std::size_t rows_max) const override {
    return sources_->log->ReadIndex(table, from, order, rows_max);
  }
  absl::StatusOr<std::vector<PrunedRange>> ReadPruned() const override { return sources_->log->ReadPruned(); }

 private:
  absl::Status RefuseWriting() const {
    return absl::FailedPreconditionError(absl::StrCat("the log ", name(), " is open for reading only"));
  }

  // What is behind event `last` is not looked at: a damaged frame may say any number.
  static void CutBehind(Sequence from, Sequence last, FrameRun& run) {
    std::size_t at = 0;
    for (Sequence next = from; at < run.words.size() && next <= last; ++next) {
      const std::optional<FrameView> frame = FrameAtStartOf(Words(run.words).subspan(at));
      if (!frame || frame->header.sequence != next) break;
      at += frame->size_words();
    }
    run.words.resize(at);
  }

  // Where a frame before it in its batch does not tell where the next one begins.
  absl::Status ReadFromBatch(Sequence from, Sequence last, FrameRun& run) const {
    const auto& batches = sources_->survey.batches;
    const auto behind = std::upper_bound(batches.begin(), batches.end(), from,
                                         [](Sequence at, const LmdbEntry& entry) { return at < entry.key; });
    const absl::Status gone = absl::DataLossError(absl::StrCat("event ", from, " of the log ", name(), " is gone"));
    if (behind == batches.begin()) return gone;
    BatchChecker checker(sources_->store);
    ASSIGN_OR_RETURN(const Words stored,
                     checker.ReadValue(kEventsTable, *std::prev(behind), [](Words words) { return !words.empty(); }));
    BatchCodec codec(BatchCodec::Buffer::kCleared);
    ASSIGN_OR_RETURN(const Words frames, codec.Unpack(stored));
    std::size_t words_to_hash = kHashedInVainMax * frames.size();
    std::optional<FoundFrame> found = FindFrame(frames, 0, words_to_hash);
    while (found && found->frame.header.sequence < from) {
      found = FindFrame(frames, found->at + found->frame.size_words(), words_to_hash);
    }
    if (!found || found->frame.header.sequence != from) return gone;
    const Words rest = frames.subspan(found->at);
    run.words.assign(rest.begin(), rest.end());
    run.before = {from - 1, found->frame.header.previous_hash};
    run.after = {};
    CutBehind(from, last, run);
    return absl::OkStatus();
  }

  const std::unique_ptr<Sources> sources_;
  const LogExtent extent_;
  const std::vector<Gap> gaps_;
  const std::vector<Gap> damaged_;  // batches, by the events that they should hold
};

// The whole runs of log.mdb, in order, each joined with the next if they are one chain.
absl::StatusOr<std::vector<Run>> FindRuns(const StoreSource& store, std::vector<Gap>& damaged) {
  std::vector<Run> runs;
  const auto& batches = store.survey->batches;
  BatchChecker checker(store);
  for (std::size_t i = 0; i < batches.size(); ++i) {
    std::optional<Sequence> through;
    if (i + 1 < batches.size()) through = batches[i + 1].key - 1;
    ASSIGN_OR_RETURN(const verify::CheckedBatch checked, checker.Check(batches[i], through));
    if (!checked.whole()) damaged.push_back({batches[i].key, through.value_or(store.survey->commit->end.sequence)});
    for (const Run& run : checked.runs) {
      if (!runs.empty() && run.before == runs.back().after) {
        runs.back().after = run.after;
      } else {
        runs.push_back(run);
      }
    }
  }
  return runs;
}

// Takes runs in order, and notes what lies between them.
class GapFinder {
 public:
  explicit GapFinder(const ChainEnd& base) : at_(base) {}

  void Add(Run run) {
    if (run.after.sequence <= at_.sequence) return;
    // A broken link, or events that are there twice: the first event is left out.
    if (run.before.sequence < at_.sequence) run.before = {at_.sequence, ~at_.hash};
    const bool broken = run.before.sequence == at_.sequence && run.before.hash != at_.hash;
    if (run.before.sequence > at_.sequence) Note({at_.sequence + 1, run.before.sequence});
    if (broken) Note({at_.sequence + 1, at_.sequence + 1});
    at_ = run.after;
  }

  // The log should end with `end`. Its extent, and the gaps, the one at its end among them.
  std::vector<Gap> End(Sequence end, ChainEnd& last) {
    last = at_;
    if (end > at_.sequence) Note({at_.sequence + 1, end});
    // Nothing is left of what ends with an event that is in a gap itself.
    while (!gaps_.empty() && gaps_.back().through >= last.sequence && gaps_.back().from <= last.sequence) {
      last = {gaps_.back().from - 1, 0};
    }
    return std::move(gaps_);
  }

 private:
  void Note(const Gap& gap) {
    if (!gaps_.empty() && gaps_.back().through + 1 == gap.from) {
      gaps_.back().through = gap.through;
    } else {
      gaps_.push_back(gap);
    }
  }

  ChainEnd at_;
  std::vector<Gap> gaps_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<EventLog>> OpenBeyondDamage(const std::string& given) {
  auto sources = std::make_unique<Sources>();
  const std::string directory = WithoutTrailingSlashes(given);
  ASSIGN_OR_RETURN(sources->log, OpenLogForReading(directory));
  const std::string path = PathOfLogFile(directory);
  ASSIGN_OR_RETURN(sources->file, OpenRegularFile(path, O_RDONLY));
  ASSIGN_OR_RETURN(sources->survey, verify::SurveyStore(sources->file.get(), path, directory, LmdbDepth::kAll));
  ASSIGN_OR_RETURN(sources->log_file, LogFile::Open(path, directory));
  sources->store = {.fd = sources->file.get(),
                    .path = path,
                    .log = directory,
                    .survey = &sources->survey,
                    .file = sources->log_file.get()};
  if (!sources->survey.commit) {
    return absl::DataLossError(absl::StrCat("the log ", directory, ": its commit record can't be read"));
  }
  const CommitRecord& commit = *sources->survey.commit;
  ASSIGN_OR_RETURN(LogExtent extent, sources->log->Extent());
  std::vector<Gap> damaged;
  ASSIGN_OR_RETURN(const std::vector<Run> runs, FindRuns(sources->store, damaged));
  GapFinder finder(commit.base);
  for (const Run& run : runs) finder.Add(run);
  // What was found behind the survey's last event is a chain that begins there.
  if (extent.end.sequence > commit.end.sequence) finder.Add({commit.end, extent.end});
  std::vector<Gap> gaps = finder.End(std::max(extent.end.sequence, extent.missing_through), extent.end);
  extent.missing_through = 0;
  return std::make_unique<GapLog>(std::move(sources), extent, std::move(gaps), std::move(damaged));
}

}  // namespace foldlog
