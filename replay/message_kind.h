// What several error messages have in common: the message with the parts that differ from case to case replaced. Pure.

#ifndef FOLDLOG_REPLAY_MESSAGE_KIND_H_
#define FOLDLOG_REPLAY_MESSAGE_KIND_H_

#include <cstddef>
#include <string>
#include <string_view>

namespace foldlog {

// Of a message, so many bytes are looked at besides its path; a kind has at most so many.
inline constexpr std::size_t kMessageBytesLookedAt = 2048;
inline constexpr std::size_t kMessageKindBytesMax = 512;

// "cannot open '/a/b': error 13" is of the kind "cannot open <text>: error <n>". Replaced are: `path`, the file that
// the error is of, wherever it stands; quoted parts, by <text>; paths, by <path>; hexadecimal numbers, with 0x or from
// eight digits on, by <hex>; and other digits by <n>. Bytes that are no UTF-8 stay as they are.
std::string MessageKind(std::string_view message, std::string_view path);

}  // namespace foldlog

#endif  // FOLDLOG_REPLAY_MESSAGE_KIND_H_
