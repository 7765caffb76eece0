#include "engine/log/frame_run.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <ctime>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/codec/frame.h"
#include "engine/codec/frame_reader.h"

namespace foldlog {

namespace {

std::string UtcText(TimeNs time) {
  const std::time_t seconds = time / 1'000'000'000;
  std::tm parts = {};
  std::array<char, 40> text = {};
  if (gmtime_r(&seconds, &parts) == nullptr) return "an unknown time";
  return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S UTC", &parts)};
}

}  // namespace

absl::Status NotAtTheEnd(const FrameSpan& run, const ChainEnd& end, const std::string& name) {
  return absl::AbortedError(absl::StrCat("cannot append event ", run.before.sequence + 1, " to the log ", name,
                                         ", which now ends with event ", end.sequence,
                                         "; decide again on its latest state"));
}

// Only links and sizes are checked, no hash: the frames were just made by this process.
absl::Status CheckContinues(const FrameSpan& run, const ChainEnd& end, const std::string& name) {
  RETURN_IF_ERROR(CheckStartsAt(run, end, name));
  return WalkChain(run, [](const FrameView&) {});
}

absl::Status WasPruned(Sequence sequence, const LogExtent& extent, const std::vector<PrunedRange>& ranges,
                       const std::string& name) {
  const auto range = std::find_if(ranges.begin(), ranges.end(),
                                  [&](const PrunedRange& candidate) { return sequence <= candidate.behind.sequence; });
  std::string what = absl::StrCat("event ", sequence, " was pruned");
  if (range != ranges.end()) {
    absl::StrAppend(&what, " with events ", range->before.sequence + 1, " to ", range->behind.sequence, ", ",
                    range->times > 1 ? "last " : "", "at ", UtcText(range->time), " by ", range->by, " (",
                    range->policy, ")");
  }
  return absl::OutOfRangeError(absl::StrCat(what, ": the log ", name, " holds events ", extent.base.sequence + 1,
                                            " to ", extent.end.sequence,
                                            "; its history keeps the operations of pruned events"));
}

absl::Status CheckReadable(Sequence from, const LogExtent& extent, const std::string& name) {
  if (from > extent.base.sequence && from <= extent.end.sequence + 1) return absl::OkStatus();
  if (from != 0 && from <= extent.base.sequence) return WasPruned(from, extent, {}, name);
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

absl::Status ClearRun(Sequence from, FrameRun& run) {
  run.words.clear();
  run.before = {from - 1, 0};
  run.after = {};
  return absl::OkStatus();
}

absl::Status FindEnd(FrameRun& run) {
  run.after = run.before;
  for (std::size_t at = 0; at < run.words.size();) {
    const absl::StatusOr<FrameView> frame = PeekFrame(std::span(run.words).subspan(at));
    if (!frame.ok() && at == 0) return frame.status();
    if (!frame.ok()) {
      run.words.resize(at);
      break;
    }
    run.after = frame->end();
    at += frame->size_words();
  }
  return absl::OkStatus();
}

absl::StatusOr<FrameRun> EventLog::Read(Sequence from, std::size_t bytes_max) const {
  FrameRun run;
  RETURN_IF_ERROR(ReadInto(from, bytes_max, run));
  if (const absl::Status found = FindEnd(run); !found.ok()) return AboutEvent(from, name(), found);
  return run;
}

// A caller may pass any bytes_max, so it alone does not decide how much memory is reserved.
constexpr std::size_t kReservedWordsMax = (std::size_t{256} << 10) / sizeof(std::uint64_t);

RunCollector::RunCollector(Sequence from, std::size_t bytes_max, FrameRun recycled)
    : from_(from), words_max_(bytes_max / sizeof(std::uint64_t)), run_(std::move(recycled)) {
  run_.before = {from - 1, 0};
  run_.after = {};
}

// Reserved once: growing step by step would touch several times as many fresh pages as the run needs in the end.
std::span<std::uint64_t> RunCollector::Room(std::size_t words) {
  if (run_.words.capacity() == 0) run_.words.reserve(std::max(words, std::min(words_max_, kReservedWordsMax)));
  if (run_.words.size() - size_words_ < words) run_.words.resize(size_words_ + words);
  return std::span(run_.words).subspan(size_words_, words);
}

// The run starts with its first frame, and only that knows the link that it continues.
void RunCollector::AddRoom(std::size_t words) {
  if (size_words_ == 0) {
    FrameHeader header = {};
    std::memcpy(&header, run_.words.data(), std::min(sizeof header, words * sizeof(std::uint64_t)));
    run_.before.hash = header.previous_hash;
  }
  size_words_ += words;
}

// Looks at each frame, and copies the wanted ones in one piece.
absl::StatusOr<bool> RunCollector::Add(std::span<const std::uint64_t> words) {
  std::size_t begin = 0;
  std::size_t end = 0;
  bool full = false;
  while (end < words.size() && !full) {
    ASSIGN_OR_RETURN(const FrameView frame, PeekFrame(words.subspan(end)));
    const std::size_t size = frame.size_words();
    if (frame.header.sequence < from_) {
      begin = end += size;
      continue;
    }
    const bool first = size_words_ == 0 && begin == end;
    full = !first && size_words_ + end - begin + size > words_max_;
    if (!full) end += size;
  }
  const auto wanted = words.subspan(begin, end - begin);
  if (!wanted.empty()) {
    std::memcpy(Room(wanted.size()).data(), wanted.data(), wanted.size_bytes());
    AddRoom(wanted.size());
  }
  return !full && size_words_ < words_max_;
}

FrameRun RunCollector::Take() && {
  run_.words.resize(size_words_);
  return std::move(run_);
}

}  // namespace foldlog
