#include "engine/json/reader.h"

#include <cctype>
#include <charconv>
#include <cstddef>
#include <limits>
#include <system_error>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/base/text.h"

namespace foldlog {
namespace {

using Kind = JsonSlice::Kind;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Finds where the next token begins and ends. It knows nothing of nesting, which Value() keeps track of.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  std::size_t position() const { return position_; }
  std::string_view From(std::size_t start) const { return text_.substr(start, position_ - start); }

  // White space as the standard has it; Python skips the same four characters.
  void SkipSpace() {
    while (position_ < text_.size() && std::string_view(" \t\n\r").find(text_[position_]) != std::string_view::npos) {
      ++position_;
    }
  }

  // The next character that is not white space; 0 at the end.
  char Peek() {
    SkipSpace();
    return position_ < text_.size() ? text_[position_] : '\0';
  }

  // Steps over `c` if it is next. The text may hold zero bytes, so 0 alone does not mean its end.
  bool Take(char c) {
    if (Peek() != c || position_ >= text_.size()) return false;
    ++position_;
    return true;
  }

  bool AtEnd() {
    SkipSpace();
    return position_ >= text_.size();
  }

  // The byte offset is enough for a user to find the place, and never prints bytes of the file.
  absl::Status Wrong(std::string_view expected) const {
    return absl::InvalidArgumentError(absl::StrCat("no JSON: ", ToAbsl(expected), " expected at byte ", position_));
  }

  // Bytes above ASCII are not checked here: a file name need not be UTF-8.
  absl::StatusOr<JsonSlice> String() {
    const std::size_t start = position_;
    if (!Take('"')) return Wrong("a string");
    while (position_ < text_.size() && text_[position_] != '"') {
      if (static_cast<unsigned char>(text_[position_]) < ' ') return Wrong("the escape of a control character");
      if (text_[position_] == '\\') RETURN_IF_ERROR(Escape());
      ++position_;
    }
    if (position_ >= text_.size()) return Wrong("the end of a string");
    ++position_;
    return JsonSlice{Kind::kString, From(start)};
  }

  // A number or a word. The words include those that Python writes beyond the standard.
  absl::StatusOr<JsonSlice> Scalar() {
    struct Word {
      std::string_view text;
      Kind kind;
    };
    static constexpr Word kWords[] = {{"null", Kind::kNull}, {"true", Kind::kBool},      {"false", Kind::kBool},
                                      {"NaN", Kind::kFloat}, {"Infinity", Kind::kFloat}, {"-Infinity", Kind::kFloat}};
    const std::size_t start = position_;
    for (const Word& word : kWords) {
      if (text_.substr(start, word.text.size()) != word.text) continue;
      position_ += word.text.size();
      return JsonSlice{word.kind, From(start)};
    }
    return Number();
  }

 private:
  // Leaves position_ at the last character of the escape; the caller steps over it.
  absl::Status Escape() {
    ++position_;
    if (position_ >= text_.size()) return Wrong("the rest of an escape");
    if (text_[position_] != 'u') {
      if (std::string_view("\"\\/bfnrt").find(text_[position_]) == std::string_view::npos) return Wrong("an escape");
      return absl::OkStatus();
    }
    for (int digit = 0; digit < 4; ++digit) {
      ++position_;
      if (position_ >= text_.size() || std::isxdigit(static_cast<unsigned char>(text_[position_])) == 0) {
        return Wrong("a hexadecimal digit");
      }
    }
    return absl::OkStatus();
  }

  // False if there is none: a sign, a point or an exponent needs at least one digit behind it.
  bool TakeDigits() {
    const std::size_t start = position_;
    while (position_ < text_.size() && IsDigit(text_[position_])) ++position_;
    return position_ > start;
  }

  bool TakeOneOf(std::string_view characters) {
    if (position_ >= text_.size() || characters.find(text_[position_]) == std::string_view::npos) return false;
    ++position_;
    return true;
  }

