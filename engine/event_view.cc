#include "foldlog/event_view.h"

#include <string>
#include <utility>

#include "engine/base/status_macros.h"
#include "engine/checkpoint_view.h"
#include "engine/codec/checkpoint_codec.h"
#include "engine/codec/event_codec.h"
#include "engine/codec/frame_reader.h"

namespace foldlog {
namespace {

std::optional<std::string> TextOf(std::string_view view) {
  return IsPresent(view) ? std::optional<std::string>(view) : std::nullopt;
}

}  // namespace

RecordedEvent CopyOf(const EventView& view) {
  if (view.decoded != nullptr) return {view.sequence, view.hash, *view.decoded};
  Checkpoint body{.files_processed = view.files_processed,
                  .current_path = TextOf(view.current_path),
                  .last_processed_file = TextOf(view.last_processed_file),
                  .batch_num = view.batch_num};
  return {view.sequence, view.hash, {view.at.time, view.epoch, std::move(body), view.at.boot}};
}

struct ViewReader::Impl {
  explicit Impl(FrameReader reader) : frames(std::move(reader)) {}

  // Fills the view in with an event that is no plain checkpoint.
  void See(Event decoded) {
    event = std::move(decoded);
    const Moment at{event.time, event.boot};
    static_cast<CheckpointView&>(view) = {.at = at, .epoch = event.epoch};
    if (const auto* checkpoint = std::get_if<Checkpoint>(&event.body)) {
      static_cast<CheckpointView&>(view) = ViewOf(at, event.epoch, *checkpoint);
    }
    view.kind = event.body.index();
    view.decoded = &event;
  }

  FrameReader frames;
  EventView view;
  Event event;  // what the view is of, unless it is a plain checkpoint
  const std::size_t checkpoint_kind = EventBody(Checkpoint{}).index();
};

ViewReader::ViewReader(const EventLog& log, Sequence from) : impl_(std::make_unique<Impl>(FrameReader(log, from))) {}

ViewReader::ViewReader(const EventLog& log, const ChainEnd& after)
    : impl_(std::make_unique<Impl>(FrameReader(log, after))) {}

ViewReader::ViewReader(ViewReader&&) noexcept = default;
ViewReader& ViewReader::operator=(ViewReader&&) noexcept = default;
ViewReader::~ViewReader() = default;

absl::StatusOr<const EventView*> ViewReader::Next() {
  FrameReader& frames = impl_->frames;
  ASSIGN_OR_RETURN(const FrameView* const frame, frames.Peek());
  if (frame == nullptr) return nullptr;
  EventView& view = impl_->view;
  view = {};  // of the event before, nothing may be left
  view.sequence = frame->header.sequence;
  view.hash = frame->header.hash;
  view.previous_hash = frame->header.previous_hash;
  view.kind = impl_->checkpoint_kind;
  if (!DecodePlainCheckpoint(frame->payload, view)) {
    absl::StatusOr<Event> event = DecodeAnyEvent(frame->payload);
    if (!event.ok()) {
      absl::Status named = frames.InContext(event.status());
      // The frame itself is intact, and so is the chain behind it: the caller may go on. Not so for a newer kind of
      // event, which this version would silently skip.
      if (absl::IsDataLoss(named)) frames.StepOver(*frame);
      return named;
    }
    impl_->See(*std::move(event));
  }
  frames.StepOver(*frame);
  return &view;
}

bool ViewReader::IsRunDone() const { return impl_->frames.IsRunDone(); }

const ChainEnd& ViewReader::position() const { return impl_->frames.position(); }

}  // namespace foldlog
