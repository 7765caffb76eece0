// The JSON writer: separators, Python's escapes and Python's floats. Never decides what is written.

#include "engine/json/writer.h"

#include <array>
#include <charconv>
#include <cmath>
#include <utility>

#include "engine/base/ascii.h"

namespace foldlog {
namespace {

// As many as a state, or an event with a path, takes.
constexpr std::size_t kReservedBytes = 1024;

// In lower case, as Python writes it.
void AppendCodeUnit(std::uint32_t unit, std::string& out) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  out += "\\u";
  for (int shift = 12; shift >= 0; shift -= 4) out += kDigits[(unit >> shift) & 0xf];
}

// The letter of a two-character escape; 0 if the character has none.
char ShortEscape(char32_t c) {
  switch (c) {
    case '"':
    case '\\':
      return static_cast<char>(c);
    case '\b':
      return 'b';
    case '\f':
      return 'f';
    case '\n':
      return 'n';
    case '\r':
      return 'r';
    case '\t':
      return 't';
    default:
      return 0;
  }
}

// Code points above U+FFFF become a surrogate pair, and a byte that is not UTF-8 a lone low surrogate, as in Python.
void AppendEscaped(const Utf8Character& character, char first_byte, std::string& out) {
  const char32_t code = character.code_point;
  if (!character.valid) {
    AppendCodeUnit(0xdc00U + static_cast<unsigned char>(first_byte), out);
  } else if (const char letter = ShortEscape(code); letter != 0) {
    out += '\\';
    out += letter;
  } else if (code < 0x10000) {
    AppendCodeUnit(code, out);
  } else {
    AppendCodeUnit(0xd800 + ((code - 0x10000) >> 10), out);
    AppendCodeUnit(0xdc00 + ((code - 0x10000) & 0x3ff), out);
  }
}

// The form of each byte of a UTF-8 character but its first.
bool IsContinuation(unsigned char byte) { return (byte & 0xc0) == 0x80; }

// The second byte decides whether a sequence is overlong, a surrogate, or beyond U+10FFFF.
bool SecondByteFits(unsigned char lead, unsigned char second) {
  switch (lead) {
    case 0xe0:
      return second >= 0xa0 && second <= 0xbf;
    case 0xed:
      return second >= 0x80 && second <= 0x9f;
    case 0xf0:
      return second >= 0x90 && second <= 0xbf;
    case 0xf4:
      return second >= 0x80 && second <= 0x8f;
    default:
      return IsContinuation(second);
  }
}

// The length of the character that starts with `lead`; 0 for bytes that start none.
std::size_t SequenceLength(unsigned char lead) {
  if (lead < 0x80) return 1;
  if (lead < 0xc2) return 0;  // continuation bytes, and leads of overlong forms only
  if (lead < 0xe0) return 2;
  if (lead < 0xf0) return 3;
  if (lead < 0xf5) return 4;
  return 0;
}

// Writes d.ddd × 10^exponent without an exponent. Python always shows at least one digit behind the point.
void AppendFixed(std::string digits, int exponent, std::string& out) {
  if (exponent < 0) {
    out += "0.";
    out.append(static_cast<std::size_t>(-exponent - 1), '0');
    out += digits;
    return;
  }
  const std::size_t whole = static_cast<std::size_t>(exponent) + 1;
  if (digits.size() <= whole) digits.append(whole + 1 - digits.size(), '0');
  out += digits.substr(0, whole) + '.' + digits.substr(whole);
}

}  // namespace

// The default result is one byte that is not valid UTF-8.
Utf8Character FirstCharacter(std::string_view bytes) {
  const auto lead = static_cast<unsigned char>(bytes[0]);
  const std::size_t size = SequenceLength(lead);
  if (size == 1) return {.valid = true, .code_point = lead, .size = 1};
  if (size == 0 || size > bytes.size() || !SecondByteFits(lead, static_cast<unsigned char>(bytes[1]))) return {};

  char32_t code = lead & (0x7fU >> size);
  for (std::size_t i = 1; i < size; ++i) {
    const auto byte = static_cast<unsigned char>(bytes[i]);
    if (!IsContinuation(byte)) return {};
    code = (code << 6) | (byte & 0x3fU);
  }
  return {.valid = true, .code_point = code, .size = size};
}

