#include "replay/event_filter.h"

#include <algorithm>
#include <optional>
#include <string>
#include <variant>

#include "absl/strings/str_cat.h"

namespace foldlog {
namespace {

// Whether an event names a file under the prefix.
class NamesAFileUnder {
 public:
  explicit NamesAFileUnder(const std::string& prefix) : prefix_(prefix) {}

  bool operator()(const Checkpoint& body) const {
    return Holds(body.current_path) || Holds(body.last_processed_file) || (body.error && Holds(body.error->path));
  }
  bool operator()(const Imported& body) const {
    return Holds(body.current_path) || Holds(body.last_processed_file) ||
           std::any_of(body.errors.begin(), body.errors.end(),
                       [this](const ImportedError& error) { return Holds(error.error.path); });
  }
  template <typename Body>
  bool operator()(const Body&) const {
    return false;
  }

 private:
  bool Holds(const std::string& path) const { return path.starts_with(prefix_); }
  bool Holds(const std::optional<std::string>& path) const { return path && Holds(*path); }

  const std::string& prefix_;
};

}  // namespace

bool TellsOfAnError(const EventBody& body) {
  if (const auto* checkpoint = std::get_if<Checkpoint>(&body)) return checkpoint->error.has_value();
  if (const auto* imported = std::get_if<Imported>(&body)) {
    return !imported->errors.empty() || imported->status == OperationStatus::kFailed;
  }
  return std::holds_alternative<Failed>(body);
}

absl::Status CheckFilter(const EventFilter& filter) {
  if (filter.from > filter.through) {
    return absl::InvalidArgumentError(
        absl::StrCat("the range of events is upside down: it goes from ", filter.from, " to ", filter.through));
  }
  if (filter.since && filter.until && *filter.since > *filter.until) {
    return absl::InvalidArgumentError(absl::StrCat("the range of times is upside down: it goes from ", *filter.since,
                                                   " to ", *filter.until, " ns since 1970"));
  }
  if (!filter.kinds.empty() && *filter.kinds.rbegin() >= std::variant_size_v<EventBody>) {
    return absl::InvalidArgumentError(absl::StrCat("there is no kind of event ", *filter.kinds.rbegin()));
  }
  return absl::OkStatus();
}

bool Passes(const EventFilter& filter, const RecordedEvent& recorded) {
  const Event& event = recorded.event;
  return recorded.sequence >= filter.from && recorded.sequence <= filter.through &&
         (!filter.since || event.time >= *filter.since) && (!filter.until || event.time < *filter.until) &&
         (filter.kinds.empty() || filter.kinds.contains(event.body.index())) &&
         (!filter.with_error || TellsOfAnError(event.body)) &&
         (filter.path_prefix.empty() || std::visit(NamesAFileUnder(filter.path_prefix), event.body));
}

}  // namespace foldlog
