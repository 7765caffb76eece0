// Escaping for terminals. Knows nothing of events.

#include "tools/cli/printable.h"

#include <utf8proc.h>

#include "engine/base/ascii.h"
#include "engine/json/writer.h"

namespace foldlog::cli {
namespace {

// More marks in a row than any script has would paint over the lines above.
constexpr int kMarksMax = 8;

bool IsAsciiControl(char32_t c) { return c < 0x20 || c == 0x7f; }

utf8proc_int32_t ToUtf8proc(char32_t c) { return static_cast<utf8proc_int32_t>(c); }

// What has no shape of its own, so that a reader can't know that it is there: controls, what changes the reading order,
// joiners, fillers, tags, selectors of variants; and what Unicode has no character for yet, whose width nobody knows.
bool IsUnsafe(char32_t c) {
  if (c < 0x80) return false;  // the usual, and its controls are others' care
  const utf8proc_property_t& property = *utf8proc_get_property(ToUtf8proc(c));
  switch (property.category) {
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
      return true;
    default:
      return property.ignorable != 0;
  }
}

// Drawn over the character before it.
bool IsMark(char32_t c) {
  if (c < 0x300) return false;
  const utf8proc_category_t category = utf8proc_category(ToUtf8proc(c));
  return category == UTF8PROC_CATEGORY_MN || category == UTF8PROC_CATEGORY_ME;
}

void AppendHex(std::string_view prefix, char32_t value, int digits, std::string& out) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  out += prefix;
  for (int shift = 4 * (digits - 1); shift >= 0; shift -= 4) out += kDigits[(value >> shift) & 0xf];
}

void AppendAsciiControl(char32_t c, std::string& out) {
  switch (c) {
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      AppendHex("\\x", c, 2, out);
  }
}

void AppendCodePoint(char32_t c, std::string& out) {
  if (c <= 0xffff) {
    AppendHex("\\u", c, 4, out);
  } else {
    AppendHex("\\U", c, 8, out);
  }
}

std::size_t Columns(char32_t c) {
  if (c < 0x80) return 1;
  const int columns = utf8proc_charwidth(ToUtf8proc(c));
  return columns > 0 ? static_cast<std::size_t>(columns) : 0;
}

}  // namespace

std::string Printable(std::string_view bytes) {
  std::string out;
  AppendPrintable(bytes, out);
  return out;
}

void AppendPrintable(std::string_view bytes, std::string& out) {
  // Nearly all text is plain.
  if (IsPrintableAscii(bytes)) {
    out += bytes;
    return;
  }
  int marks = kMarksMax;  // at the start, there is nothing of this text's to be drawn over
  while (!bytes.empty()) {
    const Utf8Character character = FirstCharacter(bytes);
    marks = character.valid && IsMark(character.code_point) ? marks + 1 : 0;
    if (!character.valid) {
      AppendHex("\\x", static_cast<unsigned char>(bytes[0]), 2, out);
    } else if (IsAsciiControl(character.code_point)) {
      AppendAsciiControl(character.code_point, out);
    } else if (marks > kMarksMax || IsUnsafe(character.code_point)) {
      AppendCodePoint(character.code_point, out);
    } else {
      out += bytes.substr(0, character.size);
    }
    bytes.remove_prefix(character.size);
  }
}

std::size_t Width(std::string_view printable) {
  std::size_t columns = PrintableAsciiPrefix(printable);
  printable.remove_prefix(columns);
  while (!printable.empty()) {
    const Utf8Character character = FirstCharacter(printable);
    columns += Columns(character.code_point);
    printable.remove_prefix(character.size);
  }
  return columns;
}

std::string_view TruncateToWidth(std::string_view printable, std::size_t columns) {
  std::size_t used = 0;
  std::size_t end = 0;
  while (end < printable.size()) {
    const Utf8Character character = FirstCharacter(printable.substr(end));
    used += Columns(character.code_point);
    if (used > columns) break;
    end += character.size;
  }
  return printable.substr(0, end);
}

}  // namespace foldlog::cli