// Plain characters are copied in runs: they are nearly all of most texts.
void AppendJsonString(std::string_view bytes, std::string& out) {
  out += '"';
  while (!bytes.empty()) {
    const std::size_t plain = PrintableAsciiPrefix(bytes, '"', '\\');
    out += bytes.substr(0, plain);
    bytes.remove_prefix(plain);
    if (bytes.empty()) break;

    const Utf8Character character = FirstCharacter(bytes);
    AppendEscaped(character, bytes[0], out);
    bytes.remove_prefix(character.size);
  }
  out += '"';
}

// to_chars() gives the shortest digits that read back, which are repr()'s; only the notation differs.
void AppendPythonFloat(double value, std::string& out) {
  if (std::isnan(value)) {
    out += "nan";
    return;
  }
  if (std::isinf(value)) {
    out += value < 0 ? "-inf" : "inf";
    return;
  }
  if (std::signbit(value)) out += '-';

  std::array<char, 32> buffer;  // 17 digits, a point and a three-digit exponent fit with room to spare
  const std::to_chars_result end =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), std::fabs(value), std::chars_format::scientific);
  const std::string_view text(buffer.data(), static_cast<std::size_t>(end.ptr - buffer.data()));
  const std::size_t e = text.find('e');
  int exponent = 0;
  const std::size_t number = text[e + 1] == '+' ? e + 2 : e + 1;  // from_chars takes no plus sign
  std::from_chars(text.data() + number, text.data() + text.size(), exponent);

  // Here repr() uses an exponent. Its digits, and its exponents of at least two digits, are those of to_chars.
  if (exponent < -4 || exponent >= 16) {
    out += text;
    return;
  }
  std::string digits(text.substr(0, 1));
  if (e > 2) digits += text.substr(2, e - 2);
  AppendFixed(std::move(digits), exponent, out);
}

// Writes the separator that is due. A value behind its key needs none, for the key has written it.
void JsonWriter::BeforeValue() {
  if (after_key_) {
    after_key_ = false;
  } else if (depth_ > 0) {
    if (has_members_) text_ += ", ";
    has_members_ = true;
  }
}

// Growing step by step would copy most values several times.
void JsonWriter::Open(char bracket) {
  if (depth_ == 0) text_.reserve(text_.size() + kReservedBytes);
  text_ += bracket;
  ++depth_;
  has_members_ = false;
}

// What was closed is a member of what is around it.
void JsonWriter::Close(char bracket) {
  text_ += bracket;
  --depth_;
  has_members_ = true;
}

void JsonWriter::BeginObject() {
  BeforeValue();
  Open('{');
}

void JsonWriter::EndObject() { Close('}'); }

void JsonWriter::BeginArray() {
  BeforeValue();
  Open('[');
}

void JsonWriter::EndArray() { Close(']'); }

// The key counts as the value for the separator, and the value behind it needs none.
void JsonWriter::Key(std::string_view key) {
  BeforeValue();
  AppendJsonString(key, text_);
  text_ += ": ";
  after_key_ = true;
}

void JsonWriter::String(std::string_view bytes) {
  BeforeValue();
  AppendJsonString(bytes, text_);
}

void JsonWriter::Integer(std::int64_t value) {
  BeforeValue();
  text_ += std::to_string(value);
}

void JsonWriter::Unsigned(std::uint64_t value) {
  BeforeValue();
  text_ += std::to_string(value);
}

// json.dumps and repr() differ in the names of what is no finite number.
void JsonWriter::Float(double value) {
  BeforeValue();
  if (std::isnan(value)) {
    text_ += "NaN";
  } else if (std::isinf(value)) {
    text_ += value < 0 ? "-Infinity" : "Infinity";
  } else {
    AppendPythonFloat(value, text_);
  }
}

void JsonWriter::Bool(bool value) {
  BeforeValue();
  text_ += value ? "true" : "false";
}

void JsonWriter::Null() {
  BeforeValue();
  text_ += "null";
}

// The caller answers for the text: it is not checked.
void JsonWriter::Raw(std::string_view value) {
  BeforeValue();
  text_ += value;
}

// Keeps the writer usable even if the caller left objects open.
std::string JsonWriter::Take() {
  depth_ = 0;
  after_key_ = false;
  return std::exchange(text_, {});
}

}  // namespace foldlog
