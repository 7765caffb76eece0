#include "foldlog/operation_diff.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "foldlog/operation_story.h"
#include "replay/error_groups.h"
#include "replay/message_kind.h"
#include "replay/seen_texts.h"

namespace foldlog {
namespace {

// So many steps for each point of a curve: where they stand does not matter then.
constexpr std::size_t kStepsPerPoint = 4;

absl::StatusOr<std::vector<double>> RatesOf(const EventLog& log, const Operation& operation, std::size_t points) {
  ASSIGN_OR_RETURN(const std::vector<StoryStep> steps, StoryStepsOf(log, operation, points * kStepsPerPoint));
  return RateCurve(steps, points);
}

std::vector<std::string> Without(const std::vector<std::string>& roots, const std::vector<std::string>& others) {
  std::vector<std::string> rest;
  for (const std::string& root : roots) {
    if (std::find(others.begin(), others.end(), root) == others.end()) rest.push_back(root);
  }
  return rest;
}

// In the order of the names.
std::vector<MetadataDifference> MetadataDifferences(const Metadata& first, const Metadata& second) {
  std::map<std::string, std::array<std::vector<std::string>, 2>> values;
  for (const auto& [name, value] : first) values[name][0].push_back(value);
  for (const auto& [name, value] : second) values[name][1].push_back(value);
  std::vector<MetadataDifference> differences;
  for (auto& [name, both] : values) {
    if (both[0] != both[1]) differences.push_back({name, std::move(both)});
  }
  return differences;
}

// Path and kind, told apart by the zero byte that no path has.
std::string IdentityOf(const ReportedError& error, const std::string& kind) {
  return absl::StrCat(error.error.path, std::string(1, '\0'), error.is_failure ? "f" : "e", kind);
}

// Calls `use` with each error of the operation and the kind of its message.
template <typename Use>
absl::Status ForEachError(const EventLog& log, const Operation& operation, Use use) {
  const ErrorFilter filter{.from = operation.first_sequence, .through = operation.last_sequence};
  ASSIGN_OR_RETURN(ErrorQuery query, ErrorQuery::Over(log, filter));
  while (true) {
    ASSIGN_OR_RETURN(const std::optional<ReportedError> error, query.Next());
    if (!error) return absl::OkStatus();
    use(*error, MessageKind(error->error.message, error->error.path));
  }
}

// Remembers the first operation's errors and marks those that the second has, too; what is left unmarked is gone.
absl::Status CompareErrors(const EventLog& log, const DiffOptions& options, OperationDiff& diff) {
  using Found = SeenTexts::Found;
  const auto& [first, second] = diff.entries;
  SeenTexts of_first(options.errors_max);
  SeenTexts only_second(options.errors_max);
  RETURN_IF_ERROR(ForEachError(log, first.operation, [&](const ReportedError& error, const std::string& kind) {
    if (of_first.Add(IdentityOf(error, kind)) == Found::kFull) ++diff.errors_not_compared;
  }));
  ErrorGrouping new_ones(options.errors.groups_max, options.errors.examples_max);
  RETURN_IF_ERROR(ForEachError(log, second.operation, [&](const ReportedError& error, const std::string& kind) {
    const std::string identity = IdentityOf(error, kind);
    if (bool* const in_both = of_first.Mark(identity)) {
      if (!std::exchange(*in_both, true)) ++diff.errors_in_both;
      return;
    }
    const Found found = only_second.Add(identity);
    if (found == Found::kNew) new_ones.Add(kind, error);
    if (found == Found::kFull) ++diff.errors_not_compared;
  }));
  ErrorGrouping gone(options.errors.groups_max, options.errors.examples_max);
  RETURN_IF_ERROR(ForEachError(log, first.operation, [&](const ReportedError& error, const std::string& kind) {
    bool* const told = of_first.Mark(IdentityOf(error, kind));
    if (told != nullptr && !std::exchange(*told, true)) gone.Add(kind, error);
  }));
  diff.new_errors = new_ones.Take();
  diff.gone_errors = gone.Take();
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<OperationDiff> Compare(const EventLog& log, const HistoryEntry& first, const HistoryEntry& second,
                                      const DiffOptions& options) {
  OperationDiff diff{.entries = {first, second}};
  const Operation& a = first.operation;
  const Operation& b = second.operation;
  ASSIGN_OR_RETURN(diff.rates[0], RatesOf(log, a, options.points));
  ASSIGN_OR_RETURN(diff.rates[1], RatesOf(log, b, options.points));
  diff.roots = {Without(a.roots, b.roots), Without(b.roots, a.roots)};
  diff.metadata = MetadataDifferences(a.metadata, b.metadata);
  diff.same_type = a.type == b.type;
  diff.same_owner = a.owner.program == b.owner.program && a.owner.host == b.owner.host;
  RETURN_IF_ERROR(CompareErrors(log, options, diff));
  return diff;
}

}  // namespace foldlog
