// Escaping for terminals. Knows nothing of events.

#include "tools/cli/printable.h"

#include "engine/projection/json.h"

namespace foldlog::cli {
namespace {

// Hangul Jamo is the first script whose characters take two columns. What follows may be narrow as well, but a guess
// that is too wide only shortens a line, while one that is too narrow wraps it.
constexpr char32_t kFirstWide = 0x1100;

bool IsAsciiControl(char32_t c) { return c < 0x20 || c == 0x7f; }

bool IsUnsafe(char32_t c) {
  return (c >= 0x80 && c <= 0x9f) ||      // C1
         c == 0x061c ||                   // Arabic letter mark
         c == 0x200e || c == 0x200f ||    // left-to-right and right-to-left mark
         c == 0x2028 || c == 0x2029 ||    // line and paragraph separator
         (c >= 0x202a && c <= 0x202e) ||  // bidirectional embeddings and overrides
         (c >= 0x2066 && c <= 0x2069);    // bidirectional isolates
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

std::size_t ColumnsAtMost(char32_t c) { return c < kFirstWide ? 1 : 2; }

}  // namespace

std::string Printable(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size());
  while (!bytes.empty()) {
    const Utf8Character character = FirstCharacter(bytes);
    if (!character.valid) {
      AppendHex("\\x", static_cast<unsigned char>(bytes[0]), 2, out);
    } else if (IsAsciiControl(character.code_point)) {
      AppendAsciiControl(character.code_point, out);
    } else if (IsUnsafe(character.code_point)) {
      AppendHex("\\u", character.code_point, 4, out);
    } else {
      out += bytes.substr(0, character.size);
    }
    bytes.remove_prefix(character.size);
  }
  return out;
}

std::size_t WidthAtMost(std::string_view printable) {
  std::size_t columns = 0;
  while (!printable.empty()) {
    const Utf8Character character = FirstCharacter(printable);
    columns += ColumnsAtMost(character.code_point);
    printable.remove_prefix(character.size);
  }
  return columns;
}

std::string_view TruncateToWidth(std::string_view printable, std::size_t columns) {
  std::size_t used = 0;
  std::size_t end = 0;
  while (end < printable.size()) {
    const Utf8Character character = FirstCharacter(printable.substr(end));
    used += ColumnsAtMost(character.code_point);
    if (used > columns) break;
    end += character.size;
  }
  return printable.substr(0, end);
}

}  // namespace foldlog::cli
