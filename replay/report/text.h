// Times and hashes as programs read them. Pure.

#ifndef FOLDLOG_REPORT_TEXT_H_
#define FOLDLOG_REPORT_TEXT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "foldlog/event.h"

namespace foldlog::report {

// RFC 3339 in UTC with all nanoseconds, "2026-01-02T03:04:05.123456789Z". Every time has one such text.
std::string Rfc3339(TimeNs time);

// The time of such a text; nothing if it is not exactly as Rfc3339() writes it.
std::optional<TimeNs> ParseRfc3339(std::string_view text);

// The hash of a frame: 16 hexadecimal digits.
std::string HashText(std::uint64_t hash);

}  // namespace foldlog::report

#endif  // FOLDLOG_REPORT_TEXT_H_
