// The fields of events and states that programs are given: by --json of the program and by the Python module, under
// the same names. For programs, so fields are only ever added. Pure: no clock, no I/O.

#ifndef FOLDLOG_REPORT_FIELDS_H_
#define FOLDLOG_REPORT_FIELDS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "foldlog/event.h"
#include "foldlog/owner.h"
#include "foldlog/state.h"
#include "replay/report/sink.h"

namespace foldlog::report {

// Objects. That of a row has the names and the order of the table's columns. Pairs whose name was given several times
// have all their values in a list, because readers of JSON keep only the last of equal keys.
void PutValue(Sink& sink, const Owner& owner);
void PutValue(Sink& sink, const ImportedError& error);
void PutValue(Sink& sink, const SingleRow& row);
void PutValue(Sink& sink, const Misfit& misfit);
void PutValue(Sink& sink, const Metadata& pairs);
void PutValue(Sink& sink, const Stats& pairs);

// The fields of an operation, in groups: what the program tells besides goes between them. An operation that is idle
// stands for none: nulls and zeros.
void PutIdentity(Sink& sink, const Operation& operation);
void PutProgress(Sink& sink, const Operation& operation);
void PutPace(Sink& sink, const Operation& operation);
void PutTimes(Sink& sink, const Operation& operation);
void PutRecord(Sink& sink, const Operation& operation);  // epoch, counts, sequence numbers, statistics
void PutOrigin(Sink& sink, const Operation& operation);  // roots, metadata, owner
void PutOutcome(Sink& sink, const Operation& operation);

// What every event has, and what its kind has. `operation_id` is that of the operation it belongs to; empty if there is
// none.
void PutEventHead(Sink& sink, const RecordedEvent& event, const std::string& operation_id);
void PutBody(Sink& sink, const Event& event);

// What the event tells of the clocks: how long the machine had been up, which boot it was, and by how much the wall
// clock was set since the event before.
void PutClocks(Sink& sink, const Event& event, std::int64_t clock_step_ns);

// `value` if the condition holds; null otherwise.
template <typename Value>
std::optional<Value> If(bool condition, Value value) {
  return condition ? std::optional<Value>(std::move(value)) : std::nullopt;
}

}  // namespace foldlog::report

#endif  // FOLDLOG_REPORT_FIELDS_H_
