#include "tools/cli/curve.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <string_view>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"

namespace foldlog::cli {
namespace {

constexpr std::array<std::string_view, 8> kBlocks = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
constexpr std::array<std::string_view, 8> kAscii = {"_", ".", ":", "-", "=", "+", "*", "#"};

}  // namespace

std::string Curve(const std::vector<double>& values, bool unicode) {
  double greatest = 0;
  for (const double value : values) greatest = std::isfinite(value) ? std::max(greatest, value) : greatest;
  std::string curve;
  for (const double value : values) {
    const double share = greatest > 0 && value > 0 ? std::min(value / greatest, 1.0) : 0;
    const auto step = static_cast<std::size_t>(std::lround(share * 7));
    curve += unicode ? kBlocks.at(step) : kAscii.at(step);
  }
  return curve;
}

bool IsUnicodeLocale() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const char* const value = std::getenv(name);
    if (value == nullptr || *value == '\0') continue;
    const std::string lower = absl::AsciiStrToLower(value);
    return absl::StrContains(lower, "utf-8") || absl::StrContains(lower, "utf8");
  }
  return false;
}

}  // namespace foldlog::cli
