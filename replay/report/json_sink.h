// JsonSink: fields as JSON, in the format of Python's json.dumps (engine/json/writer.h). Times are RFC 3339. What JSON
// has no number for (NaN, infinity) is null.

#ifndef FOLDLOG_REPORT_JSON_SINK_H_
#define FOLDLOG_REPORT_JSON_SINK_H_

#include <string>
#include <string_view>

#include "engine/json/writer.h"
#include "replay/report/sink.h"

namespace foldlog::report {

class JsonSink final : public Sink {
 public:
  void Key(std::string_view key) override { json_.Key(key); }
  void BeginObject() override { json_.BeginObject(); }
  void EndObject() override { json_.EndObject(); }
  void BeginList() override { json_.BeginArray(); }
  void EndList() override { json_.EndArray(); }
  void Null() override { json_.Null(); }
  void Bool(bool value) override { json_.Bool(value); }
  void Integer(std::int64_t value) override { json_.Integer(value); }
  void Unsigned(std::uint64_t value) override { json_.Unsigned(value); }
  void Real(double value) override;
  void Text(std::string_view bytes) override { json_.String(bytes); }
  void Time(TimeNs time) override;
  void Error(const FileError& error, TimeNs time) override;

  // The text; the sink is empty again.
  std::string Take() { return json_.Take(); }

 private:
  JsonWriter json_;
};

}  // namespace foldlog::report

#endif  // FOLDLOG_REPORT_JSON_SINK_H_
