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

// Whether every event that passes carries an error.
bool WantsErrorsOnly(const EventFilter& filter) {
  return filter.with_error || (filter.kinds.size() == 1 && *filter.kinds.begin() == KindOf<Failed>);
}

bool HoldsKind(const BatchSummary& summary, const std::set<std::size_t>& kinds) {
  return kinds.empty() || std::any_of(kinds.begin(), kinds.end(),
                                      [&](std::size_t kind) { return (summary.kinds & KindBit(kind)) != 0; });
}

bool MayNameFiles(const BatchSummary& summary) {
  return summary.errors > 0 || (summary.fields & (kSetsCurrentPath | kSetsLastProcessedFile)) != 0 ||
         (summary.kinds & KindBit(KindOf<Imported>)) != 0;
}

bool IsWithin(const EventFilter& filter, TimeNs time) {
  return (!filter.since || time >= *filter.since) && (!filter.until || time < *filter.until);
}

}  // namespace

// The index counts by the same rule: it tells which batches cannot hold such an event.
bool TellsOfAnError(const EventBody& body) { return CarriesError(body); }

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
  return recorded.sequence >= filter.from && recorded.sequence <= filter.through && IsWithin(filter, event.time) &&
         (filter.kinds.empty() || filter.kinds.contains(event.body.index())) &&
         (!filter.with_error || TellsOfAnError(event.body)) &&
         (filter.path_prefix.empty() || std::visit(NamesAFileUnder(filter.path_prefix), event.body));
}

bool Passes(const EventFilter& filter, const CheckpointView& checkpoint) {
  const std::string& prefix = filter.path_prefix;
  return IsWithin(filter, checkpoint.at.time) && (filter.kinds.empty() || filter.kinds.contains(KindOf<Checkpoint>)) &&
         (!filter.with_error || checkpoint.has_error) &&
         (prefix.empty() || checkpoint.current_path.starts_with(prefix) ||
          checkpoint.last_processed_file.starts_with(prefix));
}

EventRange PartToRead(const EventFilter& filter, const Stretch& stretch) {
  const EventRange all{stretch.first, stretch.last};
  if (!stretch.summary) return all;
  const BatchSummary& summary = *stretch.summary;
  const bool may_hold = HoldsKind(summary, filter.kinds) && (!filter.since || summary.latest >= *filter.since) &&
                        (!filter.until || summary.earliest < *filter.until) &&
                        (filter.path_prefix.empty() || MayNameFiles(summary));
  if (!may_hold) return {1, 0};
  if (!WantsErrorsOnly(filter)) return all;
  if (summary.errors == 0) return {1, 0};
  return {std::max(all.from, summary.first_error), std::min(all.through, summary.last_error)};
}

}  // namespace foldlog
