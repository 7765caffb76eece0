#include "replay/report/json_sink.h"

#include <cmath>

#include "engine/base/ascii.h"
#include "engine/json/reader.h"
#include "replay/report/text.h"

namespace foldlog::report {

void JsonSink::Real(double value) { std::isfinite(value) ? json_.Float(value) : json_.Null(); }

void JsonSink::Time(TimeNs time) { json_.String(Rfc3339(time)); }

// What a command takes for details is JSON in one line of ASCII; what a log holds may be anything.
void JsonSink::Error(const FileError& error, TimeNs) {
  BeginObject();
  Put(*this, "path", error.path);
  Put(*this, "error", error.message);
  if (const std::string& details = error.details; !details.empty()) {
    const absl::StatusOr<JsonSlice> value = ParseJson(details);
    Key("details");
    value.ok() && IsPrintableAscii(details) ? json_.Raw(StandardJson(*value)) : json_.String(details);
  }
  EndObject();
}

}  // namespace foldlog::report
