// Any text as JSON: a value that is accepted can be taken apart, and both ways to write it anew give JSON that reads
// back as itself.

#include <cmath>
#include <optional>

#include "engine/json/normalise.h"
#include "engine/json/reader.h"
#include "engine/json/writer.h"
#include "tests/fuzz/sample.h"
#include "tests/fuzz/target.h"

namespace foldlog::fuzz {
namespace {

bool IsWithin(std::string_view part, std::string_view whole) {
  return part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size();
}

void Visit(const JsonSlice& value, std::string_view text, int& visits) {
  Require(IsWithin(value.text, text), "a slice is within its text");
  constexpr int kVisitsMax = 2000;  // each member is parsed again, so a deep value takes the square of its length
  if (++visits > kVisitsMax) return;
  switch (value.kind) {
    case JsonSlice::Kind::kObject:
      for (const auto& [key, member] : JsonMembers(value)) {
        Require(key.kind == JsonSlice::Kind::kString, "a key is a string");
        Visit(key, text, visits);
        Visit(member, text, visits);
      }
      break;
    case JsonSlice::Kind::kArray:
      for (const JsonSlice& element : JsonElements(value)) Visit(element, text, visits);
      break;
    case JsonSlice::Kind::kString:
      if (const std::optional<std::string> bytes = JsonBytes(value)) {
        JsonWriter json;
        json.String(*bytes);
        const auto again = ParseJson(json.text());
        Require(again.ok() && JsonBytes(*again) == bytes, "a string comes back from what is written");
      }
      break;
    case JsonSlice::Kind::kInteger:
      if (const std::optional<std::int64_t> number = JsonInteger(value)) {
        JsonWriter json;
        json.Integer(*number);
        const auto again = ParseJson(json.text());
        Require(again.ok() && JsonInteger(*again) == number, "an integer comes back from what is written");
      }
      [[fallthrough]];
    case JsonSlice::Kind::kFloat: {
      const double number = JsonNumber(value);
      JsonWriter json;
      json.Float(number);
      const auto again = ParseJson(json.text());
      Require(again.ok(), "a float is written as JSON");
      const double twice = JsonNumber(*again);
      Require(twice == number || (std::isnan(twice) && std::isnan(number)), "a float comes back from what is written");
      break;
    }
    default:
      break;
  }
}

void Run(std::string_view input) {
  const std::string text(input);  // of exactly its size
  const absl::StatusOr<JsonSlice> value = ParseJson(text);
  Require(value.ok() || absl::IsInvalidArgument(value.status()), "text is JSON, or an invalid argument");
  if (!value.ok()) return;
  int visits = 0;
  Visit(*value, text, visits);
  const std::string standard = StandardJson(*value);
  const auto parsed = ParseJson(standard);
  Require(parsed.ok() && StandardJson(*parsed) == standard, "standard JSON stays as it is");
  const absl::StatusOr<std::string> normal = NormaliseJson(*value);
  if (!normal.ok()) return;
  const auto again = ParseJson(*normal);
  Require(again.ok(), "normalised JSON is JSON");
  Require(NormaliseJson(*again).value() == *normal, "normalised JSON stays as it is");
}

std::vector<std::string> Seeds() {
  return {
      R"({"operation_id": "op-1", "files_processed": 3, "errors": [{"error": "a", "fatal": true}, "b"], "rate": 1.5})",
      R"([NaN, Infinity, -Infinity, 1e400, -0.0, 12345678901234567890, null, true, false])",
      R"("\ud83d\ude00 \udc80 \u0000 \\ \" é")", R"({"a": 1, "a": [[[[]]]], "": {}})", " 1 "};
}

}  // namespace

const Target kJsonTarget = {"json", Run, Seeds, nullptr};

}  // namespace foldlog::fuzz
