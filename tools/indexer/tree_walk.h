// TreeWalk: the regular files below some directories, in one total order that a later walk can continue.
//
//   TreeWalk walk({.roots = {"/photos"}, .after = "/photos/2023/img_0500.jpg"});
//   while (std::optional<WalkEntry> entry = walk.Next()) …
//
// The order is ComparePaths(): each directory's names sorted as bytes, a directory's content in its place. With
// `after`, whole subtrees before it are left out without being read. Symbolic links are not followed; what is no
// regular file and no directory is passed over. A directory that vanished or cannot be read becomes an entry, never the
// end. So does what is left out at a mount point: file systems that only show the kernel's tables, and a directory
// mounted inside itself.
//
// Few file descriptors are open at a time however deep the tree, and no path longer than a name is ever given to the
// kernel, so neither the descriptor limit nor PATH_MAX bounds the depth. One thread at a time.

#ifndef FOLDLOG_TOOLS_INDEXER_TREE_WALK_H_
#define FOLDLOG_TOOLS_INDEXER_TREE_WALK_H_

#include <dirent.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tools/indexer/file_access.h"

namespace foldlog::indexer {

// Files and directories (with all that is in them) to be left out. By path, and by identity for those that can be
// reached by another path, such as a bind mount or a hard link.
struct Exclusions {
  std::vector<std::string> paths;
  std::vector<FileId> ids;

  // Leaves `path` out, and whatever file it names now.
  void Add(const std::string& path);
  bool CoverPath(std::string_view path) const;  // `path` is one of the paths or lies below one
};

struct WalkOptions {
  std::vector<std::string> roots{};  // absolute, sorted by ComparePaths, none below another
  std::string after{};               // absolute; the walk starts behind it. Empty: at the start
  Exclusions exclusions{};
  bool one_file_system = false;            // mount points are left out
  bool pseudo_file_systems = false;        // /proc and its like are walked, too
  bool directories = false;                // each directory is an entry of its own, before what is in it
  const std::atomic<int>* stop = nullptr;  // the walk ends early once this is not 0

  // Directories below the roots for which this is true are not entered.
  std::function<bool(std::string_view path, std::size_t depth, const DirectoryFacts& facts)> is_known{};
};

// Views are valid until the next call of Next().
struct WalkEntry {
  enum class Kind { kFile, kDirectory, kUnreadableDirectory, kLeftOut };
  Kind kind = Kind::kFile;
  std::string_view path;
  int directory_fd = -1;       // of a file: where it is, of a directory: itself
  const char* name = nullptr;  // of a file: what it is called there
  std::size_t depth = 0;       // of a root 0, of what is in it 1
  int error = 0;               // of an unreadable directory: errno
  bool entered = false;        // of an unreadable directory: some names could be read, and what they name follows
  std::string reason{};        // of what is left out

  // Of a directory, as it was before its names were read.
  DirectoryFacts facts{};
  std::int64_t listed_at_ns = 0;
  bool partial = false;   // what stands before `after` was not read
  bool boundary = false;  // a root, or on another file system or mount than its parent
};

// Whether the open directory is on a file system that holds no files but shows what the kernel knows; its name or "".
std::string PseudoFileSystem(int fd);

class TreeWalk {
 public:
  // With `start`, which must be open for reading, there is one root, and that is it, whatever its path leads to.
  explicit TreeWalk(WalkOptions options, FileDescriptor start = {});
  TreeWalk(const TreeWalk&) = delete;
  TreeWalk& operator=(const TreeWalk&) = delete;

  // Nothing at the end, or when told to stop.
  std::optional<WalkEntry> Next();

 private:
  struct Child {
    std::string name;
    bool is_directory = false;
  };

  // One directory on the way from a root to where the walk is.
  struct Level {
    FileDescriptor fd;  // may be closed meanwhile: see kLevelsKeptOpen
    FileId id;
    std::size_t path_bytes = 0;     // how much of path_ names this directory
    std::string_view seek;          // what of `after` is left below this directory; empty: nothing to leave out
    std::vector<Child> children{};  // what is still to be visited, in order, starting with `next`
    std::size_t next = 0;
  };

  bool Stopped() const { return options_.stop != nullptr && options_.stop->load(std::memory_order_relaxed) != 0; }
  std::optional<WalkEntry> EnterNextRoot();
  std::optional<WalkEntry> Enter(FileDescriptor fd, std::string_view seek);
  std::string ReasonToLeaveOut(int fd, const DirectoryFacts& facts) const;
  void Leave();
  int List(Level& level);
  void AddChild(Level& level, const dirent& entry);
  bool IsExcluded(const Level& level, const dirent& entry) const;
  bool Reopen(std::size_t depth);
  WalkEntry Unreadable(int error) const;

  const WalkOptions options_;
  FileDescriptor start_;
  std::vector<Level> levels_;
  std::size_t next_root_ = 0;
  dev_t root_device_ = 0;
  std::string path_;
};

}  // namespace foldlog::indexer

#endif  // FOLDLOG_TOOLS_INDEXER_TREE_WALK_H_
