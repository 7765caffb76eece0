#include "engine/seconds.h"

#include <cmath>
#include <cstdint>
#include <limits>

#include "absl/strings/str_cat.h"

namespace foldlog {
namespace {

static_assert(std::numeric_limits<double>::digits == 53);

constexpr std::uint64_t kExactInDouble = std::uint64_t{1} << 53;
constexpr std::uint64_t kBillion = kNanosecondsPerSecond;

absl::Status OutOfRange(double seconds) {
  return absl::InvalidArgumentError(
      absl::StrCat("the time ", seconds, " s is none that can be stored: it must lie between the years 1677 and 2262"));
}

// For more nanoseconds than a double can count exactly. Computes the seconds in binary, with so many places that 55 to
// 64 bits are significant. The remainder goes into the last bit, so that the one rounding to double sees no tie where
// none is.
double SecondsOfMany(std::uint64_t nanoseconds) {
  const std::uint64_t whole = nanoseconds / kBillion;  // 2^23 to 2^34
  const int places = whole < (std::uint64_t{1} << 30) ? 34 : 30;
  const std::uint64_t scaled = (nanoseconds % kBillion) << places;
  std::uint64_t binary = (whole << places) | (scaled / kBillion);
  if (scaled % kBillion != 0) binary |= 1;
  return static_cast<double>(binary) * (places == 34 ? 0x1p-34 : 0x1p-30);
}

}  // namespace

double SecondsOf(TimeNs time) {
  // Unsigned: the smallest TimeNs has no positive counterpart.
  const std::uint64_t magnitude = time < 0 ? -static_cast<std::uint64_t>(time) : static_cast<std::uint64_t>(time);
  const double seconds = magnitude <= kExactInDouble
                             ? static_cast<double>(magnitude) / static_cast<double>(kNanosecondsPerSecond)
                             : SecondsOfMany(magnitude);
  return time < 0 ? -seconds : seconds;
}

absl::StatusOr<TimeNs> TimeOf(double seconds) {
  constexpr double kSecondsMax = 9'223'372'037.0;
  constexpr std::uint64_t kTimeMax = std::numeric_limits<TimeNs>::max();
  const double magnitude = std::fabs(seconds);
  if (!(magnitude <= kSecondsMax)) return OutOfRange(seconds);  // NaN, too

  const double whole = std::floor(magnitude);
  const double fraction = magnitude - whole;
  // fma() gives the exact error of the product. It decides between the two nearest nanoseconds where the rounded
  // product looks like a tie.
  const double product = fraction * static_cast<double>(kBillion);
  const double error = std::fma(fraction, static_cast<double>(kBillion), -product);  // of rounding the product: exact
  const double below = std::floor(product);
  const double rest = product - below;  // if it is not a half, `error` is too small to matter
  const bool odd = std::fmod(below, 2) != 0;
  const bool up = rest > 0.5 || (rest == 0.5 && (error > 0 || (error == 0 && odd)));
  const std::uint64_t nanoseconds =
      static_cast<std::uint64_t>(whole) * kBillion + static_cast<std::uint64_t>(below) + (up ? 1 : 0);

  const bool negative = seconds < 0;
  if (nanoseconds > kTimeMax + (negative ? 1 : 0)) return OutOfRange(seconds);
  return static_cast<TimeNs>(negative ? -nanoseconds : nanoseconds);
}

}  // namespace foldlog
