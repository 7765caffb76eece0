#include "replay/history_filter.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

namespace foldlog {
namespace {

bool Holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

bool IsNamed(const Operation& operation, const std::string& name) {
  return Holds(operation.operation_id, name) ||
         std::any_of(operation.roots.begin(), operation.roots.end(),
                     [&](const std::string& root) { return Holds(root, name); }) ||
         std::any_of(operation.metadata.begin(), operation.metadata.end(),
                     [&](const auto& pair) { return Holds(pair.second, name); });
}

bool HasMetadata(const Operation& operation, const Metadata& wanted) {
  return std::all_of(wanted.begin(), wanted.end(), [&](const auto& pair) {
    return std::find(operation.metadata.begin(), operation.metadata.end(), pair) != operation.metadata.end();
  });
}

bool HasStatus(const HistoryEntry& entry, const HistoryFilter& filter) {
  if (filter.statuses.empty() && !filter.reset) return true;
  return entry.reset_by ? filter.reset : filter.statuses.contains(entry.operation.status);
}

// A clock that was set back may have put the last event before the start.
bool WasUnderWay(const Operation& operation, const HistoryFilter& filter) {
  const auto [earliest, latest] = std::minmax(operation.started_at, operation.updated_at);
  return (!filter.since || latest >= *filter.since) && (!filter.until || earliest < *filter.until);
}

}  // namespace

absl::Status CheckFilter(const HistoryFilter& filter) {
  if (!filter.since || !filter.until || *filter.since <= *filter.until) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("the range of times is upside down: it goes from ", *filter.since,
                                                 " to ", *filter.until, " ns since 1970"));
}

bool Passes(const HistoryFilter& filter, const HistoryEntry& entry) {
  const Operation& operation = entry.operation;
  return (!filter.type || operation.type == *filter.type) && HasStatus(entry, filter) &&
         WasUnderWay(operation, filter) && operation.error_count >= filter.min_errors &&
         (!filter.interrupted_only || operation.interruptions() > 0) &&
         operation.operation_id.starts_with(filter.id_prefix) &&
         (filter.name.empty() || IsNamed(operation, filter.name)) && HasMetadata(operation, filter.metadata);
}

}  // namespace foldlog
