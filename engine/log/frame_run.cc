#include "engine/log/frame_run.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/codec/frame.h"

namespace foldlog {

absl::Status CheckStartsAt(const FrameSpan& run, const ChainEnd& end, const std::string& name) {
  if (run.before == end) return absl::OkStatus();
  return absl::AbortedError(absl::StrCat("cannot append event ", run.before.sequence + 1, " to the log ", name,
                                         ", which now ends with event ", end.sequence,
                                         "; decide again on its latest state"));
}

// Only links and sizes are checked, no hash: the frames were just made by this process.
absl::Status CheckContinues(const FrameSpan& run, const ChainEnd& end, const std::string& name) {
  RETURN_IF_ERROR(CheckStartsAt(run, end, name));
  return WalkChain(run, [](const FrameView&) {});
}

absl::Status CheckReadable(Sequence from, const LogExtent& extent, const std::string& name) {
  if (from > extent.base.sequence && from <= extent.end.sequence + 1) return absl::OkStatus();
  return absl::OutOfRangeError(absl::StrCat("event ", from, " does not exist: the log ", name, " holds events ",
                                            extent.base.sequence + 1, " to ", extent.end.sequence));
}

absl::Status CheckSyncable(Sequence through, const LogExtent& extent, const std::string& name) {
  if (through <= extent.end.sequence) return absl::OkStatus();
  return absl::OutOfRangeError(absl::StrCat("cannot make event ", through, " durable: the log ", name,
                                            " ends with event ", extent.end.sequence));
}

absl::Status CheckSnapshotPlace(const Snapshot& snapshot, const LogExtent& extent, const std::string& name) {
  if (snapshot.at.sequence >= extent.base.sequence && snapshot.at.sequence <= extent.end.sequence) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("a snapshot at event ", snapshot.at.sequence, " is of no event of the log ", name));
}

// A caller may pass any bytes_max, so it alone does not decide how much memory is reserved.
constexpr std::size_t kReservedWordsMax = (std::size_t{256} << 10) / sizeof(std::uint64_t);

RunCollector::RunCollector(Sequence from, std::size_t bytes_max) : words_max_(bytes_max / sizeof(std::uint64_t)) {
  run_.before = run_.after = {from - 1, 0};
}

// Looks at each frame, and copies the wanted ones in one piece.
absl::StatusOr<bool> RunCollector::Add(std::span<const std::uint64_t> words) {
  std::size_t begin = 0;
  std::size_t end = 0;
  bool full = false;
  while (end < words.size() && !full) {
    ASSIGN_OR_RETURN(const FrameView frame, PeekFrame(words.subspan(end)));
    const std::size_t size = frame.size_words();
    if (frame.header.sequence <= run_.after.sequence) {
      begin = end += size;
      continue;
    }
    const bool first = run_.empty() && begin == end;
    full = !first && run_.words.size() + end - begin + size > words_max_;
    if (full) break;
    // The run starts here; the link that it continues is known only from its first frame.
    if (first) run_.before.hash = frame.header.previous_hash;
    run_.after = frame.end();
    end += size;
  }
  const auto wanted = words.subspan(begin, end - begin);
  // Reserved once: growing step by step would touch several times as many fresh pages as the run needs in the end.
  if (run_.words.empty()) run_.words.reserve(std::max(wanted.size(), std::min(words_max_, kReservedWordsMax)));
  run_.words.insert(run_.words.end(), wanted.begin(), wanted.end());
  return !full && run_.words.size() < words_max_;
}

FrameRun RunCollector::Take() && { return std::move(run_); }

}  // namespace foldlog
