#include "replay/verify/tail_check.h"

#include <chrono>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/codec/frame_reader.h"
#include "engine/log/tail/file.h"
#include "engine/log/tail/walk.h"
#include "foldlog/log_directory.h"

namespace foldlog::verify {
namespace {

// A writer may be changing what looks torn.
constexpr int kLooksMax = 4;
constexpr std::chrono::milliseconds kLookDelay{2};

class TailCheck {
 public:
  TailCheck(const StoreSource& source, std::optional<EventIndexer::Progress> fold,
            const std::vector<SnapshotPlace>& snapshots)
      : source_(&source), path_(source.log + "/tail"), snapshots_(snapshots), reader_(source), fold_(std::move(fold)) {}

  absl::StatusOr<TailResult> Run(bool search_rest) {
    const StoreSurvey& survey = *source_->survey;
    if (!survey.format) return std::move(result_);  // which tail belongs to the log can't be told
    const auto tail = TailFile::Open(source_->log, survey.format->log_id, TailFile::Access::kRead);
    if (!tail.ok()) {
      RETURN_IF_ERROR(NoTail(tail.status()));
      return std::move(result_);
    }
    CheckMarks(**tail);
    const auto log = OpenLogForReading(source_->log);
    if (absl::IsDataLoss(log.status())) return std::move(result_);  // the survey has told why
    RETURN_IF_ERROR(log.status());
    RETURN_IF_ERROR(CheckEnd(**log));
    RETURN_IF_ERROR(ReadFrames(**log));
    if (search_rest) RETURN_IF_ERROR(SearchRest(**tail, **log));
    return std::move(result_);
  }

 private:
  void Add(std::string message, std::optional<Sequence> from, std::optional<Sequence> through, std::string next,
           bool is_note = false) {
    result_.findings.Add({.part = VerifyPart::kTail,
                          .is_note = is_note,
                          .file = path_,
                          .hides_from = from,
                          .hides_through = through,
                          .message = std::move(message),
                          .next = std::move(next)});
  }

  std::string PutBack() const {
    return absl::StrCat("keep a copy of ", source_->log,
                        " and put the file tail back from where it was copied; foldlog salvage --log ", source_->log,
                        " --out NEW makes a new log of what is intact");
  }

  // For events that are known to be missing.
  std::string PutBackOrGoOn() const {
    return absl::StrCat(PutBack(), ", or go on without these events: foldlog resume --accept-loss --log ",
                        source_->log);
  }

  absl::Status NoTail(const absl::Status& why) {
    if (absl::IsNotFound(why)) {
      Add("the file is missing, and with it the newest events", std::nullopt, std::nullopt, PutBack());
    } else if (absl::IsDataLoss(why)) {
      // The status names the file and gives its advice behind a colon.
      const std::string message = Sentence(why, path_);
      const std::string head = path_ + " ";
      const std::string told = message.starts_with(head) ? message.substr(head.size()) : message;
      Add("the file " + told.substr(0, told.find(": its newest events")) + ": its events can't be read", std::nullopt,
          std::nullopt, PutBack());
    } else {
      return why;
    }
    return absl::OkStatus();
  }

  void CheckMarks(const TailFile& tail) {
    std::size_t damaged = tail.ReadClaims().damaged;
    for (int looks = 1; damaged > 0 && looks < kLooksMax; ++looks) {
      std::this_thread::sleep_for(kLookDelay);
      damaged = tail.ReadClaims().damaged;
    }
    if (damaged == 0) return;
    Add(absl::StrCat(damaged, damaged == 1 ? " mark does" : " marks do",
                     " not match their hash: how far events were durable is known no better"),
        std::nullopt, std::nullopt, "", /*is_note=*/true);
  }

  // What was durable must be there.
  absl::Status CheckEnd(const EventLog& log) {
    const absl::StatusOr<LogExtent> extent = log.Extent();
    const auto& beyond = source_->survey->beyond;
    if (absl::IsDataLoss(extent.status())) {
      const auto& commit = source_->survey->commit;
      const bool lost = commit && beyond && beyond->end.sequence > commit->end.sequence;
      result_.findings.Add({.part = lost ? VerifyPart::kRecord : VerifyPart::kTail,
                            .file = lost ? source_->path : path_,
                            .hides_from = lost ? std::optional(commit->end.sequence + 1) : std::nullopt,
                            .hides_through = lost ? std::optional(beyond->end.sequence) : std::nullopt,
                            .message = Sentence(Sentence(extent.status(), source_->path), path_),
                            .next = lost ? Restore(source_->log) : PutBack()});
      return absl::OkStatus();
    }
    RETURN_IF_ERROR(extent.status());
    result_.end = extent->end;
    if (extent->missing_through > extent->end.sequence) {
      Add(absl::StrCat("events ", extent->end.sequence + 1, " to ", extent->missing_through,
                       " were durable and are missing: the chain of frames ends before them"),
          extent->end.sequence + 1, extent->missing_through, PutBackOrGoOn());
    }
    return absl::OkStatus();
  }

