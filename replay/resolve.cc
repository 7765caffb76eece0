// Which operation a person means.

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "engine/base/status_macros.h"
#include "foldlog/history.h"

namespace foldlog {
namespace {

constexpr std::string_view kLast = "last";
constexpr std::string_view kActive = "active";

// How many ids a message lists.
constexpr std::size_t kCandidatesMax = 8;

// How far "last" or "last~2" goes back; nothing for any other text.
std::optional<std::uint64_t> StepsBack(std::string_view text) {
  if (!text.starts_with(kLast)) return std::nullopt;
  text.remove_prefix(kLast.size());
  if (text.empty()) return 0;
  if (text.front() != '~') return std::nullopt;
  text.remove_prefix(1);
  std::uint64_t steps = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), steps);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return steps;
}

absl::StatusOr<HistoryEntry> FindBack(const EventLog& log, std::uint64_t steps) {
  ASSIGN_OR_RETURN(HistoryQuery query, HistoryQuery::Over(log, {}, Order::kNewestFirst));
  for (std::uint64_t passed = 0;; ++passed) {
    ASSIGN_OR_RETURN(std::optional<HistoryEntry> entry, query.Next());
    if (!entry) {
      return absl::NotFoundError(
          absl::StrCat("the log ", log.name(), " has only ", passed, " operations; its history lists them"));
    }
    if (passed == steps) return *std::move(entry);
  }
}

absl::StatusOr<HistoryEntry> FindActive(const EventLog& log) {
  ASSIGN_OR_RETURN(HistoryQuery query, HistoryQuery::Over(log, {}, Order::kNewestFirst));
  ASSIGN_OR_RETURN(std::optional<HistoryEntry> entry, query.Next());
  const bool active =
      entry && !entry->reset_by &&
      (entry->operation.status == OperationStatus::kInProgress || entry->operation.status == OperationStatus::kPaused);
  if (active) return *std::move(entry);
  return absl::NotFoundError(
      absl::StrCat("no operation is active in the log ", log.name(), "; \"last\" means the latest"));
}

absl::Status Ambiguous(const EventLog& log, const std::string& text, const std::vector<std::string>& ids, bool more) {
  return absl::InvalidArgumentError(absl::StrCat("several operations of the log ", log.name(), " begin with ", text,
                                                 ": ", absl::StrJoin(ids, ", "), more ? " and more" : "",
                                                 "; give more of the id"));
}

// An id that is complete means that operation, even if others begin with it.
absl::StatusOr<HistoryEntry> FindByPrefix(const EventLog& log, const std::string& text) {
  ASSIGN_OR_RETURN(HistoryQuery query, HistoryQuery::Over(log, {.id_prefix = text}, Order::kNewestFirst));
  std::optional<HistoryEntry> found;
  std::vector<std::string> ids;
  bool more = false;
  while (true) {
    ASSIGN_OR_RETURN(std::optional<HistoryEntry> entry, query.Next());
    if (!entry) break;
    const std::string& id = entry->operation.operation_id;
    if (id == text) return *std::move(entry);
    if (std::find(ids.begin(), ids.end(), id) != ids.end()) continue;
    more = ids.size() == kCandidatesMax;
    if (more) continue;
    ids.push_back(id);
    if (!found) found = std::move(entry);
  }
  if (!found) {
    return absl::NotFoundError(
        absl::StrCat("the log ", log.name(), " knows no operation ", text, "; its history lists those it knows"));
  }
  if (ids.size() > 1) return Ambiguous(log, text, ids, more);
  return *std::move(found);
}

}  // namespace

absl::StatusOr<HistoryEntry> ResolveOperation(const EventLog& log, const std::string& text) {
  if (text.empty()) return absl::InvalidArgumentError("an operation is named by its id, \"last\" or \"active\"");
  if (text == kActive) return FindActive(log);
  if (const std::optional<std::uint64_t> steps = StepsBack(text)) return FindBack(log, *steps);
  return FindByPrefix(log, text);
}

}  // namespace foldlog
