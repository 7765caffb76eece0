#include "foldlog/event_reader.h"

#include <span>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/event_codec.h"
#include "engine/frame.h"
#include "engine/status_macros.h"

namespace foldlog {
namespace {

// Large enough that fetching is a small part of decoding, small enough to sit in a cache.
constexpr std::size_t kReadBytes = std::size_t{256} << 10;

absl::Status InContext(const absl::Status& status, const EventLog& log, Sequence sequence) {
  return absl::Status(status.code(),
                      absl::StrCat("event ", sequence, " of the log ", log.name(), ": ", status.message()));
}

}  // namespace

EventReader::EventReader(const EventLog& log, Sequence from)
    : log_(log), position_{from == 0 ? 0 : from - 1, 0}, link_known_(false) {}

EventReader::EventReader(const EventLog& log, const ChainEnd& after) : log_(log), position_(after), link_known_(true) {}

absl::Status EventReader::Refill() {
  ASSIGN_OR_RETURN(run_, log_.Read(position_.sequence + 1, kReadBytes));
  offset_words_ = 0;
  if (!run_.empty() && !link_known_) {
    position_.hash = run_.before.hash;
    link_known_ = true;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::optional<RecordedEvent>> EventReader::Next() {
  if (offset_words_ == run_.words.size()) {
    RETURN_IF_ERROR(Refill());
    if (run_.empty()) return std::optional<RecordedEvent>();
  }
  const Sequence sequence = position_.sequence + 1;
  absl::StatusOr<FrameView> frame = PeekFrame(std::span(run_.words).subspan(offset_words_));
  if (!frame.ok()) return InContext(frame.status(), log_, sequence);
  if (absl::Status intact = CheckFrameHash(*frame); !intact.ok()) return InContext(intact, log_, sequence);
  if (frame->header.sequence != sequence || frame->header.previous_hash != position_.hash) {
    return InContext(absl::DataLossError(absl::StrCat("the chain is broken: found event ", frame->header.sequence,
                                                      ", which does not name the event before as its predecessor")),
                     log_, sequence);
  }
  absl::StatusOr<Event> event = DecodeEvent(frame->payload);
  if (!event.ok()) return InContext(event.status(), log_, sequence);
  offset_words_ += frame->size_words();
  position_ = frame->end();
  return RecordedEvent{sequence, position_.hash, *std::move(event)};
}

}  // namespace foldlog