  // Each frame behind those that the survey has seen in log.mdb, wherever it is by now.
  absl::Status ReadFrames(const EventLog& log) {
    const auto& commit = source_->survey->commit;
    if (!commit || !result_.end) return absl::OkStatus();
    FrameReader frames(log, commit->end);
    while (frames.position().sequence < result_.end->sequence) {
      if (fold_ && frames.IsRunDone()) fold_->fold.Settle();
      const absl::StatusOr<const FrameView*> frame = frames.Peek();
      if (absl::IsDataLoss(frame.status()) || (frame.ok() && *frame == nullptr)) {
        const Sequence next = frames.position().sequence + 1;
        Add(frame.ok() ? absl::StrCat("the chain of frames ends before event ", next) : Sentence(frame.status(), path_),
            next, result_.end->sequence, PutBack());
        break;
      }
      RETURN_IF_ERROR(frame.status());
      Fold(**frame);
      frames.StepOver(**frame);
      ++result_.events;
    }
    return absl::OkStatus();
  }

  void Fold(const FrameView& frame) {
    if (!fold_) return;
    const Sequence sequence = frame.header.sequence;
    const absl::Status folded = fold_->fold.Add(frame);
    if (!folded.ok()) fold_->fold.AddMisfit(std::string(folded.message()));
    while (next_snapshot_ < snapshots_.size() && snapshots_[next_snapshot_].at <= sequence) {
      const SnapshotPlace& place = snapshots_[next_snapshot_++];
      if (place.at != sequence) continue;
      CompareSnapshot(*source_, reader_, place, frame.end(), fold_->fold.Settled(), result_.findings);
    }
  }

  // Newer frames that do not continue the chain: only where no writer adds any meanwhile.
  absl::Status SearchRest(const TailFile& tail, const EventLog& log) {
    const auto& commit = source_->survey->commit;
    const absl::StatusOr<WriterInfo> writer = InspectWriter(source_->log);
    if (!commit || !result_.end || !writer.ok() || writer->held) return absl::OkStatus();
    std::vector<std::uint64_t> ring(tail.ring_words());
    for (std::size_t have = 0; have < ring.size();) {
      const absl::StatusOr<std::size_t> got = tail.ReadWords(have, std::span(ring).subspan(have));
      if (!got.ok()) {
        Add(Sentence(got.status(), path_), std::nullopt, std::nullopt, PutBack());
        return absl::OkStatus();
      }
      have += *got;
    }
    const TailContents found = ScanTail(ring, {commit->tail_position, commit->end}, /*search_rest=*/true);
    ASSIGN_OR_RETURN(const LogExtent extent, log.Extent());
    if (extent.end != *result_.end || found.end.chain != extent.end || found.discarded == 0) return absl::OkStatus();
    Add(absl::StrCat(
            found.discarded, found.discarded == 1 ? " newer frame stands" : " newer frames stand",
            " behind the end of the chain and do not continue it: a power cut tore them apart before they were "
            "durable, or a writer went on without them"),
        std::nullopt, std::nullopt, "", /*is_note=*/true);
    return absl::OkStatus();
  }

  const StoreSource* source_;
  const std::string path_;
  std::span<const SnapshotPlace> snapshots_;
  std::size_t next_snapshot_ = 0;
  BatchChecker reader_;
  std::optional<EventIndexer::Progress> fold_;
  TailResult result_;
};

}  // namespace

absl::StatusOr<TailResult> CheckTail(const StoreSource& source, std::optional<EventIndexer::Progress> fold,
                                     const std::vector<SnapshotPlace>& snapshots, bool search_rest) {
  return TailCheck(source, std::move(fold), snapshots).Run(search_rest);
}

}  // namespace foldlog::verify
