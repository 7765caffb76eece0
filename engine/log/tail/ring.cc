#include "engine/log/tail/ring.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <limits>
#include <mutex>
#include <utility>

#include "engine/base/status_macros.h"

namespace foldlog {
namespace {

// So much is mapped in at once. That takes a tenth to a quarter of a millisecond.
constexpr std::size_t kMappedInWords = (std::size_t{1} << 20) / sizeof(std::uint64_t);

// The frames from `from` to a mark or the end, whichever comes next: as each lap ends with one of them, they lie in one
// piece. If not, another program has written over a skip mark, and there is none.
std::optional<TailRing::Run> PieceBetween(const RingCursor& from, const TailPosition& end) {
  const std::span<const std::uint64_t> words = from.Words();
  const std::uint64_t start = from.start();
  if (end.position <= start || end.position - start > words.size()) return std::nullopt;
  return TailRing::Run{{words.first(end.position - start), from.at().chain, end.chain}, end};
}

}  // namespace

void SeqLockedPosition::Store(const TailPosition& place) {
  // An odd version tells loading threads that the three values do not belong together. The release stores keep them
  // behind it.
  const std::uint64_t version = version_.load(std::memory_order_relaxed);
  version_.store(version + 1, std::memory_order_relaxed);
  position_.store(place.position, std::memory_order_release);
  hash_.store(place.chain.hash, std::memory_order_release);
  sequence_.store(place.chain.sequence, std::memory_order_release);
  version_.store(version + 2, std::memory_order_release);
}

TailPosition SeqLockedPosition::Load() const {
  while (true) {
    // The acquire loads keep the second look at the version behind the values. A thread that storing interrupts tries
    // again; the stores are a few instructions, so it does not wait.
    const std::uint64_t before = version_.load(std::memory_order_acquire);
    const TailPosition place{position_.load(std::memory_order_acquire),
                             {sequence_.load(std::memory_order_acquire), hash_.load(std::memory_order_acquire)}};
    if (before % 2 == 0 && version_.load(std::memory_order_relaxed) == before) return place;
  }
}

TailRing::TailRing(std::span<std::uint64_t> words, const TailPosition& stored, const TailContents& found)
    : words_(words),
      mark_words_(MarkDistance(words.size())),
      stored_(stored),
      end_(found.end),
      marked_(found.marks.empty() ? stored.position : found.marks.back().position),
      mapped_in_to_(found.end.position + mark_words_),
      marks_(found.marks.begin(), found.marks.end()) {}

// Without a lock: only the appending thread moves the end, and the stored position only grows, so the answer can at
// worst be a false no.
bool TailRing::HasRoom(std::size_t run_words, std::size_t reserve_words) const {
  const std::uint64_t place = PlaceOfRun(end_.position(), run_words, words_.size());
  return place + run_words + reserve_words <= stored_.position() + words_.size();
}

void TailRing::Append(const FrameSpan& run) {
  const std::uint64_t position = end_.position();
  const std::uint64_t place = PlaceOfRun(position, run.words.size(), words_.size());
  const bool begins_lap = place % words_.size() == 0;
  if (begins_lap || position - marked_ >= mark_words_) Mark({position, run.before});
  if (place >= mapped_in_to_) MapInBehind(place);
  // The skip mark lies behind the end, where no thread reads yet; the store of end_ below publishes it together with
  // the run.
  if (place != position) words_[position % words_.size()] = kSkipMark;
  std::memcpy(&words_[place % words_.size()], run.words.data(), run.words.size_bytes());
  end_.Store({place + run.words.size(), run.after});
  if (run.words.size() > mark_words_) MarkWithin(run, place);
}

// The first store into a page, or into one that the kernel has written meanwhile, costs as much as twenty appends: many
// at once are mapped for less than half of that. Once all are, it is not done again: what the kernel writes, each half
// minute at most, is mapped page by page, as is all where the kernel can't do this.
void TailRing::MapInBehind(std::uint64_t position) {
  constexpr std::size_t kPageWords = 4096 / sizeof(std::uint64_t);
  const std::size_t index = position % words_.size() / kPageWords * kPageWords;
  const auto ahead = words_.subspan(index, std::min(kMappedInWords, words_.size() - index));
  madvise(ahead.data(), ahead.size_bytes(), MADV_POPULATE_WRITE);
  mapped_in_words_ += ahead.size();
  mapped_in_to_ =
      mapped_in_words_ < words_.size() ? position + ahead.size() : std::numeric_limits<std::uint64_t>::max();
}

void TailRing::Mark(const TailPosition& place) {
  marked_ = place.position;
  const std::lock_guard lock(marking_);
  marks_.push_back(place);
}

// A long run would otherwise leave the drain no place to stop at.
void TailRing::MarkWithin(const FrameSpan& run, std::uint64_t place) {
  std::span<const std::uint64_t> rest = run.words;
  while (const std::optional<FrameView> frame = FrameAtStartOf(rest)) {
    rest = rest.subspan(frame->size_words());
    const std::uint64_t behind = place + run.words.size() - rest.size();
    if (!rest.empty() && behind - marked_ >= mark_words_) Mark({behind, frame->end()});
  }
}

std::optional<TailPosition> TailRing::FindMark(std::uint64_t behind, std::uint64_t at_most) const {
  const auto is_before = [](std::uint64_t position, const TailPosition& mark) { return position < mark.position; };
  const std::lock_guard lock(marking_);
  const auto first = std::upper_bound(marks_.begin(), marks_.end(), behind, is_before);
  const auto too_far = std::upper_bound(first, marks_.end(), at_most, is_before);
  if (too_far != first) return *std::prev(too_far);
  return first == marks_.end() ? std::nullopt : std::optional(*first);
}

absl::StatusOr<TailRing::Run> TailRing::NextRun(std::size_t words_about) const {
  const TailPosition stored = stored_.Load();
  TailPosition end = end_.Load();
  if (end.position == stored.position) return Run{{{}, stored.chain, stored.chain}, stored};
  const RingCursor cursor(words_, stored);
  const std::size_t lap_words = cursor.Words().size();
  const std::uint64_t end_max = cursor.start() + (lap_words <= words_about + words_about / 4 ? lap_words : words_about);
  if (end.position > end_max) end = FindMark(stored.position, end_max).value_or(end);
  const std::optional<Run> run = PieceBetween(cursor, end);
  return run ? absl::StatusOr<Run>(*run) : absl::DataLossError("the tail was changed by somebody else");
}

// Words at `index` belong to the lap that `end` is in, or to the one before. The shared lock keeps those before `end`
// from being given up, so no thread writes to them meanwhile.
void TailRing::CopyWords(std::uint64_t index, std::uint64_t end, std::span<std::uint64_t> into) const {
  const std::shared_lock lock(freeing_);
  const std::uint64_t stored = stored_.position();
  const std::uint64_t lap = NextLap(end, words_.size()) - words_.size();
  for (const std::uint64_t start : {lap + index, lap + index - words_.size()}) {
    if (start > end) continue;  // behind the end, or before the first lap
    const std::uint64_t first = std::max(start, stored);
    const std::uint64_t last = std::min(start + into.size(), end);
    if (first < last) std::copy_n(&words_[index + first - start], last - first, &into[first - start]);
  }
}

void TailRing::Free(const TailPosition& place) {
  // Exclusive: a thread in Read() may still copy the words that the next Append() overwrites.
  const std::unique_lock lock(freeing_);
  stored_.Store(place);
  const std::lock_guard marking(marking_);
  while (!marks_.empty() && marks_.front().position <= place.position) marks_.pop_front();
}

void TailRing::Replace(const ChainEnd& end) {
  const TailPosition place{end_.position(), end};
  const std::unique_lock lock(freeing_);
  end_.Store(place);
  stored_.Store(place);
}

// The nearest known place from which the chain leads to `sequence`, whose words are not given up. Frames have no index
// in the ring: a read that begins at the stored position walks over every frame in between.
TailPosition TailRing::StartBefore(Sequence sequence) const {
  TailPosition start = stored_.Load();
  const auto take_if_nearer = [&](const TailPosition& place) {
    if (place.chain.sequence >= start.chain.sequence && place.chain.sequence < sequence) start = place;
  };
  const std::lock_guard lock(marking_);
  const auto behind = std::lower_bound(marks_.begin(), marks_.end(), sequence,
                                       [](const TailPosition& mark, Sequence s) { return mark.chain.sequence < s; });
  if (behind != marks_.begin()) take_if_nearer(*std::prev(behind));
  take_if_nearer(read_to_);
  return start;
}

void TailRing::CopyPieces(const TailPosition& end, RingCursor& cursor, RunCollector& collector) const {
  while (cursor.sequence() < end.chain.sequence) {
    const std::uint64_t position = cursor.at().position;
    const std::optional<TailPosition> mark = FindMark(position, position);
    const std::optional<Run> piece = PieceBetween(cursor, mark && mark->position < end.position ? *mark : end);
    const Sequence first = cursor.sequence() + 1;
    if (!piece || !collector.WantsAll(first, piece->frames.words.size_bytes())) return;
    const std::span<const std::uint64_t> words = piece->frames.words;
    std::memcpy(collector.Room(words.size()).data(), words.data(), words.size_bytes());
    collector.AddRoom(words.size());
    cursor = RingCursor(words_, piece->end);
  }
}

// The shared lock keeps the words from being given up. Frames behind the end at the time of the call are left for the
// next call.
absl::StatusOr<bool> TailRing::Read(Sequence from, std::size_t bytes_max, FrameRun& run) const {
  const std::shared_lock lock(freeing_);
  if (from <= stored_.sequence()) return false;
  RingCursor cursor(words_, StartBefore(from));
  const TailPosition end = end_.Load();
  RunCollector collector(from, bytes_max, std::exchange(run, {}));
  bool wanted = true;
  while (wanted && cursor.sequence() < end.chain.sequence) {
    if (cursor.sequence() + 1 == from) CopyPieces(end, cursor, collector);
    if (cursor.sequence() == end.chain.sequence) break;
    const std::span<const std::uint64_t> words = cursor.Words();
    ASSIGN_OR_RETURN(const FrameView frame, PeekFrame(words));
    if (frame.header.sequence >= from) {
      ASSIGN_OR_RETURN(wanted, collector.Add(words.first(frame.size_words())));
    }
    if (wanted) cursor.StepOver(frame);
  }
  const std::lock_guard remembering(marking_);
  read_to_ = cursor.at();
  run = std::move(collector).Take();
  return true;
}

}  // namespace foldlog
