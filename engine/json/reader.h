// Reads JSON as Python's json.loads does, but keeps the text: its results are slices of it.
//
// So key order, repeated keys, numbers of any size and lone surrogates survive, which a tree of values would lose. NaN,
// Infinity and -Infinity are numbers. Nothing is decoded before the caller asks for it.
//
//   ASSIGN_OR_RETURN(const JsonSlice row, ParseJson(text));
//   for (const auto& [key, value] : JsonMembers(row)) …
//
// The text may be any bytes. Nesting takes no stack here, but is bounded for later readers that recurse. An error says
// at which byte the text stops being JSON. A slice lives as long as its text. Threads: any; all functions are pure.

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

// The deepest nesting that is accepted: Python gives up at about a thousand levels, jq at 256.
inline constexpr std::size_t kJsonDepthMax = 200;

// `text` as one value, checked to its end. InvalidArgument if it is not JSON, or nested deeper than kJsonDepthMax.
absl::StatusOr<JsonSlice> ParseJson(std::string_view text);

// The members or elements of a checked object or array, in their order. Of a repeated key, each member is given.
std::vector<std::pair<JsonSlice, JsonSlice>> JsonMembers(const JsonSlice& object);
std::vector<JsonSlice> JsonElements(const JsonSlice& array);

// The bytes that a checked string stands for. \udc80 … \udcff stand for the single bytes 0x80 … 0xff, which are not
// UTF-8. Nothing if the string has other lone surrogates, which stand for no bytes.
std::optional<std::string> JsonBytes(const JsonSlice& string);

// The text of a checked value in standard JSON: NaN, Infinity and -Infinity become null.
std::string StandardJson(const JsonSlice& value);

// The value of a checked integer; nothing if it does not fit into 64 bits.
std::optional<std::int64_t> JsonInteger(const JsonSlice& integer);

// The value of a checked integer or float. One beyond the range of double is infinite, as in Python.
double JsonNumber(const JsonSlice& number);

}  // namespace foldlog

#endif  // FOLDLOG_JSON_READER_H_
