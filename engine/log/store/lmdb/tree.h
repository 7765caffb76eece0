// One B+tree of an LMDB file, read page by page with pread. Each page is checked before it is used, so that nothing can
// be read from outside of it, no key is found where it does not belong, and no walk goes on for ever.
//
// The file may be written to meanwhile: what is found is of one moment only if the caller proves it (see LogFile).

#ifndef FOLDLOG_LOG_STORE_LMDB_TREE_H_
#define FOLDLOG_LOG_STORE_LMDB_TREE_H_

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "engine/log/store/lmdb/file.h"
#include "engine/log/store/lmdb/page.h"

namespace foldlog::lmdb_file {

// The main database has names for keys, all others 8-byte integers.
enum class TreeKind { kFreeList, kMain, kTable };

// Keys of a subtree: from <= key < until. The views point into the buffers of the pages above.
struct KeyRange {
  std::optional<absl::string_view> from;
  std::optional<absl::string_view> until;
};

bool KeyLess(TreeKind kind, absl::string_view a, absl::string_view b);

// The keys that belong below node `index` of a branch whose own are `range`.
KeyRange RangeBelow(const TreePage& branch, std::size_t index, const KeyRange& range);

// Whether the keys of a page are in order, in their range, and of the right size. DataLoss says which is not.
absl::Status CheckKeys(TreeKind kind, const TreePage& page, const KeyRange& range);

// The record of a named database that has integer keys. DataLoss says what is wrong with it.
absl::StatusOr<Tree> ParseTableRecord(const Node& node);

// A place in a tree: an entry, once it was moved there. Errors are DataLoss that names file, page and tree.
class TreeCursor {
 public:
  // `file` must outlive it; `meta` is of the moment that is to be seen.
  TreeCursor(const File& file, const Meta& meta, TreeKind kind, std::string name, const Tree& tree);

  // Each is false if there is no such entry: the last one whose key is at most `key`; the first; the next.
  absl::StatusOr<bool> SeekFloor(absl::string_view key);
  absl::StatusOr<bool> SeekFloor(std::uint64_t key);
  absl::StatusOr<bool> First();
  absl::StatusOr<bool> Next() { return Step(/*forward=*/true); }

  // Of the entry. Valid until it is moved.
  Node node() const { return leaf().page->node(leaf().index); }
  std::uint64_t key() const { return LoadU64(node().key); }

  // The words of its value, in `buffer` or in this; valid as long as neither is changed.
  absl::StatusOr<std::span<const std::uint64_t>> Value(std::vector<std::uint64_t>& buffer) const;

  // Where in the file the value is, if it is in the tree's page.
  std::uint64_t value_offset() const;

  // DataLoss about the page that the entry is in.
  absl::Status Damaged(absl::string_view problem) const;

 private:
  struct Level {
    std::vector<char> bytes = {};
    std::optional<TreePage> page = {};
    std::uint64_t pgno = 0;
    std::size_t index = 0;
    KeyRange range = {};
  };

  const Level& leaf() const { return levels_.back(); }
  absl::Status DamagedPage(std::uint64_t pgno, absl::string_view problem) const;
  absl::Status Load(std::size_t depth, std::uint64_t pgno, const KeyRange& range);
  absl::Status LoadChild(std::size_t depth);
  absl::StatusOr<bool> Step(bool forward);
  absl::StatusOr<std::span<const std::uint64_t>> ReadRun(const Node& node, std::vector<std::uint64_t>& buffer) const;

  const File& file_;
  const TreeKind kind_;
  const std::string name_;
  const std::uint64_t page_bytes_;
  const std::uint64_t last_page_;
  const std::uint64_t root_;
  std::vector<Level> levels_;  // the root first; none in an empty tree
};

}  // namespace foldlog::lmdb_file

#endif  // FOLDLOG_LOG_STORE_LMDB_TREE_H_
