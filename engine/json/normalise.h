// JSON text as Python would write it again: json.dumps(json.loads(text)), byte for byte.

#ifndef FOLDLOG_JSON_NORMALISE_H_
#define FOLDLOG_JSON_NORMALISE_H_

#include <string>

#include "absl/status/statusor.h"
#include "engine/json/reader.h"

namespace foldlog {

// `value` must come from ParseJson(). A repeated key keeps its last value, in the place of the first. InvalidArgument
// if `value` is nested too deeply.
absl::StatusOr<std::string> NormaliseJson(const JsonSlice& value);

}  // namespace foldlog

#endif  // FOLDLOG_JSON_NORMALISE_H_
