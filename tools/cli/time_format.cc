// Times, durations and counts as text. Reads the clock in Now() only.

#include "tools/cli/time_format.h"

#include <cmath>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "replay/report/pulse.h"

namespace foldlog::cli {
namespace {

constexpr std::uint64_t kMillisecond = 1'000'000;
constexpr std::uint64_t kSecond = 1000 * kMillisecond;
constexpr std::uint64_t kMinute = 60 * kSecond;
constexpr std::uint64_t kHour = 60 * kMinute;
constexpr std::uint64_t kDay = 24 * kHour;

std::string Format(const char* format, TimeNs time, const absl::TimeZone& zone) {
  return absl::FormatTime(format, absl::FromUnixNanos(time), zone);
}

bool IsUtc(TimeNs time, const absl::TimeZone& zone) { return zone.At(absl::FromUnixNanos(time)).offset == 0; }

// The distance of two times. Unsigned, because that of two int64 may not fit into one.
std::uint64_t Span(TimeNs earlier, TimeNs later) {
  return static_cast<std::uint64_t>(later) - static_cast<std::uint64_t>(earlier);
}

std::string TwoUnits(std::uint64_t span, std::uint64_t large, const char* large_name, std::uint64_t small,
                     const char* small_name) {
  return std::to_string(span / large) + ' ' + large_name + ' ' + std::to_string(span % large / small) + ' ' +
         small_name;
}

std::string SpanText(std::uint64_t span) {
  if (span == 0) return "0 s";
  if (span < kMillisecond) return "under 1 ms";
  if (span < kSecond) return std::to_string(span / kMillisecond) + " ms";
  if (span < kMinute) {
    return std::to_string(span / kSecond) + '.' + std::to_string(span % kSecond / (kSecond / 10)) + " s";
  }
  if (span < kHour) return TwoUnits(span, kMinute, "min", kSecond, "s");
  if (span < kDay) return TwoUnits(span, kHour, "h", kMinute, "min");
  return TwoUnits(span, kDay, "d", kHour, "h");
}

std::string GroupDigits(std::string digits) {
  for (std::size_t at = digits.size(); at > 3;) {
    at -= 3;
    digits.insert(at, 1, ',');
  }
  return digits;
}

}  // namespace

std::string HumanTime(TimeNs time, const absl::TimeZone& zone) {
  return ColumnTime(time, zone) + ' ' + ZoneText(time, zone);
}

// By hand: absl::FormatTime() takes several times as long, and tables have thousands of times.
std::string ColumnTime(TimeNs time, const absl::TimeZone& zone) {
  const absl::CivilSecond civil = zone.At(absl::FromUnixNanos(time)).cs;
  std::string text = "0000-00-00 00:00:00";
  const auto put = [&text](std::int64_t number, std::size_t at, std::size_t digits) {
    for (; digits > 0; number /= 10) text[at + --digits] = static_cast<char>('0' + number % 10);
  };
  put(civil.year(), 0, 4);
  put(civil.month(), 5, 2);
  put(civil.day(), 8, 2);
  put(civil.hour(), 11, 2);
  put(civil.minute(), 14, 2);
  put(civil.second(), 17, 2);
  return text;
}

std::string EventTime(TimeNs time, const absl::TimeZone& zone) {
  return Format("%Y-%m-%d %H:%M:%E3S", time, zone) + (IsUtc(time, zone) ? "Z" : ZoneText(time, zone));
}

std::string ZoneText(TimeNs time, const absl::TimeZone& zone) {
  return IsUtc(time, zone) ? "UTC" : Format("%Ez", time, zone);
}

std::string HumanDuration(TimeNs from, TimeNs to) {
  return from <= to ? SpanText(Span(from, to)) : '-' + SpanText(Span(to, from));
}

std::string HumanAgo(TimeNs then, TimeNs now) {
  const std::uint64_t span = then <= now ? Span(then, now) : Span(now, then);
  if (span < kSecond) return "just now";
  return SpanText(span) + (then <= now ? " ago" : " from now");
}

std::string BriefAgo(TimeNs then, TimeNs now) {
  const std::uint64_t span = then <= now ? Span(then, now) : Span(now, then);
  std::string text;
  if (span < kSecond) return "just now";
  if (span < kMinute) {
    text = std::to_string(span / kSecond) + " s";
  } else if (span < kHour) {
    text = std::to_string(span / kMinute) + " min";
  } else if (span < 2 * kDay) {
    text = std::to_string(span / kHour) + " h";
  } else {
    text = std::to_string(span / kDay) + " d";
  }
  return then <= now ? text + " ago" : "in " + text;
}

std::optional<std::string> TimeLeft(std::int64_t files_total, std::int64_t files_done, double files_per_s) {
  const std::optional<double> seconds = report::SecondsLeft(files_total, files_done, files_per_s);
  if (!seconds) return std::nullopt;
  return HumanDuration(0, static_cast<TimeNs>(*seconds * static_cast<double>(kSecond)));
}

std::string ClockStep(std::int64_t step_ns) {
  return step_ns < 0 ? "set back by " + HumanDuration(step_ns, 0) : "set forward by " + HumanDuration(0, step_ns);
}

TimeNs Now() { return absl::ToUnixNanos(absl::Now()); }

std::string Grouped(std::uint64_t count) { return GroupDigits(std::to_string(count)); }

std::string Grouped(std::int64_t count) {
  if (count >= 0) return Grouped(static_cast<std::uint64_t>(count));
  return '-' + Grouped(0 - static_cast<std::uint64_t>(count));
}

std::string OneDecimal(double value) {
  // Beyond this no program counts, and the text would outgrow every column.
  constexpr double kLargest = 1e15;
  if (!std::isfinite(value) || std::fabs(value) > kLargest) return "-";
  const auto tenths = static_cast<std::uint64_t>(std::llround(std::fabs(value) * 10));
  const std::string text = Grouped(tenths / 10) + '.' + std::to_string(tenths % 10);
  return value < 0 && tenths > 0 ? '-' + text : text;
}

}  // namespace foldlog::cli
