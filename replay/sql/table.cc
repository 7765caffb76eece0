#include "replay/sql/table.h"

#include <algorithm>
#include <string>

#include "absl/time/civil_time.h"
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

std::string TimeText(TimeNs time) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%E9SZ", absl::FromUnixNanos(time), absl::UTCTimeZone());
}

// To the second or the day, which is more than the text may say: constraints are checked again.
std::optional<Instants> ParseTime(std::string_view text) {
  constexpr std::size_t kDateSize = 10;    // 2026-11-01
  constexpr std::size_t kSecondSize = 19;  // 2026-11-01T14:30:05
  const bool date = text.size() == kDateSize;
  if (!date && text.size() < kSecondSize) return std::nullopt;
  if (!date && text.find_first_not_of(".0123456789Z", kSecondSize) != std::string_view::npos) return std::nullopt;
  const std::string head(text.substr(0, date ? kDateSize : kSecondSize));
  absl::Time first;
  std::string ignored;
  if (!absl::ParseTime(date ? "%Y-%m-%d" : "%Y-%m-%dT%H:%M:%S", head, absl::UTCTimeZone(), &first, &ignored)) {
    return std::nullopt;
  }
  const absl::Time last = first + (date ? absl::Hours(24) : absl::Seconds(1));
  return Instants{absl::ToUnixNanos(first), absl::ToUnixNanos(last)};
}

}  // namespace foldlog::sql
