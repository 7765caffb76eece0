#include "foldlog/event_reader.h"

#include <utility>

#include "engine/base/status_macros.h"
#include "engine/codec/event_codec.h"
#include "engine/codec/frame_reader.h"

namespace foldlog {

EventReader::EventReader(const EventLog& log, Sequence from) : frames_(std::make_unique<FrameReader>(log, from)) {}

EventReader::EventReader(const EventLog& log, const ChainEnd& after)
    : frames_(std::make_unique<FrameReader>(log, after)) {}

EventReader::EventReader(EventReader&&) noexcept = default;
EventReader& EventReader::operator=(EventReader&&) noexcept = default;
EventReader::~EventReader() = default;

absl::StatusOr<std::optional<RecordedEvent>> EventReader::Next() {
  ASSIGN_OR_RETURN(const std::optional<FrameView> frame, frames_->Peek());
  if (!frame) return std::optional<RecordedEvent>();
  absl::StatusOr<Event> event = DecodeEvent(frame->payload);
  if (!event.ok()) {
    absl::Status named = frames_->InContext(event.status());
    // The frame itself is intact, and so is the chain behind it: the caller may go on. Not so for a newer kind of
    // event, which this version would silently skip.
    if (absl::IsDataLoss(named)) frames_->StepOver(*frame);
    return named;
  }
  frames_->StepOver(*frame);
  return RecordedEvent{frame->header.sequence, frame->header.hash, *std::move(event)};
}

const ChainEnd& EventReader::position() const { return frames_->position(); }

}  // namespace foldlog
