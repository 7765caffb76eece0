#include "tools/python/dicts.h"

#include "replay/report/fields.h"
#include "replay/report/objects.h"
#include "tools/python/convert.h"
#include "tools/python/value_sink.h"

namespace foldlog::python {
namespace {

// What `put` puts into an object.
template <typename PutFields>
py::dict DictWith(PutFields put) {
  ValueSink sink;
  sink.BeginObject();
  put(sink);
  sink.EndObject();
  return sink.Take();
}

}  // namespace

py::dict DictOf(const SingleRow& row) {
  ValueSink sink;
  PutValue(sink, row);
  return sink.Take();
}

py::dict StatusDictOf(const report::LogView& view, const Moment& now) {
  return DictWith([&](report::Sink& sink) { PutStatus(sink, view, now); });
}

py::dict StateAtDictOf(const State& state, const std::optional<SingleRow>& row) {
  return DictWith([&](report::Sink& sink) { PutStateAt(sink, state, row); });
}

py::dict DictOf(const HistoryEntry& entry, const report::LogView& view) {
  return DictWith([&](report::Sink& sink) { PutHistoryEntry(sink, entry, view); });
}

py::dict DictOf(const RecordedEvent& event, const std::string& operation_id, std::int64_t clock_step_ns) {
  return DictWith([&](report::Sink& sink) {
    PutEventHead(sink, event, operation_id);
    PutClocks(sink, event.event, clock_step_ns);
    PutBody(sink, event.event);
  });
}

}  // namespace foldlog::python
