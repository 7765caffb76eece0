// Place: a root or a mount point, and what tells whether the same file system is still there.
//
// A disk that is not mounted looks like a directory whose files were all deleted. So the catalog remembers where the
// files of each root and of each mount below came from; before rows are dropped for want of their files, IndexRun asks
// here whether the place is the one that it was. Only looks.

#ifndef FOLDLOG_TOOLS_INDEXER_PLACE_H_
#define FOLDLOG_TOOLS_INDEXER_PLACE_H_

#include <optional>
#include <string>

namespace foldlog::indexer {

struct Place {
  std::string path;
  bool mount_point = false;
  std::string uuid;         // of the file system, if it has one and that can be known: survives everything
  std::string file_system;  // its type and id as statfs() has them: survives a remount, and on most a reboot
  bool operator==(const Place&) const = default;
};

// What is at `path` now; `fd` is that directory, open in any way. Nothing, with errno set, if it cannot be told.
std::optional<Place> LookAtPlace(const std::string& path, int fd);

// In words, why files that are missing at the place as it is `now` may be those of another one; empty if it is the same
// place as far as can be told.
std::string WhyNotTheSame(const Place& recorded, const Place& now);

}  // namespace foldlog::indexer

#endif  // FOLDLOG_TOOLS_INDEXER_PLACE_H_