  // A leading zero ends the integer part, so "01" is the number 0 followed by garbage.
  absl::StatusOr<JsonSlice> Number() {
    const std::size_t start = position_;
    TakeOneOf("-");
    if (!TakeOneOf("0") && !TakeDigits()) return Wrong("a value");
    Kind kind = Kind::kInteger;
    if (TakeOneOf(".")) {
      kind = Kind::kFloat;
      if (!TakeDigits()) return Wrong("a digit");
    }
    if (TakeOneOf("eE")) {
      kind = Kind::kFloat;
      TakeOneOf("+-");
      if (!TakeDigits()) return Wrong("a digit");
    }
    return JsonSlice{kind, From(start)};
  }

  std::string_view text_;
  std::size_t position_ = 0;
};

// Checks one value in all its depth. `open` holds the closing characters that are still due, instead of a recursion,
// whose depth the text would decide.
absl::StatusOr<JsonSlice> Value(Scanner& scanner) {
  std::string open;
  const char first = scanner.Peek();
  const std::size_t start = scanner.position();
  JsonSlice last;
  while (true) {
    // A value begins here.
    if (const char c = scanner.Peek(); c == '{' || c == '[') {
      scanner.Take(c);
      const char end = c == '{' ? '}' : ']';
      if (open.size() == kJsonDepthMax) {
        return absl::InvalidArgumentError(
            absl::StrCat("JSON that is nested more than ", kJsonDepthMax, " levels deep"));
      }
      if (!scanner.Take(end)) {
        open += end;
        if (c == '{') {
          RETURN_IF_ERROR(scanner.String().status());
          if (!scanner.Take(':')) return scanner.Wrong("':'");
        }
        continue;
      }
    } else {
      ASSIGN_OR_RETURN(last, c == '"' ? scanner.String() : scanner.Scalar());
    }
    // A value ends here, and with it each object or array that closes now.
    while (!open.empty() && scanner.Take(open.back())) open.pop_back();
    if (open.empty()) break;
    if (!scanner.Take(',')) return scanner.Wrong(std::string("',' or '") + open.back() + "'");
    if (open.back() == '}') {
      RETURN_IF_ERROR(scanner.String().status());
      if (!scanner.Take(':')) return scanner.Wrong("':'");
    }
  }
  if (first == '{') return JsonSlice{Kind::kObject, scanner.From(start)};
  if (first == '[') return JsonSlice{Kind::kArray, scanner.From(start)};
  return last;
}

// Four digits, which Escape() has checked.
std::uint32_t HexadecimalAt(std::string_view text, std::size_t at) {
  std::uint32_t unit = 0;
  std::from_chars(text.data() + at, text.data() + at + 4, unit, 16);
  return unit;
}

// A character above U+FFFF is escaped as a high surrogate and a low one behind it.
bool IsHighSurrogate(std::uint32_t unit) { return unit >= 0xd800 && unit <= 0xdbff; }
bool IsLowSurrogate(std::uint32_t unit) { return unit >= 0xdc00 && unit <= 0xdfff; }

void AppendUtf8(std::uint32_t code, std::string& out) {
  const auto continuation = [&](int shift) { out += static_cast<char>(0x80 | ((code >> shift) & 0x3f)); };
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xc0 | (code >> 6));
    continuation(0);
  } else if (code < 0x10000) {
    out += static_cast<char>(0xe0 | (code >> 12));
    continuation(6);
    continuation(0);
  } else {
    out += static_cast<char>(0xf0 | (code >> 18));
    continuation(12);
    continuation(6);
    continuation(0);
  }
}

