// From frames to lines. Whether the fields give an event back is not argued but tried: each line is read again and
// encoded.

#include <algorithm>
#include <utility>
#include <vector>

#include "engine/base/status_macros.h"
#include "engine/codec/event_codec.h"
#include "engine/codec/frame_reader.h"
#include "engine/fold.h"
#include "engine/missing_events.h"
#include "foldlog/json_lines.h"
#include "foldlog/state.h"
#include "replay/event_operation.h"
#include "replay/json_event.h"
#include "replay/json_line.h"
#include "replay/report/fields.h"
#include "replay/report/json_sink.h"
#include "replay/report/objects.h"
#include "replay/report/text.h"

namespace foldlog {
namespace {

using report::JsonSink;

std::string BeginLine(const LogId& id, const ChainEnd& base, bool whole) {
  JsonSink json;
  json.BeginObject();
  Put(json, "kind", kBeginKind);
  Put(json, "version", kJsonLinesVersion);
  Put(json, "log_id", HexOf(id));
  Put(json, "whole", whole);
  Put(json, "base_sequence", base.sequence);
  Put(json, "base_hash", report::HashText(base.hash));
  json.EndObject();
  return WithLineHash(json.Take());
}

std::string EndLine(const ChainEnd& end) {
  JsonSink json;
  json.BeginObject();
  Put(json, "kind", kEndKind);
  Put(json, "last_sequence", end.sequence);
  Put(json, "last_hash", report::HashText(end.hash));
  json.EndObject();
  return WithLineHash(json.Take());
}

std::string GapLine(const Gap& gap) {
  JsonSink json;
  json.BeginObject();
  PutGap(json, gap);
  json.EndObject();
  return WithLineHash(json.Take());
}

bool GivesBack(const std::string& object, const std::vector<std::uint64_t>& payload) {
  const absl::StatusOr<JsonSlice> parsed = ParseJson(object);
  if (!parsed.ok()) return false;
  const absl::StatusOr<Event> event = EventFromJson(JsonFields(*parsed));
  std::vector<std::uint64_t> words;
  return event.ok() && EncodeEvent(*event, words).ok() && words == payload;
}

// Of a frame that holds no event, its place.
void PutNoEvent(JsonSink& json, Sequence sequence) {
  Put(json, "sequence", sequence);
  for (const char* const name : {"time", "epoch", "kind", "operation_id"}) {
    json.Key(name);
    json.Null();
  }
}

}  // namespace

struct JsonLinesExport::Parts {
  Parts(const EventLog& log, const LogId& id, Fold at_base, const ChainEnd& last)
      : log_id(id), base(at_base.at), end(last), gaps(log.gaps()), frames(log, base), state(std::move(at_base.state)) {}

  absl::StatusOr<std::string> EventLine(const FrameView& frame);
  absl::StatusOr<std::optional<std::string>> NextOfPart();

  LogId log_id;
  ChainEnd base;
  ChainEnd end;
  std::span<const Gap> gaps;  // that are still to be told
  FrameReader frames;
  State state;
  std::string operation_id;
  std::optional<EventQuery> query;  // if only a part is wanted, or there
  std::optional<QueriedEvent> ahead;
  Sequence given = 0;
  bool begun = false;
  bool ended = false;
};

absl::StatusOr<std::string> JsonLinesExport::Parts::EventLine(const FrameView& frame) {
  const std::vector<std::uint64_t> payload(frame.payload.begin(), frame.payload.end());
  const RecordedEvent head{.sequence = frame.header.sequence, .hash = frame.header.hash};
  const absl::StatusOr<Event> event = DecodeEvent(frame.payload);
  JsonSink json;
  json.BeginObject();
  if (event.ok()) {
    const RecordedEvent recorded{head.sequence, head.hash, *event};
    const Moment before = state.seen;
    NoteOperation(event->body, state, operation_id);
    RETURN_IF_ERROR(ApplyRecorded(recorded, state));
    PutEventHead(json, recorded, operation_id);
    PutClocks(json, *event, before == Moment() ? 0 : ClockStepNs(before, state.seen));
    PutBody(json, *event);
  } else if (absl::IsDataLoss(event.status())) {
    NoteMisfit(std::string(event.status().message()), state);
    PutNoEvent(json, head.sequence);
  } else {
    return frames.InContext(event.status());
  }
  Put(json, "hash", report::HashText(head.hash));
  json.EndObject();
  std::string object = json.Take();
  if (GivesBack(object, payload)) return WithLineHash(std::move(object));
  object.pop_back();
  return WithLineHash(object + R"(, "payload": ")" + Base64Of(payload) + "\"}");
}

