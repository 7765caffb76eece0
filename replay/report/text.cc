#include "replay/report/text.h"

#include <chrono>
#include <cstdio>

#include "absl/strings/str_cat.h"

namespace foldlog::report {
namespace {

using std::chrono::days;
using std::chrono::nanoseconds;
using std::chrono::seconds;

constexpr std::size_t kTextBytes = sizeof "2026-01-02T03:04:05.123456789Z" - 1;

// The decimal number at that place, all of it digits.
std::optional<int> NumberAt(std::string_view text, std::size_t at, std::size_t digits) {
  int value = 0;
  for (const char c : text.substr(at, digits)) {
    if (c < '0' || c > '9') return std::nullopt;
    value = 10 * value + (c - '0');
  }
  return value;
}

}  // namespace

std::string Rfc3339(TimeNs time) {
  const nanoseconds since{time};
  const auto day = std::chrono::floor<days>(since);
  const std::chrono::year_month_day date{std::chrono::sys_days(day)};
  // A day may begin before the least time that there is; its second does not overflow.
  const auto second = std::chrono::floor<seconds>(since);
  const auto of_day = static_cast<int>((second - std::chrono::duration_cast<seconds>(day)).count());
  const auto fraction = static_cast<int>((time % 1'000'000'000 + 1'000'000'000) % 1'000'000'000);
  char text[kTextBytes + 32];
  const int size =
      std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d.%09dZ", static_cast<int>(date.year()),
                    static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), of_day / 3600,
                    of_day / 60 % 60, of_day % 60, fraction);
  return {text, static_cast<std::size_t>(size)};
}

std::optional<TimeNs> ParseRfc3339(std::string_view text) {
  if (text.size() != kTextBytes) return std::nullopt;
  const auto year = NumberAt(text, 0, 4), month = NumberAt(text, 5, 2), day = NumberAt(text, 8, 2);
  const auto hour = NumberAt(text, 11, 2), minute = NumberAt(text, 14, 2), second = NumberAt(text, 17, 2);
  const auto fraction = NumberAt(text, 20, 9);
  if (!year || !month || !day || !hour || !minute || !second || !fraction) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(*year), std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok()) return std::nullopt;
  const std::int64_t whole = std::chrono::sys_days(date).time_since_epoch().count() * std::int64_t{86'400} +
                             *hour * 3600 + *minute * 60 + *second;
  TimeNs time = 0;  // by way of the second behind it, for the least time of all begins a second that does not fit
  if (__builtin_mul_overflow(whole + (whole < 0 ? 1 : 0), std::int64_t{1'000'000'000}, &time)) return std::nullopt;
  if (__builtin_add_overflow(time, *fraction - (whole < 0 ? 1'000'000'000 : 0), &time)) return std::nullopt;
  // What is no date, or stands otherwise, reads differently when it is written again.
  return Rfc3339(time) == text ? std::optional(time) : std::nullopt;
}

std::string HashText(std::uint64_t hash) { return absl::StrCat(absl::Hex(hash, absl::kZeroPad16)); }

}  // namespace foldlog::report
