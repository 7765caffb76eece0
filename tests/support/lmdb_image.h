// An LMDB file in memory, with the way to its parts, to inflict damage on it.

#ifndef FOLDLOG_TESTS_SUPPORT_LMDB_IMAGE_H_
#define FOLDLOG_TESTS_SUPPORT_LMDB_IMAGE_H_

#include "tests/support/lmdb_check_support.h"

namespace foldlog {

// A file in memory, with the way to its parts. All places are offsets in the file.
class Image {
 public:
  explicit Image(std::string content) : bytes(std::move(content)) {}

  template <typename T>
  T Get(u64 offset) const {
    T value;
    std::memcpy(&value, bytes.data() + offset, sizeof(value));
    return value;
  }

  template <typename T>
  void Set(u64 offset, T value) {
    std::memcpy(bytes.data() + offset, &value, sizeof(value));
  }

  // Metas, and the records of trees.
  u64 Newest() const { return TxnId(0) > TxnId(kPageBytes) ? 0 : kPageBytes; }
  u64 Older() const { return kPageBytes - Newest(); }
  u64 FreeList() const { return Newest() + offsetof(lmdb_file::Meta, free_list); }
  u64 Main() const { return Newest() + offsetof(lmdb_file::Meta, main); }
  u64 Table(std::string_view name) const {
    for (std::size_t index = 0;; ++index) {
      const u64 key = Key(Node(Root(Main()), index));
      if (bytes.compare(key, name.size(), name) == 0) return key + name.size();
    }
  }
  u64 Events() const { return Table("events"); }
  u64 TxnId(u64 meta) const { return Get<lmdb_file::Meta>(meta).txn_id; }
  u64 LastPage() const { return Get<lmdb_file::Meta>(Newest()).last_page; }

  // Pages: a tree's root; the top of the events, the first leaves below it; the run of a value; and their nodes.
  u64 Root(u64 tree) const { return Get<lmdb_file::Tree>(tree).root * kPageBytes; }
  u64 Child(u64 page, std::size_t index) const {
    return Get<lmdb_file::NodeHeader>(Node(page, index)).child() * kPageBytes;
  }
  u64 Branch() const { return Root(Events()); }
  u64 Leaf() const { return Child(Child(Branch(), 0), 0); }
  u64 Run() const { return Get<u64>(RunNumber()) * kPageBytes; }
  u64 Node(u64 page, std::size_t index) const { return page + Get<u16>(page + kPointers + 2 * index); }
  u64 BranchNode() const { return Node(Branch(), 0); }
  u64 LeafNode() const { return Node(Leaf(), 0); }
  u64 SecondLeafNode() const { return Node(Child(Child(Branch(), 0), 1), 0); }
  u64 RunNumber() const { return Data(Node(Root(Table("snapshots")), 0)); }
  u64 FreeRecord(std::size_t index) const { return Node(Root(FreeList()), index); }
  u64 FirstFreeKey() const { return Key(FreeRecord(0)); }
  u64 LastFreeKey() const { return Key(FreeRecord(Get<lmdb_file::Tree>(FreeList()).entries - 1)); }
  u64 FreeCount() const { return Data(FreeRecord(0)); }
  u64 FreePage() const { return Data(FreeRecord(0)) + 8; }  // the first and greatest
  static u64 Key(u64 node) { return node + sizeof(lmdb_file::NodeHeader); }
  static u64 Data(u64 node) { return Key(node) + sizeof(u64); }

  static constexpr u64 kPointers = sizeof(lmdb_file::PageHeader);

  std::string bytes;
};

inline constexpr u64 kFlags = offsetof(lmdb_file::PageHeader, flags);
inline constexpr u64 kLower = offsetof(lmdb_file::PageHeader, lower);
inline constexpr u64 kUpper = offsetof(lmdb_file::PageHeader, upper);
inline constexpr u64 kPageSize = offsetof(lmdb_file::Meta, free_list);
inline constexpr u64 kMagic = offsetof(lmdb_file::Meta, magic);
inline constexpr u64 kVersion = offsetof(lmdb_file::Meta, version);
inline constexpr u64 kLastPage = offsetof(lmdb_file::Meta, last_page);
inline constexpr u64 kTxnId = offsetof(lmdb_file::Meta, txn_id);
inline constexpr u64 kTreeFlags = offsetof(lmdb_file::Tree, flags);
inline constexpr u64 kDepth = offsetof(lmdb_file::Tree, depth);
inline constexpr u64 kBranchPages = offsetof(lmdb_file::Tree, branch_pages);
inline constexpr u64 kLeafPages = offsetof(lmdb_file::Tree, leaf_pages);
inline constexpr u64 kOverflowPages = offsetof(lmdb_file::Tree, overflow_pages);
inline constexpr u64 kEntries = offsetof(lmdb_file::Tree, entries);
inline constexpr u64 kRoot = offsetof(lmdb_file::Tree, root);
inline constexpr u64 kNodeHigh = offsetof(lmdb_file::NodeHeader, high);
inline constexpr u64 kNodeFlags = offsetof(lmdb_file::NodeHeader, flags);
inline constexpr u64 kKeyBytes = offsetof(lmdb_file::NodeHeader, key_bytes);
inline constexpr u64 kFirstPointer = Image::kPointers;

}  // namespace foldlog

#endif  // FOLDLOG_TESTS_SUPPORT_LMDB_IMAGE_H_
