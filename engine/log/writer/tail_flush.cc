#include "engine/log/writer/tail_flush.h"

#include <algorithm>
#include <span>

#include "engine/base/status_macros.h"

namespace foldlog {
namespace {

// As much is written at once as a disk takes in one piece.
constexpr std::uint64_t kPagesAtOnce = 64;

}  // namespace

absl::Status TailFlush::Flush(const TailPosition& end, Sequence durable) {
  claim_ = {.durable = durable, .flushing = end.chain.sequence};
  std::uint64_t from = std::max(flushed_, ring_.stored_position());
  while (from < end.position) {
    const std::uint64_t to = std::min(end.position, NextLap(from, ring_.size_words()));
    RETURN_IF_ERROR(WriteWords(from, to, claim_));
    from = to;
  }
  flushed_ = std::max(flushed_, end.position);
  return absl::OkStatus();
}

// In the page where that flush ended. What LMDB has needs no claim.
absl::Status TailFlush::Claim() {
  if (claim_.durable == claim_.flushing || flushed_ <= ring_.stored_position()) return absl::OkStatus();
  claim_.durable = claim_.flushing;
  return WriteWords(flushed_ - 1, flushed_, claim_);
}

// The words between two positions of one lap.
absl::Status TailFlush::WriteWords(std::uint64_t from, std::uint64_t to, const TailClaim& claim) {
  const std::uint64_t lap = NextLap(from, ring_.size_words()) - ring_.size_words();
  const std::uint64_t last = (to - lap - 1) / kCopyPageWords;
  for (std::uint64_t first = (from - lap) / kCopyPageWords; first <= last; first += kPagesAtOnce) {
    pages_.resize(std::min(kPagesAtOnce, last - first + 1));
    for (std::uint64_t number = first; number < first + pages_.size(); ++number) {
      CopyPage& page = pages_[number - first];
      const std::uint64_t index = number * kCopyPageWords;
      page.words.fill(0);
      ring_.CopyWords(index, to, std::span(page.words).first(std::min(kCopyPageWords, ring_.size_words() - index)));
      SetClaim(page, number, claim);
    }
    RETURN_IF_ERROR(file_.WriteCopy(first, pages_));
  }
  return absl::OkStatus();
}

}  // namespace foldlog
