// The text of a policy, which is what a log stores.

#include <charconv>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "engine/base/status_macros.h"
#include "foldlog/retention.h"

namespace foldlog {
namespace {

constexpr std::int64_t kNsPerSecond = 1'000'000'000;

absl::Status NoPolicy(const std::string& text) {
  return absl::InvalidArgumentError(absl::StrCat("\"", text, "\" is no retention policy"));
}

// A decimal number, 0 or more.
bool ParseNumber(std::string_view text, std::int64_t& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() && number >= 0;
}

// "NAME NUMBER", or "NAME NUMBER s" for a time.
bool ParseRule(std::string_view rule, RetentionPolicy& policy) {
  const std::size_t space = rule.find(' ');
  if (space == std::string_view::npos) return false;
  const std::string_view name = rule.substr(0, space);
  std::string_view value = rule.substr(space + 1);
  const bool is_time = value.ends_with(" s");
  if (is_time) value.remove_suffix(2);
  std::int64_t number = 0;
  if (!ParseNumber(value, number)) return false;
  if (is_time && number > std::numeric_limits<std::int64_t>::max() / kNsPerSecond) return false;
  if (is_time && name == "keep-since") return policy.keep_since_ns = number * kNsPerSecond, true;
  if (is_time && name == "min-age") return policy.min_age_ns = number * kNsPerSecond, true;
  if (is_time) return false;
  if (name == "keep-runs") return policy.keep_runs = static_cast<std::uint64_t>(number), true;
  if (name == "max-bytes") return policy.max_bytes = static_cast<std::uint64_t>(number), true;
  return false;
}

}  // namespace

std::string ToText(const RetentionPolicy& policy) {
  std::vector<std::string> rules;
  const auto seconds = [](std::int64_t ns) { return absl::StrCat(ns / kNsPerSecond, " s"); };
  if (policy.keep_runs) rules.push_back(absl::StrCat("keep-runs ", *policy.keep_runs));
  if (policy.keep_since_ns) rules.push_back(absl::StrCat("keep-since ", seconds(*policy.keep_since_ns)));
  if (policy.max_bytes) rules.push_back(absl::StrCat("max-bytes ", *policy.max_bytes));
  if (policy.min_age_ns > 0) rules.push_back(absl::StrCat("min-age ", seconds(policy.min_age_ns)));
  return absl::StrJoin(rules, ", ");
}

absl::StatusOr<RetentionPolicy> ParseRetention(const std::string& text) {
  RetentionPolicy policy;
  if (text.empty()) return policy;
  for (const absl::string_view rule : absl::StrSplit(text, ", ")) {
    if (!ParseRule({rule.data(), rule.size()}, policy)) return NoPolicy(text);
  }
  return policy;
}

absl::StatusOr<RetentionPolicy> ReadRetention(const EventLog& log) {
  ASSIGN_OR_RETURN(const std::string text, log.ReadPolicy());
  return ParseRetention(text);
}

absl::Status StoreRetention(EventLog& log, const RetentionPolicy& policy) {
  return log.StorePolicy(policy.keeps_all() ? "" : ToText(policy));
}

}  // namespace foldlog
