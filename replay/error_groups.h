// Puts errors into groups by a key, in bounded memory. Threads: one at a time.

#ifndef FOLDLOG_REPLAY_ERROR_GROUPS_H_
#define FOLDLOG_REPLAY_ERROR_GROUPS_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "foldlog/error_report.h"

namespace foldlog {

// What the groups of one ErrorGrouping take at most, keys and examples together.
inline constexpr std::size_t kGroupBytesMax = std::size_t{8} << 20;

class ErrorGrouping {
 public:
  ErrorGrouping(std::size_t groups_max, std::size_t examples_max)
      : groups_max_(groups_max), examples_max_(examples_max) {}

  // Counts the error in the group `key`. A group that is new and has no room any more is left out.
  void Add(const std::string& key, const ReportedError& error);

  // The groups so far, the largest first. The grouping is then empty.
  ErrorGroups Take();

 private:
  bool HasRoom(std::size_t bytes);

  const std::size_t groups_max_;
  const std::size_t examples_max_;
  std::unordered_map<std::string, std::size_t> places_;  // in groups_
  ErrorGroups groups_;
  std::size_t bytes_ = 0;
};

// The part of a path before its last slash: "/a" of "/a/b" and of "/a/b/", "/" of "/b"; "." if there is none.
std::string DirectoryOf(std::string_view path);

}  // namespace foldlog

#endif  // FOLDLOG_REPLAY_ERROR_GROUPS_H_
