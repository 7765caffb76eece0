// One B+tree of an LMDB file, read page by page with pread. Each page is checked before it is used, so that no read
// leaves it, no key is found where it does not belong, and every walk ends.
//
// A writer may change the file meanwhile: what is found is of one moment only if the caller proves it (see LogFile).

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

// The keys of the main database are names; those of all others are 8-byte integers.
enum class TreeKind { kFreeList, kMain, kTable };

// Keys of a subtree: from <= key < until. The views point into the buffers of the pages above.
struct KeyRange {
  std::optional<absl::string_view> from;
  std::optional<absl::string_view> until;
};

// Whether `a` sorts before `b` in a tree of that kind.
bool KeyLess(TreeKind kind, absl::string_view a, absl::string_view b);

// The keys that belong below node `index` of a branch whose own keys lie in `range`.
KeyRange RangeBelow(const TreePage& branch, std::size_t index, const KeyRange& range);

// Whether the keys of a page are in order, in their range, and of the right size. DataLoss names the one that is not.
absl::Status CheckKeys(TreeKind kind, const TreePage& page, const KeyRange& range);

// The record of a named database with integer keys. DataLoss says what is wrong with it.
absl::StatusOr<Tree> ParseTableRecord(const Node& node);

// A place in a tree: an entry, once it was moved there. Errors are DataLoss that names file, page and tree. Threads:
// one.
class TreeCursor {
 public:
  // `file` must outlive the cursor; `meta` is that of the transaction to read.
  TreeCursor(const File& file, const Meta& meta, TreeKind kind, std::string name, const Tree& tree);

  // Each moves to an entry, and is false if there is none: the last one whose key is at most `key`; the first; the
  // next; the one before.
  absl::StatusOr<bool> SeekFloor(absl::string_view key);
  absl::StatusOr<bool> SeekFloor(std::uint64_t key);
  absl::StatusOr<bool> First();
  absl::StatusOr<bool> Next() { return Step(/*forward=*/true); }
  absl::StatusOr<bool> Previous() { return Step(/*forward=*/false); }

  // The current entry. Valid until the cursor moves.
  Node node() const { return leaf().page->node(leaf().index); }
  std::uint64_t key() const { return LoadU64(node().key); }

  // The words of the entry's value, in `buffer`; valid until it changes.
  absl::StatusOr<std::span<const std::uint64_t>> Value(std::vector<std::uint64_t>& buffer) const;

  // The offset of the value in the file. Only for a value that lies in the tree's own page.
  std::uint64_t value_offset() const;

  // DataLoss about the page of the current entry.
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
