#include "engine/log/tail/window.h"

#include <algorithm>
#include <cstring>

#include "engine/base/status_macros.h"

namespace foldlog {
namespace {

// The first read of a window is one page, because usually nothing is new. A walk that goes on reads more at once.
constexpr std::size_t kFirstWords = 4096 / sizeof(std::uint64_t);
constexpr std::size_t kMoreWords = (std::size_t{64} << 10) / sizeof(std::uint64_t);

}  // namespace

TailWindow::TailWindow(const TailFile& tail, Sources sources) {
  if (sources != Sources::kCopy) ring_.emplace(tail, /*is_copy=*/false);
  if (sources != Sources::kRing) copy_.emplace(tail, /*is_copy=*/true);
}

// Where the one can't be read, the other may do. The ring is left only where its chain ends: usually only it goes on.
absl::StatusOr<std::optional<TailWindow::Step>> TailWindow::FrameBehind(const TailPosition& at) {
  if (!ring_ || !copy_) return (ring_ ? ring_ : copy_)->FrameBehind(at);
  const auto found = [](const absl::StatusOr<std::optional<Step>>& step) { return step.ok() && step->has_value(); };
  absl::StatusOr<std::optional<Step>> first = (in_ring_ ? ring_ : copy_)->FrameBehind(at);
  if (found(first)) return first;
  absl::StatusOr<std::optional<Step>> second = (in_ring_ ? copy_ : ring_)->FrameBehind(at);
  if (found(second)) in_ring_ = !in_ring_;
  return second.ok() && !found(second) ? first : second;
}

// `count` words from `index` on, or fewer if the ring ends before. They are read only if the copy does not have them.
absl::StatusOr<std::span<const std::uint64_t>> TailWindow::Source::Words(std::uint64_t index, std::size_t count) {
  count = std::min<std::uint64_t>(count, tail_.ring_words() - index);
  if (index < first_ || index + count > first_ + words_.size()) {
    RETURN_IF_ERROR(Fetch(index, std::max(count, words_.empty() ? kFirstWords : kMoreWords), count));
  }
  return std::span<const std::uint64_t>(words_).subspan(index - first_, count);
}

// Reads up to `wanted` words, and at least `needed`. Words behind those may be unreadable without any harm: nobody has
// asked for them.
absl::Status TailWindow::Source::Fetch(std::uint64_t index, std::size_t wanted, std::size_t needed) {
  const auto read = [this](std::uint64_t at, std::span<std::uint64_t> into) {
    return is_copy_ ? tail_.ReadCopyWords(at, into) : tail_.ReadWords(at, into);
  };
  words_.resize(std::min<std::uint64_t>(wanted, tail_.ring_words() - index));
  first_ = index;
  fresh_ = true;
  std::size_t have = 0;
  while (have < needed) {
    const absl::StatusOr<std::size_t> got = read(index + have, std::span(words_).subspan(have));
    if (!got.ok()) words_.clear();
    RETURN_IF_ERROR(got.status());
    have += *got;
  }
  words_.resize(have);
  return absl::OkStatus();
}

// A copy from before this call may miss a frame that has come since: if it shows no frame, it is read once more.
absl::StatusOr<std::optional<TailWindow::Step>> TailWindow::Source::FrameBehind(const TailPosition& at) {
  fresh_ = false;
  ASSIGN_OR_RETURN(const std::optional<Step> step, Look(at));
  if (step || fresh_) return step;
  words_.clear();  // the writer may have come further since they were read
  return Look(at);
}

// Only a header that claims to be the next frame of the chain makes its payload be read and hashed. Most looks at the
// end of the log so cost one page.
absl::StatusOr<std::optional<TailWindow::Step>> TailWindow::Source::Look(const TailPosition& at) {
  const std::uint64_t ring_words = tail_.ring_words();
  std::uint64_t position = at.position;
  ASSIGN_OR_RETURN(std::span<const std::uint64_t> words, Words(position % ring_words, kFrameHeaderWords));
  if (const std::uint64_t start = FrameStart(words[0], position, ring_words); start != position) {
    position = start;
    ASSIGN_OR_RETURN(words, Words(position % ring_words, kFrameHeaderWords));
  }
  if (words.size() < kFrameHeaderWords) return std::optional<Step>();
  FrameHeader header;
  std::memcpy(&header, words.data(), sizeof header);
  const std::size_t size = kFrameHeaderWords + header.payload_bytes / sizeof(std::uint64_t);
  const bool is_next = header.magic == kFrameMagic && header.payload_bytes <= kMaxPayloadBytes &&
                       header.sequence == at.chain.sequence + 1 && header.previous_hash == at.chain.hash &&
                       size <= ring_words - position % ring_words;
  if (!is_next) return std::optional<Step>();
  ASSIGN_OR_RETURN(words, Words(position % ring_words, size));
  const std::optional<FrameView> frame = foldlog::FrameBehind(at.chain, words);
  if (!frame) return std::optional<Step>();
  return Step{words.first(frame->size_words()), {position + frame->size_words(), frame->end()}};
}

}  // namespace foldlog
