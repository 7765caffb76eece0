#include "foldlog/error_groups.h"

#include <algorithm>
#include <optional>
#include <unordered_map>
#include <utility>
#include <variant>

#include "engine/base/status_macros.h"

namespace foldlog {
namespace {

constexpr std::size_t kNameBytesMax = 200;
// A longer error is no example: paths may be a megabyte long.
constexpr std::size_t kExampleBytesMax = std::size_t{8} << 10;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

struct Found {
  Sequence sequence;
  TimeNs time;
  const FileError& error;
};

// Groups by one name. They are kept in the order of their first errors.
class Grouping {
 public:
  explicit Grouping(const ErrorGroupLimits& limits) : limits_(limits) {}

  void Add(std::string name, const Found& found) {
    auto place = places_.find(name);
    if (place == places_.end()) {
      if (groups_.size() >= limits_.groups_max) {
        ++left_out_;
        return;
      }
      place = places_.emplace(name, groups_.size()).first;
      groups_.push_back(
          {.name = std::move(name), .first = found.sequence, .first_time = found.time, .last_time = found.time});
    }
    ErrorGroup& group = groups_[place->second];
    ++group.count;
    group.last = found.sequence;
    group.last_time = found.time;
    const std::size_t bytes = found.error.path.size() + found.error.message.size() + found.error.details.size();
    if (group.examples.size() < limits_.examples_max && bytes <= kExampleBytesMax) {
      group.examples.push_back(found.error);
    }
  }

  std::vector<ErrorGroup> Take(std::uint64_t& left_out) {
    left_out = left_out_;
    std::stable_sort(groups_.begin(), groups_.end(),
                     [](const ErrorGroup& a, const ErrorGroup& b) { return a.count > b.count; });
    return std::move(groups_);
  }

 private:
  const ErrorGroupLimits limits_;
  std::vector<ErrorGroup> groups_;
  std::unordered_map<std::string, std::size_t> places_;
  std::uint64_t left_out_ = 0;
};

class Collector {
 public:
  explicit Collector(const ErrorGroupLimits& limits) : messages_(limits), directories_(limits) {}

  void Add(const RecordedEvent& recorded) {
    const Sequence sequence = recorded.sequence;
    const Event& event = recorded.event;
    if (const auto* checkpoint = std::get_if<Checkpoint>(&event.body)) {
      if (checkpoint->error) AddOfFile({sequence, event.time, *checkpoint->error});
    } else if (const auto* failed = std::get_if<Failed>(&event.body)) {
      AddFailure(sequence, event.time, failed->error);
    } else if (const auto* imported = std::get_if<Imported>(&event.body)) {
      for (const ImportedError& error : imported->errors) AddOfFile({sequence, error.time, error.error});
      if (imported->status == OperationStatus::kFailed) AddFailure(sequence, imported->ended_at, imported->failure);
    }
  }

  ErrorGroups Take() {
    ErrorGroups groups{.errors = errors_};
    groups.by_message = messages_.Take(groups.without_message_group);
    groups.by_directory = directories_.Take(groups.without_directory_group);
    return groups;
  }

 private:
  void AddFailure(Sequence sequence, TimeNs time, const std::string& message) {
    const FileError error{.message = message};
    ++errors_;
    messages_.Add(KindOfMessage(error), {sequence, time, error});
  }

  void AddOfFile(const Found& found) {
    ++errors_;
    messages_.Add(KindOfMessage(found.error), found);
    directories_.Add(DirectoryOf(found.error.path), found);
  }

  std::uint64_t errors_ = 0;
  Grouping messages_;
  Grouping directories_;
};

}  // namespace

std::string KindOfMessage(const FileError& error) {
  std::string kind;
  const std::string& message = error.message;
  for (std::size_t at = 0; at < message.size() && kind.size() < kNameBytesMax;) {
    if (!error.path.empty() && message.compare(at, error.path.size(), error.path) == 0) {
      kind += "PATH";
      at += error.path.size();
    } else if (IsDigit(message[at])) {
      kind += 'N';
      while (at < message.size() && IsDigit(message[at])) ++at;
    } else {
      kind += message[at++];
    }
  }
  kind.resize(std::min(kind.size(), kNameBytesMax));
  return kind;
}

std::string DirectoryOf(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return "";
  return path.substr(0, std::max<std::size_t>(slash, 1));
}

absl::StatusOr<ErrorGroups> GroupErrors(const EventLog& log, const EventFilter& filter,
                                        const ErrorGroupLimits& limits) {
  EventFilter errors_only = filter;
  errors_only.with_error = true;
  ASSIGN_OR_RETURN(EventQuery query, EventQuery::Over(log, errors_only));
  Collector collector(limits);
  while (true) {
    ASSIGN_OR_RETURN(const std::optional<QueriedEvent> found, query.Next());
    if (!found) return collector.Take();
    collector.Add(found->event);
  }
}

}  // namespace foldlog