absl::StatusOr<std::optional<std::string>> JsonLinesExport::Parts::NextOfPart() {
  std::optional<QueriedEvent> found = std::exchange(ahead, std::nullopt);
  if (!found) {
    ASSIGN_OR_RETURN(found, query->Next());
  }
  if (!gaps.empty() && (!found || found->event.sequence > gaps.front().from)) {
    ahead = std::move(found);
    const Gap& gap = gaps.front();
    gaps = gaps.subspan(1);
    return std::optional(GapLine(gap));
  }
  if (!found) return std::optional<std::string>();
  given = found->event.sequence;
  JsonSink json;
  json.BeginObject();
  PutEventHead(json, found->event, found->operation_id);
  PutClocks(json, found->event.event, 0);
  PutBody(json, found->event.event);
  Put(json, "hash", report::HashText(found->event.hash));
  json.EndObject();
  return std::optional(WithLineHash(json.Take()));
}

absl::StatusOr<JsonLinesExport> JsonLinesExport::Of(const EventLog& log, const LogId& id,
                                                    const std::optional<EventFilter>& filter) {
  ASSIGN_OR_RETURN(const LogExtent extent, log.Extent());
  // What had been durable and is gone must not look as if it had never been.
  RETURN_IF_ERROR(CheckNothingIsMissing(log, extent));
  ASSIGN_OR_RETURN(Fold at_base, FoldLog(log, extent.base.sequence));
  auto parts = std::make_unique<Parts>(log, id, std::move(at_base), extent.end);
  if (filter || !log.gaps().empty()) {
    ASSIGN_OR_RETURN(EventQuery query, EventQuery::Over(log, filter.value_or(EventFilter())));
    parts->query.emplace(std::move(query));
  }
  return JsonLinesExport(std::move(parts));
}

JsonLinesExport::JsonLinesExport(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
JsonLinesExport::JsonLinesExport(JsonLinesExport&&) noexcept = default;
JsonLinesExport& JsonLinesExport::operator=(JsonLinesExport&&) noexcept = default;
JsonLinesExport::~JsonLinesExport() = default;

Sequence JsonLinesExport::position() const {
  return parts_->query ? parts_->given : parts_->frames.position().sequence;
}
Sequence JsonLinesExport::end() const { return parts_->end.sequence; }

absl::StatusOr<std::optional<std::string>> JsonLinesExport::Next() {
  Parts& at = *parts_;
  if (!std::exchange(at.begun, true)) return std::optional(BeginLine(at.log_id, at.base, !at.query));
  if (at.ended) return std::optional<std::string>();
  if (at.query) {
    ASSIGN_OR_RETURN(std::optional<std::string> line, at.NextOfPart());
    if (line) return line;
    at.ended = true;
    return std::optional(EndLine(at.end));
  }
  if (position() >= end()) {
    at.ended = true;
    return std::optional(EndLine(at.frames.position()));
  }
  ASSIGN_OR_RETURN(const FrameView* const frame, at.frames.Peek());
  if (!frame)
    return absl::DataLossError("the log ends with event " + std::to_string(position()) +
                               "; it had more when the export began");
  ASSIGN_OR_RETURN(std::string line, at.EventLine(*frame));
  at.frames.StepOver(*frame);
  return std::optional(std::move(line));
}

}  // namespace foldlog
