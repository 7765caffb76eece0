#include "replay/report/text.h"

#include <chrono>

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

// Every year of a 64-bit time has four digits, so a number never has more than there are places.
void PutDigits(unsigned number, int digits, char* at) {
  for (; digits > 0; number /= 10) at[--digits] = static_cast<char>('0' + number % 10);
}

}  // namespace

std::string Rfc3339(TimeNs time) {
  const nanoseconds since{time};
  const auto day = std::chrono::floor<days>(since);
  const std::chrono::year_month_day date{std::chrono::sys_days(day)};
  // A day may begin before the least time that there is; its second does not overflow.
  const auto second = std::chrono::floor<seconds>(since);
  const auto of_day = static_cast<unsigned>((second - std::chrono::duration_cast<seconds>(day)).count());
  const auto fraction = static_cast<unsigned>((time % 1'000'000'000 + 1'000'000'000) % 1'000'000'000);
  std::string text = "0000-00-00T00:00:00.000000000Z";
  PutDigits(static_cast<unsigned>(static_cast<int>(date.year())), 4, &text[0]);
  PutDigits(static_cast<unsigned>(date.month()), 2, &text[5]);
  PutDigits(static_cast<unsigned>(date.day()), 2, &text[8]);
  PutDigits(of_day / 3600, 2, &text[11]);
  PutDigits(of_day / 60 % 60, 2, &text[14]);
  PutDigits(of_day % 60, 2, &text[17]);
  PutDigits(fraction, 9, &text[20]);
  return text;
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
