// How much of a text is printable ASCII, as nearly all of most texts is. Looks at eight bytes at a time.

#ifndef FOLDLOG_BASE_ASCII_H_
#define FOLDLOG_BASE_ASCII_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace foldlog {

inline bool IsPrintableAscii(char c) { return c >= ' ' && c <= '~'; }

// The number of bytes before the first one that is not printable ASCII, or is one of `but`.
template <typename... Chars>
std::size_t PrintableAsciiPrefix(std::string_view bytes, Chars... but) {
  constexpr std::uint64_t kOnes = 0x0101010101010101;
  constexpr std::uint64_t kHighBits = 0x80 * kOnes;
  // Marks bytes below `bound`, and perhaps some behind the first of them.
  const auto below = [](std::uint64_t word, std::uint64_t bound) { return (word - bound * kOnes) & ~word & kHighBits; };
  const auto is_wanted = [&](std::uint64_t word) {
    const std::uint64_t others = (below(word ^ (static_cast<unsigned char>(but) * kOnes), 1) | ... | std::uint64_t{0});
    const std::uint64_t beyond = (word | (word + kOnes)) & kHighBits;
    return (below(word, ' ') | beyond | others) == 0;
  };
  std::size_t at = 0;
  std::uint64_t word = 0;
  for (; at + sizeof word <= bytes.size(); at += sizeof word) {
    std::memcpy(&word, bytes.data() + at, sizeof word);
    if (!is_wanted(word)) break;
  }
  const std::size_t rest = bytes.size() - at;
  if (rest < sizeof word) {
    word = ' ' * kOnes;
    if (rest > 0) std::memcpy(&word, bytes.data() + at, rest);  // of no bytes there may be no place
    if (is_wanted(word)) return bytes.size();
  }
  while (at < bytes.size() && IsPrintableAscii(bytes[at]) && ((bytes[at] != but) && ... && true)) ++at;
  return at;
}

inline bool IsPrintableAscii(std::string_view bytes) { return PrintableAsciiPrefix(bytes) == bytes.size(); }

}  // namespace foldlog

#endif  // FOLDLOG_BASE_ASCII_H_
