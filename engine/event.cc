#include "foldlog/event.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <iterator>

namespace foldlog {
namespace {

constexpr std::array<std::string_view, 3> kTypeNames = {"initial", "incremental", "recovery"};
constexpr std::array<std::string_view, 5> kStatusNames = {"idle", "in_progress", "paused", "completed", "failed"};
constexpr std::array<std::string_view, 4> kEvidenceNames = {"process_died", "machine_rebooted", "closed_without_end",
                                                            "forced"};

}  // namespace

const std::vector<std::string_view>& KindNames() {
  static const std::vector<std::string_view> names = {"started",   "checkpoint", "paused",  "resumed", "recovered",
                                                      "completed", "failed",     "cleared", "reset",   "imported"};
  // KindName() takes the name by the index of the variant, so the order is that of EventBody.
  static_assert(std::variant_size_v<EventBody> == 10, "name the new kind here");
  return names;
}

std::string_view KindName(const EventBody& body) { return KindNames()[body.index()]; }

// The tables are indexed by the stored numbers, which never change.
std::string_view Name(OperationType type) { return kTypeNames.at(static_cast<std::size_t>(type)); }

std::string_view Name(OperationStatus status) { return kStatusNames.at(static_cast<std::size_t>(status)); }

std::string_view Name(Evidence evidence) { return kEvidenceNames.at(static_cast<std::size_t>(evidence)); }

std::optional<OperationType> ParseOperationType(std::string_view name) {
  const auto* found = std::find(kTypeNames.begin(), kTypeNames.end(), name);
  if (found == kTypeNames.end()) return std::nullopt;
  return static_cast<OperationType>(std::distance(kTypeNames.begin(), found));
}

}  // namespace foldlog
