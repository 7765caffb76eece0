#include "engine/codec/frame_reader.h"

#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/codec/damage_advice.h"

namespace foldlog {

// Large enough that fetching is a small part of decoding, small enough to sit in a cache; and as long as the batches of
// the store, which are unpacked whole.
constexpr std::size_t kReadBytes = std::size_t{256} << 10;

FrameReader::FrameReader(const EventLog& log, Sequence from)
    : log_(&log), position_{from == 0 ? 0 : from - 1, 0}, link_known_(false) {}

FrameReader::FrameReader(const EventLog& log, const ChainEnd& after)
    : log_(&log), position_(after), link_known_(true) {}

absl::Status FrameReader::Refill() {
  ASSIGN_OR_RETURN(run_, log_->Read(position_.sequence + 1, kReadBytes));
  offset_words_ = 0;
  if (!run_.empty() && !link_known_) {
    position_.hash = run_.before.hash;
    link_known_ = true;
  }
  return absl::OkStatus();
}

absl::Status FrameReader::InContext(const absl::Status& status) const {
  const Sequence sequence = position_.sequence + 1;
  const std::string message = absl::StrCat("event ", sequence, " of the log ", log_->name(), ": ", status.message());
  // What the log says of its pages and batches comes with advice.
  if (!absl::IsDataLoss(status) || absl::StrContains(status.message(), kDamageAdvice)) {
    return absl::Status(status.code(), message);
  }
  return absl::DataLossError(
      absl::StrCat(message,
                   "; keep a copy of the log's directory and restore the last backup, or read on "
                   "behind it with events --from ",
                   sequence + 1));
}

absl::StatusOr<std::optional<FrameView>> FrameReader::Peek() {
  if (offset_words_ == run_.words.size()) {
    RETURN_IF_ERROR(Refill());
    if (run_.empty()) return std::optional<FrameView>();
  }
  const auto words = std::span(run_.words).subspan(offset_words_);
  if (const std::optional<FrameView> frame = FrameBehind(position_, words)) return frame;
  return WhatIsWrong(words);
}

// With the frame at the start of `words`, which cannot be taken.
absl::Status FrameReader::WhatIsWrong(std::span<const std::uint64_t> words) const {
  const absl::StatusOr<FrameView> frame = PeekFrame(words);
  if (!frame.ok()) return InContext(frame.status());
  if (absl::Status intact = CheckFrameHash(*frame); !intact.ok()) return InContext(intact);
  return InContext(absl::DataLossError(absl::StrCat("the chain is broken: found event ", frame->header.sequence,
                                                    ", which does not name the event before as its predecessor")));
}

void FrameReader::StepOver(const FrameView& frame) {
  offset_words_ += frame.size_words();
  position_ = frame.end();
}

}  // namespace foldlog
