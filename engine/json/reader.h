// Reads JSON as Python's json.loads does, without giving up its text: what is found are slices of it.
//
// So key order, repeated keys, numbers of any size and lone surrogates survive, which a document of values would lose;
// NaN, Infinity and -Infinity are numbers. Nothing is interpreted before it is asked for.
//
//   ASSIGN_OR_RETURN(const JsonSlice row, ParseJson(text));
//   for (const auto& [key, value] : JsonMembers(row)) …
//
// Text may be anything: nesting takes no stack, but is bounded for the sake of who reads it next, and what is not JSON
// is an error that says where. A slice lives as long as the text that it was cut from.

#ifndef FOLDLOG_JSON_READER_H_
#define FOLDLOG_JSON_READER_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

namespace foldlog {

struct JsonSlice {
  enum class Kind { kObject, kArray, kString, kInteger, kFloat, kBool, kNull };
  Kind kind = Kind::kNull;
  std::string_view text = {};  // without white space around it
};

// Python itself gives up at about a thousand levels, jq at 256.
inline constexpr std::size_t kJsonDepthMax = 200;

// `text` as one value, checked to its end. InvalidArgument if it is no JSON, or nested deeper than kJsonDepthMax.
absl::StatusOr<JsonSlice> ParseJson(std::string_view text);

// What a checked object or array holds, in its order; of a repeated key, each.
std::vector<std::pair<JsonSlice, JsonSlice>> JsonMembers(const JsonSlice& object);
std::vector<JsonSlice> JsonElements(const JsonSlice& array);

// The bytes that a checked string stands for: \udc80 … \udcff are the bytes that are not UTF-8. Nothing if it has other
// lone surrogates, which no bytes are written as.
std::optional<std::string> JsonBytes(const JsonSlice& string);

// The text of a checked value as the standard has it: null for NaN, Infinity and -Infinity.
std::string StandardJson(const JsonSlice& value);

// A checked integer; nothing if it does not fit.
std::optional<std::int64_t> JsonInteger(const JsonSlice& integer);

// A checked number, integer or float; one beyond the range is infinite, as in Python.
double JsonNumber(const JsonSlice& number);

}  // namespace foldlog

#endif  // FOLDLOG_JSON_READER_H_
