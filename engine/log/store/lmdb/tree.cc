#include "engine/log/store/lmdb/tree.h"

#include <array>
#include <bit>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"

namespace foldlog::lmdb_file {
namespace {

constexpr std::size_t kWordBytes = sizeof(std::uint64_t);

// The last node that can lead to `key`; nothing if all keys are greater.
std::optional<std::size_t> LastAtMost(TreeKind kind, const TreePage& page, absl::string_view key) {
  // The first node of a branch stands for all keys below the second; its own key is never read.
  std::size_t first = page.is_branch() ? 1 : 0;
  std::size_t end = page.size();
  while (first < end) {
    const std::size_t middle = first + (end - first) / 2;
    if (KeyLess(kind, key, page.node(middle).key)) {
      end = middle;
    } else {
      first = middle + 1;
    }
  }
  return first == 0 ? std::nullopt : std::optional(first - 1);
}

}  // namespace

bool KeyLess(TreeKind kind, absl::string_view a, absl::string_view b) {
  return kind == TreeKind::kMain ? a < b : LoadU64(a) < LoadU64(b);
}

KeyRange RangeBelow(const TreePage& branch, std::size_t index, const KeyRange& range) {
  KeyRange child = range;
  if (index > 0) child.from = branch.node(index).key;
  if (index + 1 < branch.size()) child.until = branch.node(index + 1).key;
  return child;
}

// Keys out of order would make LMDB's binary search miss entries without any error.
absl::Status CheckKeys(TreeKind kind, const TreePage& page, const KeyRange& range) {
  const auto damaged = [](std::size_t index, const auto&... what) {
    return absl::DataLossError(absl::StrCat("node ", index, what...));
  };
  std::optional<absl::string_view> previous;
  for (std::size_t index = page.is_branch() ? 1 : 0; index < page.size(); ++index) {
    const absl::string_view key = page.node(index).key;
    if (kind == TreeKind::kMain ? key.empty() : key.size() != kWordBytes) {
      return damaged(index, " has a key of ", key.size(), " bytes");
    }
    if (previous.has_value() && !KeyLess(kind, *previous, key)) return damaged(index, " is out of order");
    if ((range.from.has_value() && KeyLess(kind, key, *range.from)) ||
        (range.until.has_value() && !KeyLess(kind, key, *range.until))) {
      return damaged(index, " does not belong below its branch");
    }
    previous = key;
  }
  return absl::OkStatus();
}

absl::StatusOr<Tree> ParseTableRecord(const Node& node) {
  if (node.flags != kSubData) {
    return absl::DataLossError(absl::StrCat("has flags 0x", absl::Hex(node.flags), ", which do not belong there"));
  }
  if (node.data.size() != sizeof(Tree)) {
    return absl::DataLossError(absl::StrCat("has a record of ", node.data.size(), " bytes"));
  }
  Tree tree;
  std::memcpy(&tree, node.data.data(), sizeof tree);
  if (tree.flags != kIntegerKey || tree.pad != 0) {
    return absl::DataLossError(
        absl::StrCat("has flags 0x", absl::Hex(tree.flags), "; only integer keys are used here"));
  }
  RETURN_IF_ERROR(CheckTree(tree));
  return tree;
}

// The caller has passed `tree` through CheckTree(): it has a root exactly if its depth is not 0, and the depth is
// small.
TreeCursor::TreeCursor(const File& file, const Meta& meta, TreeKind kind, std::string name, const Tree& tree)
    : file_(file),
      kind_(kind),
      name_(std::move(name)),
      page_bytes_(meta.page_bytes()),
      last_page_(meta.last_page),
      root_(tree.root),
      levels_(tree.depth) {}

absl::Status TreeCursor::DamagedPage(std::uint64_t pgno, absl::string_view problem) const {
  return file_.Damaged("page ", pgno, " of ", name_, ": ", problem);
}

absl::Status TreeCursor::Damaged(absl::string_view problem) const { return DamagedPage(leaf().pgno, problem); }

// Reads and checks the page of level `depth`. The number of levels is fixed, so a page that leads back to itself cannot
// make the descent endless; `range` catches a page that belongs elsewhere.
absl::Status TreeCursor::Load(std::size_t depth, std::uint64_t pgno, const KeyRange& range) {
  Level& level = levels_[depth];
  if (pgno < kFirstTreePage || pgno > last_page_) {
    return DamagedPage(pgno, absl::StrCat("lies outside pages ", kFirstTreePage, " to ", last_page_));
  }
  level.bytes.resize(page_bytes_);
  RETURN_IF_ERROR(file_.Read(pgno * page_bytes_, level.bytes));
  const bool is_leaf = depth + 1 == levels_.size();
  const absl::StatusOr<TreePage> page = TreePage::Parse({level.bytes.data(), level.bytes.size()}, pgno,
                                                        is_leaf ? kLeafPage : kBranchPage, TreePage::Use::kReading);
  if (!page.ok()) return DamagedPage(pgno, page.status().message());
  if (const absl::Status keys = CheckKeys(kind_, *page, range); !keys.ok()) return DamagedPage(pgno, keys.message());
  level.page = *page;
  level.pgno = pgno;
  level.range = range;
  return absl::OkStatus();
}

// Reads the page below the current node of the branch at level `depth`.
absl::Status TreeCursor::LoadChild(std::size_t depth) {
  const Level& level = levels_[depth];
  return Load(depth + 1, level.page->node(level.index).child, RangeBelow(*level.page, level.index, level.range));
}

absl::StatusOr<bool> TreeCursor::SeekFloor(absl::string_view key) {
  if (levels_.empty()) return false;
  RETURN_IF_ERROR(Load(0, root_, {}));
  for (std::size_t depth = 0;; ++depth) {
    const std::optional<std::size_t> index = LastAtMost(kind_, *levels_[depth].page, key);
    const bool is_leaf = depth + 1 == levels_.size();
    levels_[depth].index = index.value_or(0);
    // All keys of this leaf may be greater, for its branch's key is only a bound: then the entry is the last of the
    // leaf before.
    if (is_leaf) return index ? absl::StatusOr<bool>(true) : Step(/*forward=*/false);
    RETURN_IF_ERROR(LoadChild(depth));
  }
}

absl::StatusOr<bool> TreeCursor::SeekFloor(std::uint64_t key) {
  return SeekFloor(absl::string_view(reinterpret_cast<const char*>(&key), sizeof key));
}

absl::StatusOr<bool> TreeCursor::First() {
  if (levels_.empty()) return false;
  RETURN_IF_ERROR(Load(0, root_, {}));
  for (std::size_t depth = 0;; ++depth) {
    levels_[depth].index = 0;
    if (depth + 1 == levels_.size()) return true;
    RETURN_IF_ERROR(LoadChild(depth));
  }
}

// Moves to the neighbouring entry: up to the first level that has a neighbour, and down again on its near side.
absl::StatusOr<bool> TreeCursor::Step(bool forward) {
  std::size_t depth = levels_.size();
  const auto is_last = [&](const Level& level) {
    return forward ? level.index + 1 == level.page->size() : level.index == 0;
  };
  while (depth > 0 && is_last(levels_[depth - 1])) --depth;
  if (depth == 0) return false;
  Level& turn = levels_[depth - 1];
  turn.index = forward ? turn.index + 1 : turn.index - 1;
  for (; depth < levels_.size(); ++depth) {
    RETURN_IF_ERROR(LoadChild(depth - 1));
    levels_[depth].index = forward ? 0 : levels_[depth].page->size() - 1;
  }
  return true;
}

// Copied, not viewed: the page's bytes need not be aligned for words.
absl::StatusOr<std::span<const std::uint64_t>> TreeCursor::Value(std::vector<std::uint64_t>& buffer) const {
  const Node entry = node();
  if (entry.flags == kSubData) return Damaged(absl::StrCat("entry ", key(), " is a table where a value belongs"));
  if (entry.data_bytes % kWordBytes != 0) {
    return Damaged(absl::StrCat("entry ", key(), " has ", entry.data_bytes, " bytes, not a multiple of 8"));
  }
  if (entry.flags == kBigData) return ReadRun(entry, buffer);
  buffer.resize(entry.data_bytes / kWordBytes);
  if (!buffer.empty()) std::memcpy(buffer.data(), entry.data.data(), entry.data_bytes);
  return std::span<const std::uint64_t>(buffer);
}

std::uint64_t TreeCursor::value_offset() const {
  return leaf().pgno * page_bytes_ + static_cast<std::uint64_t>(node().data.data() - leaf().bytes.data());
}

// A value with pages of its own, read together with their header. The file's size bounds the memory: a run that would
// lie beyond its end is refused before the buffer grows.
absl::StatusOr<std::span<const std::uint64_t>> TreeCursor::ReadRun(const Node& node,
                                                                   std::vector<std::uint64_t>& buffer) const {
  const std::uint64_t first = LoadU64(node.data);
  const std::uint64_t pages = OverflowPagesFor(node.data_bytes, page_bytes_);
  if (first < kFirstTreePage || first > last_page_ || pages > last_page_ - first + 1) {
    return DamagedPage(first, absl::StrCat("a run of ", pages, " pages lies outside pages 2 to ", last_page_));
  }
  if ((first + pages) * page_bytes_ > file_.bytes()) {
    return DamagedPage(first, absl::StrCat("a run of ", pages, " pages lies beyond the end of the file"));
  }
  constexpr std::size_t kHeaderWords = sizeof(PageHeader) / kWordBytes;
  buffer.resize(kHeaderWords + node.data_bytes / kWordBytes);
  RETURN_IF_ERROR(
      file_.Read(first * page_bytes_, {reinterpret_cast<char*>(buffer.data()), sizeof(PageHeader) + node.data_bytes}));
  const auto header = std::bit_cast<PageHeader>(std::array{buffer[0], buffer[1]});
  if (header.pgno != first || header.flags != kOverflowPage || header.overflow_pages() < pages) {
    return DamagedPage(first, absl::StrCat("is page ", header.pgno, " with flags 0x", absl::Hex(header.flags), " of ",
                                           header.overflow_pages(), " pages by its own header"));
  }
  return std::span<const std::uint64_t>(buffer).subspan(kHeaderWords);
}

}  // namespace foldlog::lmdb_file
