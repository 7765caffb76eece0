#include "engine/codec/frame_reader.h"

#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/codec/damage_advice.h"

namespace foldlog {

// Large enough that reading is a small part of decoding, small enough for a processor's cache, and as long as the
// store's batches, which are unpacked as a whole.
constexpr std::size_t kReadBytes = std::size_t{256} << 10;

absl::Status AboutEvent(Sequence sequence, const std::string& log_name, const absl::Status& status) {
  const std::string message = absl::StrCat("event ", sequence, " of the log ", log_name, ": ", status.message());
  // Errors about pages and batches bring their own advice.
  if (!absl::IsDataLoss(status) || absl::StrContains(status.message(), kDamageAdvice)) {
    return absl::Status(status.code(), message);
  }
  return absl::DataLossError(
      absl::StrCat(message,
                   "; keep a copy of the log's directory and restore the last backup, or read on "
                   "behind it with events --from ",
                   sequence + 1, " or --beyond-damage"));
}

FrameReader::FrameReader(const EventLog& log, Sequence from)
    : log_(&log), position_{from == 0 ? 0 : from - 1, 0}, link_known_(false) {}

FrameReader::FrameReader(const EventLog& log, const ChainEnd& after)
    : log_(&log), position_(after), link_known_(true) {}

// The words of the run stay, for they are used again; what counts is that none of them is left to be given out.
void FrameReader::Restart(const ChainEnd& after) {
  offset_words_ = run_.words.size();
  position_ = after;
  link_known_ = true;
}

// Where the way to `from` is barred, the log is asked for that event, as if nothing had been tried.
void FrameReader::Restart(Sequence from, Sequence batch) {
  Restart(ChainEnd{batch - 1, 0});
  link_known_ = false;
  if (batch < from && Refill().ok()) {
    while (position_.sequence + 1 < from) {
      const std::optional<FrameView> frame = FrameAtStartOf(Rest());
      if (!frame || frame->header.sequence != position_.sequence + 1) break;
      StepOver(*frame);
    }
    // The link is taken from the frame itself.
    if (const std::optional<FrameView> frame = FrameAtStartOf(Rest())) position_.hash = frame->header.previous_hash;
  }
  if (position_.sequence + 1 == from && (batch == from || !IsRunDone())) return;
  Restart(ChainEnd{from - 1, 0});
  link_known_ = false;
}

// A reader that starts at a sequence number learns from its first run which hash its first frame must name.
absl::Status FrameReader::Refill() {
  offset_words_ = 0;
  const absl::Status read = log_->ReadInto(position_.sequence + 1, kReadBytes, run_);
  if (!read.ok()) run_.words.clear();
  RETURN_IF_ERROR(read);
  if (!run_.empty() && !link_known_) {
    position_.hash = run_.before.hash;
    link_known_ = true;
  }
  return absl::OkStatus();
}

// The frame is checked here and not when the run is read: the frames before a damaged one are still given out.
absl::StatusOr<const FrameView*> FrameReader::Peek() {
  if (IsRunDone()) {
    RETURN_IF_ERROR(Refill());
    if (run_.empty()) return nullptr;
  }
  const std::span<const std::uint64_t> words = Rest();
  const std::optional<FrameView> frame = FrameBehind(position_, words);
  if (!frame) return WhatIsWrong(words);
  frame_ = *frame;
  return &frame_;
}

// Why the frame at the start of `words` is not the next one: its header, its hash, or its place in the chain.
absl::Status FrameReader::WhatIsWrong(std::span<const std::uint64_t> words) const {
  const absl::StatusOr<FrameView> frame = PeekFrame(words);
  // Nobody can step over a frame whose size is unknown: the advice must not be to read on behind it.
  if (!frame.ok()) return InContext(absl::DataLossError(WithDamageAdvice(std::string(frame.status().message()))));
  if (absl::Status intact = CheckFrameHash(*frame); !intact.ok()) return InContext(intact);
  return InContext(absl::DataLossError(absl::StrCat("the chain is broken: found event ", frame->header.sequence,
                                                    ", which does not name the event before as its predecessor")));
}

}  // namespace foldlog
