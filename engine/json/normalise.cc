#include "engine/json/normalise.h"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/json/writer.h"

namespace foldlog {
namespace {

// Appends a piece of a string that holds no escapes, with the escapes that Python would write for it.
void AppendPlain(std::string_view bytes, std::string& out) {
  std::string quoted;
  AppendJsonString(bytes, quoted);
  out.append(quoted, 1, quoted.size() - 2);
}

// The character behind a backslash; quotes, slash and backslash stand for themselves.
char Unescaped(char letter) {
  constexpr std::string_view kLetters = "bfnrt";
  const std::size_t found = kLetters.find(letter);
  return found == std::string_view::npos ? letter : "\b\f\n\r\t"[found];
}

// Escapes above ASCII are copied code unit by code unit: Python writes each surrogate, lone or not, as it was read.
void AppendString(std::string_view text, std::string& out) {
  text = text.substr(1, text.size() - 2);
  out += '"';
  while (!text.empty()) {
    const std::size_t plain = std::min(text.find('\\'), text.size());
    AppendPlain(text.substr(0, plain), out);
    text.remove_prefix(plain);
    if (text.empty()) break;
    if (text[1] != 'u') {
      AppendPlain(std::string(1, Unescaped(text[1])), out);
      text.remove_prefix(2);
      continue;
    }
    std::uint32_t unit = 0;
    std::from_chars(text.data() + 2, text.data() + 6, unit, 16);
    if (unit < 0x80) {
      AppendPlain(std::string(1, static_cast<char>(unit)), out);
    } else {
      absl::StrAppend(&out, "\\u", absl::Hex(unit, absl::kZeroPad4));
    }
    text.remove_prefix(6);
  }
  out += '"';
}

absl::Status Append(const JsonSlice& value, std::size_t depth, std::string& out);

// As a Python dict: a repeated key keeps its first place and its last value. Keys are compared in their written form,
// so that "\u0061" and "a" are the same.
absl::Status AppendObject(const JsonSlice& object, std::size_t depth, std::string& out) {
  std::vector<std::pair<std::string, JsonSlice>> members;
  std::unordered_map<std::string, std::size_t> places;
  for (const auto& [key, value] : JsonMembers(object)) {
    std::string name;
    AppendString(key.text, name);
    const auto [place, is_new] = places.emplace(name, members.size());
    if (is_new) {
      members.emplace_back(std::move(name), value);
    } else {
      members[place->second].second = value;
    }
  }
  out += '{';
  bool first = true;
  for (const auto& [name, value] : members) {
    absl::StrAppend(&out, std::exchange(first, false) ? "" : ", ", name, ": ");
    RETURN_IF_ERROR(Append(value, depth, out));
  }
  out += '}';
  return absl::OkStatus();
}

absl::Status AppendArray(const JsonSlice& array, std::size_t depth, std::string& out) {
  out += '[';
  bool first = true;
  for (const JsonSlice& element : JsonElements(array)) {
    if (!std::exchange(first, false)) out += ", ";
    RETURN_IF_ERROR(Append(element, depth, out));
  }
  out += ']';
  return absl::OkStatus();
}

// Python reads a float and writes the shortest digits for it: 1.10 becomes 1.1.
void AppendFloat(const JsonSlice& number, std::string& out) {
  JsonWriter json;
  json.Float(JsonNumber(number));
  out += json.text();
}

absl::Status Append(const JsonSlice& value, std::size_t depth, std::string& out) {
  // The recursion needs its own bound, although ParseJson() accepts no deeper value.
  if (depth > kJsonDepthMax) {
    return absl::InvalidArgumentError(absl::StrCat("JSON is nested more than ", kJsonDepthMax, " levels deep"));
  }
  switch (value.kind) {
    case JsonSlice::Kind::kObject:
      return AppendObject(value, depth + 1, out);
    case JsonSlice::Kind::kArray:
      return AppendArray(value, depth + 1, out);
    case JsonSlice::Kind::kString:
      AppendString(value.text, out);
      return absl::OkStatus();
    case JsonSlice::Kind::kFloat:
      AppendFloat(value, out);
      return absl::OkStatus();
    case JsonSlice::Kind::kInteger:
      // Python's int("-0") is 0.
      out += value.text == "-0" ? std::string_view("0") : value.text;
      return absl::OkStatus();
    case JsonSlice::Kind::kBool:
    case JsonSlice::Kind::kNull:
      out += value.text;
      return absl::OkStatus();
  }
  return absl::InternalError("a JSON value of no kind");
}

}  // namespace

absl::StatusOr<std::string> NormaliseJson(const JsonSlice& value) {
  std::string text;
  RETURN_IF_ERROR(Append(value, 0, text));
  return text;
}

}  // namespace foldlog
