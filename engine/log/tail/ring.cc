#include "engine/log/tail/ring.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <mutex>
#include <utility>

#include "engine/base/status_macros.h"

namespace foldlog {

void SeqLockedPosition::Store(const TailPosition& place) {
  const std::uint64_t version = version_.load(std::memory_order_relaxed);
  version_.store(version + 1, std::memory_order_relaxed);
  position_.store(place.position, std::memory_order_release);
  hash_.store(place.chain.hash, std::memory_order_release);
  sequence_.store(place.chain.sequence, std::memory_order_release);
  version_.store(version + 2, std::memory_order_release);
}

TailPosition SeqLockedPosition::Load() const {
  while (true) {
    const std::uint64_t before = version_.load(std::memory_order_acquire);
    const TailPosition place{position_.load(std::memory_order_acquire),
                             {sequence_.load(std::memory_order_acquire), hash_.load(std::memory_order_acquire)}};
    if (before % 2 == 0 && version_.load(std::memory_order_relaxed) == before) return place;
  }
}

TailRing::TailRing(std::span<std::uint64_t> words, const TailPosition& drained, const TailContents& found)
    : words_(words), found_end_(found.end.position), drained_(drained), end_(found.end), marks_(found.marks) {}

bool TailRing::HasRoom(std::size_t run_words, std::size_t reserve_words) const {
  const std::uint64_t end = end_.position();
  const std::uint64_t left_of_lap = NextLap(end, words_.size()) - end;
  const std::uint64_t skipped = run_words > left_of_lap ? left_of_lap : 0;
  return end + skipped + run_words + reserve_words <= drained_.position() + words_.size();
}

void TailRing::Append(const FrameSpan& run) {
  std::uint64_t position = end_.position();
  if (const std::uint64_t lap = NextLap(position, words_.size()); position + run.words.size() > lap) {
    words_[position % words_.size()] = kSkipMark;
    position = lap;
  }
  std::memcpy(&words_[position % words_.size()], run.words.data(), run.words.size_bytes());
  end_.Store({position + run.words.size(), run.after});
}

absl::StatusOr<TailRing::Run> TailRing::NextRun(std::size_t words_max) const {
  const TailPosition drained = drained_.Load();
  const TailPosition end = end_.Load();
  if (drained.chain.sequence == end.chain.sequence) return Run{{{}, drained.chain, drained.chain}, end};
  const std::uint64_t start = FrameStart(words_, drained.position);
  const std::uint64_t limit = std::min(end.position, NextLap(start, words_.size()));
  const auto piece = words_.subspan(start % words_.size(), limit - start);
  ChainEnd after = drained.chain;
  std::size_t size = 0;
  while (size < piece.size() && piece[size] != kSkipMark) {
    const auto frame = FrameAtStartOf(piece.subspan(size));
    if (!frame) return absl::DataLossError("the tail was changed by somebody else");
    if (size > 0 && size + frame->size_words() > words_max) break;
    size += frame->size_words();
    after = frame->end();
  }
  return Run{{piece.first(size), drained.chain, after}, {start + size, after}};
}

void TailRing::Free(const TailPosition& place) {
  const std::unique_lock lock(freeing_);
  drained_.Store(place);
}

void TailRing::Replace(const ChainEnd& end) {
  const TailPosition place{end_.position(), end};
  const std::unique_lock lock(freeing_);
  end_.Store(place);
  drained_.Store(place);
}

// The nearest known place from which the chain leads to `sequence`, which has not been freed.
TailPosition TailRing::StartBefore(Sequence sequence) const {
  TailPosition start = drained_.Load();
  const auto take_if_nearer = [&](const TailPosition& place) {
    if (place.chain.sequence >= start.chain.sequence && place.chain.sequence < sequence) start = place;
  };
  const auto behind = std::lower_bound(marks_.begin(), marks_.end(), sequence,
                                       [](const TailPosition& mark, Sequence s) { return mark.chain.sequence < s; });
  if (behind != marks_.begin()) take_if_nearer(*std::prev(behind));
  const std::lock_guard lock(reading_);
  take_if_nearer(read_to_);
  return start;
}

absl::StatusOr<std::optional<FrameRun>> TailRing::Read(Sequence from, std::size_t bytes_max) const {
  const std::shared_lock lock(freeing_);
  if (from <= drained_.sequence()) return std::optional<FrameRun>();
  TailPosition at = StartBefore(from);
  const TailPosition end = end_.Load();
  RunCollector collector(from, bytes_max);
  bool wanted = true;
  while (wanted && at.chain.sequence < end.chain.sequence) {
    const std::uint64_t start = FrameStart(words_, at.position);
    const auto rest = words_.subspan(start % words_.size());
    ASSIGN_OR_RETURN(const FrameView frame, PeekFrame(rest));
    if (frame.header.sequence >= from) {
      ASSIGN_OR_RETURN(wanted, collector.Add(rest.first(frame.size_words())));
    }
    if (wanted) at = {start + frame.size_words(), frame.end()};
  }
  const std::lock_guard remembering(reading_);
  read_to_ = at;
  return std::optional<FrameRun>(std::move(collector).Take());
}

}  // namespace foldlog
