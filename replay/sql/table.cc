#include "replay/sql/table.h"

#include <algorithm>
#include <string>

#include "absl/time/time.h"

namespace foldlog::sql {

const Value* Scan::Equal(int column) const {
  const auto found = std::find_if(constraints.begin(), constraints.end(), [&](const Constraint& constraint) {
    return constraint.column == column && constraint.comparison == Comparison::kEqual;
  });
  return found == constraints.end() ? nullptr : &found->value;
}

const std::vector<const Table*>& Tables() {
  static const std::vector<const Table*> tables = {&RunsTable(),   &EventsTable(),  &CheckpointsTable(),
                                                   &ErrorsTable(), &StateAtTable(), &ProgressTable()};
  return tables;
}

namespace {

// 2026-11-01: what sorts as the times do has all its digits.
bool BeginsWithDate(std::string_view text) {
  constexpr std::string_view kPattern = "dddd-dd-dd";
  if (text.size() < kPattern.size()) return false;
  for (std::size_t i = 0; i < kPattern.size(); ++i) {
    const bool digit = text[i] >= '0' && text[i] <= '9';
    if (kPattern[i] == 'd' ? !digit : text[i] != '-') return false;
  }
  return true;
}

}  // namespace

// To the second, or to the day that its first ten characters name: constraints are checked again, and texts compare by
// what stands first.
std::optional<Instants> ParseTime(std::string_view text) {
  constexpr std::size_t kDateSize = 10;
  constexpr std::size_t kSecondSize = 19;  // 2026-11-01T14:30:05
  if (!BeginsWithDate(text)) return std::nullopt;
  const bool exact =
      text.size() >= kSecondSize && text.find_first_not_of(".0123456789Z", kSecondSize) == std::string_view::npos;
  absl::Time first;
  std::string ignored;
  if (exact && absl::ParseTime("%Y-%m-%dT%H:%M:%S", std::string(text.substr(0, kSecondSize)), absl::UTCTimeZone(),
                               &first, &ignored)) {
    return Instants{absl::ToUnixNanos(first), absl::ToUnixNanos(first + absl::Seconds(1))};
  }
  if (!absl::ParseTime("%Y-%m-%d", std::string(text.substr(0, kDateSize)), absl::UTCTimeZone(), &first, &ignored)) {
    return std::nullopt;
  }
  return Instants{absl::ToUnixNanos(first), absl::ToUnixNanos(first + absl::Hours(24))};
}

}  // namespace foldlog::sql
