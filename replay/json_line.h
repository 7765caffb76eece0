// What the two directions of foldlog/json_lines.h share: the hash at the end of a line, and the words of the first and
// the last one.

#ifndef FOLDLOG_REPLAY_JSON_LINE_H_
#define FOLDLOG_REPLAY_JSON_LINE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "foldlog/event_log.h"
#include "foldlog/log_directory.h"

namespace foldlog {

inline constexpr std::string_view kBeginKind = "export_begin";
inline constexpr std::string_view kEndKind = "export_end";
inline constexpr std::int64_t kJsonLinesVersion = 1;

// `object`, which must have members, with its hash as the last one.
std::string WithLineHash(std::string object);

// Whether the line ends with the hash of what stands before.
bool HasRightLineHash(std::string_view line);

// Lower-case hexadecimal digits.
std::string HexOf(const LogId& id);
std::optional<LogId> LogIdOf(std::string_view hex);

// A payload as base64, and back; nothing if it is none.
std::string Base64Of(const std::vector<std::uint64_t>& words);
std::optional<std::vector<std::uint64_t>> WordsOf(const std::string& base64);

}  // namespace foldlog

#endif  // FOLDLOG_REPLAY_JSON_LINE_H_
