// Parsing of moments by Abseil's civil time.

#include "tools/cli/time_words.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <optional>
#include <string>
#include <system_error>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "engine/base/saturated.h"

namespace foldlog::cli {
namespace {

constexpr std::string_view kSpans = "90s, 5m, 3h, 7d or 2w";

struct Unit {
  char letter;
  std::int64_t seconds;
};
constexpr std::array<Unit, 5> kUnits = {{{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86'400}, {'w', 604'800}}};

// A whole number and the letter of a unit; at most what nanoseconds can count.
std::optional<std::int64_t> SpanNs(std::string_view text) {
  if (text.empty()) return std::nullopt;
  const auto* const unit =
      std::find_if(kUnits.begin(), kUnits.end(), [&](const Unit& u) { return u.letter == text.back(); });
  if (unit == kUnits.end()) return std::nullopt;
  std::uint64_t count = 0;
  const char* const end = text.data() + text.size() - 1;
  const std::from_chars_result result = std::from_chars(text.data(), end, count);
  if (result.ec != std::errc() || result.ptr != end) return std::nullopt;
  const auto unit_ns = static_cast<std::uint64_t>(unit->seconds) * 1'000'000'000;
  const auto most = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  if (count > most / unit_ns) return std::nullopt;
  return static_cast<std::int64_t>(count * unit_ns);
}

absl::StatusOr<TimeNs> InRange(std::string_view text, absl::Time time) {
  const absl::Time first = absl::FromUnixNanos(std::numeric_limits<TimeNs>::min());
  const absl::Time last = absl::FromUnixNanos(std::numeric_limits<TimeNs>::max());
  if (time >= first && time <= last) return absl::ToUnixNanos(time);
  return absl::InvalidArgumentError(absl::StrCat("\"", absl::string_view(text.data(), text.size()),
                                                 "\" is out of range: times are from the years 1678 to 2261"));
}

// Where clocks were put forward over it, the moment at which they were.
absl::Time FirstOf(absl::CivilSecond civil, const absl::TimeZone& zone) {
  const absl::TimeZone::TimeInfo info = zone.At(civil);
  return info.kind == absl::TimeZone::TimeInfo::SKIPPED ? info.trans : info.pre;
}

std::optional<absl::Time> ParseAs(const char* format, const std::string& text) {
  absl::Time time;
  std::string error;
  if (!absl::ParseTime(format, text, absl::UTCTimeZone(), &time, &error)) return std::nullopt;
  return time;
}

// Abseil takes blanks for nothing, signs before a year, and "infinite-future".
bool LooksLikeDate(std::string_view text) {
  const auto is_digit = [](char c) { return absl::ascii_isdigit(static_cast<unsigned char>(c)); };
  return text.size() >= 10 && std::all_of(text.begin(), text.begin() + 4, is_digit) && text[4] == '-' &&
         !absl::ascii_isspace(static_cast<unsigned char>(text.back()));
}

std::optional<absl::Time> ParseDate(std::string_view given, const absl::TimeZone& zone) {
  if (!LooksLikeDate(given)) return std::nullopt;
  const std::string text(given);
  for (const char* format : {"%Y-%m-%d%ET%H:%M:%E*S%Ez", "%Y-%m-%d%ET%H:%M%Ez", "%Y-%m-%d %H:%M:%E*S %Ez",
                             "%Y-%m-%d %H:%M:%E*S UTC", "%Y-%m-%d %H:%M %Ez", "%Y-%m-%d %H:%M UTC"}) {
    if (const std::optional<absl::Time> time = ParseAs(format, text)) return time;
  }
  for (const char* format :
       {"%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%E*S", "%Y-%m-%d%ET%H:%M", "%Y-%m-%d%ET%H:%M:%E*S"}) {
    if (const std::optional<absl::Time> time = ParseAs(format, text)) {
      const absl::CivilSecond civil = absl::ToCivilSecond(*time, absl::UTCTimeZone());
      return FirstOf(civil, zone) + (*time - absl::FromCivil(civil, absl::UTCTimeZone()));
    }
  }
  return std::nullopt;
}

}  // namespace

absl::StatusOr<TimeNs> ParseMoment(std::string_view text, TimeNs now, const absl::TimeZone& zone) {
  if (text == "now") return now;
  if (text == "today" || text == "yesterday") {
    const absl::CivilDay today = absl::ToCivilDay(absl::FromUnixNanos(now), zone);
    return InRange(text, FirstOf(absl::CivilSecond(text == "today" ? today : today - 1), zone));
  }
  if (const std::optional<std::int64_t> span = SpanNs(text)) return SaturatedMinus(now, *span);
  if (const std::optional<absl::Time> time = ParseDate(text, zone)) return InRange(text, *time);
  return absl::InvalidArgumentError(absl::StrCat(
      "\"", absl::string_view(text.data(), text.size()),
      "\" is no time; one is 2026-11-01, \"2026-11-01 14:30\", 2026-11-01T14:30:05Z, today, yesterday, now, "
      "or so long ago: ",
      absl::string_view(kSpans.data(), kSpans.size())));
}

absl::StatusOr<std::int64_t> ParseSpan(std::string_view text) {
  const std::optional<std::int64_t> span = SpanNs(text);
  if (span && *span > 0) return *span;
  return absl::InvalidArgumentError(absl::StrCat("\"", absl::string_view(text.data(), text.size()),
                                                 "\" is no span of time; one is ",
                                                 absl::string_view(kSpans.data(), kSpans.size())));
}

}  // namespace foldlog::cli
