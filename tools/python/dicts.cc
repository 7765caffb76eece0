#include "tools/python/dicts.h"

#include "replay/report/fields.h"
#include "tools/python/convert.h"
#include "tools/python/value_sink.h"

namespace foldlog::python {
namespace {

void PutOperation(report::Sink& sink, const Operation& operation) {
  PutIdentity(sink, operation);
  PutProgress(sink, operation);
  PutPace(sink, operation);
  PutTimes(sink, operation);
  Put(sink, "last_progress_at", report::Instant{operation.last_progress_at});
  PutRecord(sink, operation);
  PutOrigin(sink, operation);
  PutOutcome(sink, operation);
}

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

py::dict DictOf(const State& state) {
  return DictWith([&](report::Sink& sink) {
    Put(sink, "sequence", state.sequence);
    Put(sink, "epoch", state.epoch);
    Put(sink, "status", Name(state.status()));
    sink.Key("operation");
    if (state.operation) {
      sink.BeginObject();
      PutOperation(sink, *state.operation);
      sink.EndObject();
    } else {
      sink.Null();
    }
    if (state.misfit) Put(sink, "misfit", *state.misfit);
  });
}

py::dict DictOf(const HistoryEntry& entry) {
  return DictWith([&](report::Sink& sink) {
    PutOperation(sink, entry.operation);
    Put(sink, "reset", entry.reset_by);
  });
}

py::dict DictOf(const RecordedEvent& event, const std::string& operation_id) {
  return DictWith([&](report::Sink& sink) {
    PutEventHead(sink, event, operation_id);
    PutBody(sink, event.event);
  });
}

}  // namespace foldlog::python
