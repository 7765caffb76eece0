// Sink: where the fields of events and states go, in their order: to JSON (json_sink.h) or to Python's values
// (tools/python/value_sink.h). What the two show differently, such as times, each of them decides.
//
//   sink.BeginObject();
//   Put(sink, "status", Name(OperationStatus::kIdle));
//   sink.EndObject();
//
// The caller keeps the order legal: a key before each value in an object, none in a list.

#ifndef FOLDLOG_REPORT_SINK_H_
#define FOLDLOG_REPORT_SINK_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "foldlog/event.h"

namespace foldlog::report {

class Sink {
 public:
  virtual ~Sink() = default;
  Sink(const Sink&) = delete;
  Sink& operator=(const Sink&) = delete;

  virtual void Key(std::string_view key) = 0;
  virtual void BeginObject() = 0;
  virtual void EndObject() = 0;
  virtual void BeginList() = 0;
  virtual void EndList() = 0;
  virtual void Null() = 0;
  virtual void Bool(bool value) = 0;
  virtual void Integer(std::int64_t value) = 0;
  virtual void Unsigned(std::uint64_t value) = 0;
  virtual void Real(double value) = 0;
  virtual void Text(std::string_view bytes) = 0;
  virtual void Time(TimeNs time) = 0;

  // The error of a file, which was recorded at `time`.
  virtual void Error(const FileError& error, TimeNs time) = 0;

 protected:
  Sink() = default;
};

// A time, told apart from a count.
struct Instant {
  TimeNs ns = 0;
};

inline void PutValue(Sink& sink, bool value) { sink.Bool(value); }
inline void PutValue(Sink& sink, std::int64_t value) { sink.Integer(value); }
inline void PutValue(Sink& sink, std::uint64_t value) { sink.Unsigned(value); }
inline void PutValue(Sink& sink, double value) { sink.Real(value); }
inline void PutValue(Sink& sink, std::string_view text) { sink.Text(text); }
inline void PutValue(Sink& sink, const std::string& text) { sink.Text(text); }
inline void PutValue(Sink& sink, Instant time) { sink.Time(time.ns); }

// A literal would rather become a bool than a string_view.
void PutValue(Sink& sink, const char* text) = delete;

template <typename Value>
void PutValue(Sink& sink, const std::optional<Value>& value) {
  value ? PutValue(sink, *value) : sink.Null();
}

template <typename Value>
void PutValue(Sink& sink, const std::vector<Value>& values) {
  sink.BeginList();
  for (const Value& value : values) PutValue(sink, value);
  sink.EndList();
}

template <typename Value>
void Put(Sink& sink, std::string_view key, const Value& value) {
  sink.Key(key);
  PutValue(sink, value);
}

}  // namespace foldlog::report

#endif  // FOLDLOG_REPORT_SINK_H_
