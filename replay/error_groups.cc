#include "replay/error_groups.h"

#include <algorithm>
#include <utility>

#include "engine/shorten.h"

namespace foldlog {
namespace {

std::size_t BytesOf(const ReportedError& error) {
  return sizeof(error) + error.operation_id.size() + error.error.path.size() + error.error.message.size() +
         error.error.details.size();
}

// Details are JSON, and worth nothing if cut. They are not copied to be left out: a cleared text keeps its memory, and
// there may be megabytes.
ReportedError Example(const ReportedError& error) {
  ReportedError example{.sequence = error.sequence,
                        .time = error.time,
                        .operation = error.operation,
                        .operation_id = error.operation_id,
                        .is_failure = error.is_failure};
  example.error.path = error.error.path;
  example.error.message = ShortenText(error.error.message, kExampleBytesMax);
  if (error.error.details.size() <= kExampleBytesMax) example.error.details = error.error.details;
  return example;
}

}  // namespace

bool ErrorGrouping::HasRoom(std::size_t bytes) {
  if (bytes > kGroupBytesMax - bytes_) return false;
  bytes_ += bytes;
  return true;
}

void ErrorGrouping::Add(const std::string& key, const ReportedError& error) {
  auto place = places_.find(key);
  if (place == places_.end()) {
    // The key stands in the group, and once more where it is looked up.
    const bool fits = groups_.groups.size() < groups_max_ && HasRoom(sizeof(ErrorGroup) + 2 * (key.size() + 64));
    if (!fits) {
      ++groups_.left_out;
      return;
    }
    place = places_.emplace(key, groups_.groups.size()).first;
    groups_.groups.push_back({.key = key,
                              .first_time = error.time,
                              .last_time = error.time,
                              .first_sequence = error.sequence,
                              .last_sequence = error.sequence});
  }
  ErrorGroup& group = groups_.groups[place->second];
  ++group.count;
  group.first_time = std::min(group.first_time, error.time);
  group.last_time = std::max(group.last_time, error.time);
  group.first_sequence = std::min(group.first_sequence, error.sequence);
  group.last_sequence = std::max(group.last_sequence, error.sequence);
  if (group.examples.size() >= examples_max_) return;
  ReportedError example = Example(error);
  if (HasRoom(BytesOf(example))) group.examples.push_back(std::move(example));
}

ErrorGroups ErrorGrouping::Take() {
  std::stable_sort(groups_.groups.begin(), groups_.groups.end(),
                   [](const ErrorGroup& a, const ErrorGroup& b) { return a.count > b.count; });
  places_.clear();
  bytes_ = 0;
  return std::exchange(groups_, {});
}

std::string DirectoryOf(std::string_view path) {
  const bool trailing = path.size() > 1 && path.ends_with('/');
  const std::size_t slash = path.substr(0, path.size() - (trailing ? 1 : 0)).rfind('/');
  if (slash == std::string_view::npos) return ".";
  return std::string(path.substr(0, std::max<std::size_t>(slash, 1)));
}

}  // namespace foldlog
