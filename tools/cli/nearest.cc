// The distance of Damerau and Levenshtein, in its restricted form (optimal string alignment).

#include "tools/cli/nearest.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

namespace foldlog::cli {
namespace {

constexpr std::size_t kNamesMax = 3;
// Longer than any name here; and the time for a word grows with its length.
constexpr std::size_t kWordMax = 32;
constexpr std::size_t kDistanceMax = 3;

std::size_t Distance(std::string_view from, std::string_view to) {
  using Row = std::array<std::size_t, kWordMax + 1>;
  Row two_above = {};
  Row above = {};
  for (std::size_t j = 0; j <= to.size(); ++j) above[j] = j;
  for (std::size_t i = 1; i <= from.size(); ++i) {
    Row row = {i};
    for (std::size_t j = 1; j <= to.size(); ++j) {
      const std::size_t changed = above[j - 1] + (from[i - 1] == to[j - 1] ? 0 : 1);
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, changed});
      const bool swapped = i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1];
      if (swapped) row[j] = std::min(row[j], two_above[j - 2] + 1);
    }
    two_above = above;
    above = row;
  }
  return above[to.size()];
}

}  // namespace

std::vector<std::string> Nearest(std::string_view word, const std::vector<std::string>& known) {
  std::vector<std::pair<std::size_t, std::string>> found;
  if (word.empty() || word.size() > kWordMax) return {};
  for (const std::string& name : known) {
    if (name.size() > kWordMax) continue;
    const std::size_t distance = name.starts_with(word) ? 0 : Distance(word, name);
    if (distance <= std::min<std::size_t>(word.size() / 3, kDistanceMax)) found.emplace_back(distance, name);
  }
  std::stable_sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<std::string> names;
  for (auto& [distance, name] : found) {
    if (names.size() < kNamesMax) names.push_back(std::move(name));
  }
  return names;
}

std::string DidYouMean(std::string_view word, const std::vector<std::string>& known) {
  const std::vector<std::string> names = Nearest(word, known);
  std::string text;
  for (std::size_t i = 0; i < names.size(); ++i) {
    text += (i == 0 ? "; did you mean " : i + 1 == names.size() ? " or " : ", ") + names[i];
  }
  return text.empty() ? text : text + "?";
}

}  // namespace foldlog::cli