// Appends the character of the escape \uXXXX whose first digit is at `at`, together with the next escape if the two are
// a surrogate pair. Moves `at` to the last digit. False for a lone surrogate that stands for no byte.
bool AppendUnicodeEscape(std::string_view text, std::size_t& at, std::string& out) {
  std::uint32_t unit = HexadecimalAt(text, at);
  at += 3;
  if (IsHighSurrogate(unit) && text.substr(at + 1, 2) == "\\u") {
    const std::uint32_t low = HexadecimalAt(text, at + 3);
    if (IsLowSurrogate(low)) {
      unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
      at += 6;
    }
  }
  // Python's surrogateescape: the surrogate stands for one byte that is not UTF-8.
  if (unit >= 0xdc80 && unit <= 0xdcff) {
    out += static_cast<char>(unit - 0xdc00);
    return true;
  }
  if (IsHighSurrogate(unit) || IsLowSurrogate(unit)) return false;
  AppendUtf8(unit, out);
  return true;
}

}  // namespace

absl::StatusOr<JsonSlice> ParseJson(std::string_view text) {
  Scanner scanner(text);
  ASSIGN_OR_RETURN(const JsonSlice value, Value(scanner));
  if (!scanner.AtEnd()) return scanner.Wrong("the end");
  return value;
}

// The text was checked, so the scanner cannot fail here.
std::vector<std::pair<JsonSlice, JsonSlice>> JsonMembers(const JsonSlice& object) {
  std::vector<std::pair<JsonSlice, JsonSlice>> members;
  Scanner scanner(object.text);
  scanner.Take('{');
  while (scanner.Peek() == '"') {
    const JsonSlice key = *scanner.String();
    scanner.Take(':');
    members.emplace_back(key, *Value(scanner));
    scanner.Take(',');
  }
  return members;
}

// As in JsonMembers(), the scanner cannot fail on checked text.
std::vector<JsonSlice> JsonElements(const JsonSlice& array) {
  std::vector<JsonSlice> elements;
  Scanner scanner(array.text);
  scanner.Take('[');
  while (scanner.Peek() != ']') {
    elements.push_back(*Value(scanner));
    scanner.Take(',');
  }
  return elements;
}

// Bytes above ASCII pass as they are: only escapes stand for other bytes.
std::optional<std::string> JsonBytes(const JsonSlice& string) {
  const std::string_view text = string.text.substr(1, string.text.size() - 2);
  std::string bytes;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '\\') {
      bytes += text[at];
      continue;
    }
    ++at;
    constexpr std::string_view kLetters = "bfnrt";
    if (text[at] == 'u') {
      ++at;
      if (!AppendUnicodeEscape(text, at, bytes)) return std::nullopt;
    } else if (const std::size_t letter = kLetters.find(text[at]); letter != std::string_view::npos) {
      bytes += "\b\f\n\r\t"[letter];
    } else {
      bytes += text[at];
    }
  }
  return bytes;
}

// Works on the text, so that all else stays byte for byte: numbers keep digits that a double would lose.
std::string StandardJson(const JsonSlice& value) {
  std::string standard;
  bool in_string = false;
  for (std::size_t at = 0; at < value.text.size(); ++at) {
    const char c = value.text[at];
    if (in_string && c == '\\') {
      standard += value.text.substr(at++, 2);
      continue;
    }
    if (c == '"') in_string = !in_string;
    // Outside of strings only these two words begin with a capital letter.
    const std::string_view word = c == 'N' ? "NaN" : c == 'I' ? "Infinity" : "";
    if (in_string || word.empty()) {
      standard += c;
      continue;
    }
    if (!standard.empty() && standard.back() == '-') standard.pop_back();
    standard += "null";
    at += word.size() - 1;
  }
  return standard;
}

// JSON has no limit on integers; one that does not fit is for the caller to judge.
std::optional<std::int64_t> JsonInteger(const JsonSlice& integer) {
  std::int64_t value = 0;
  const auto result = std::from_chars(integer.text.data(), integer.text.data() + integer.text.size(), value);
  if (result.ec != std::errc()) return std::nullopt;
  return value;
}

// SimpleAtod() reads NaN and Infinity, too.
double JsonNumber(const JsonSlice& number) {
  double value = 0;
  if (!absl::SimpleAtod(ToAbsl(number.text), &value)) return std::numeric_limits<double>::quiet_NaN();
  return value;
}

}  // namespace foldlog
