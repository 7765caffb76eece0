// The pages of an LMDB file, decoded from bytes that may be damaged.
//
// Pure: no I/O and no LMDB. A page that passes here can be walked without reading outside of it. Errors are DataLoss
// and say only what is wrong; the caller adds the file and the page. The layout is that of mdb.c in LMDB 0.9.24 on a
// 64-bit little-endian machine; each type below names the struct it mirrors.

#ifndef FOLDLOG_LOG_STORE_LMDB_PAGE_H_
#define FOLDLOG_LOG_STORE_LMDB_PAGE_H_

#include <bit>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace foldlog::lmdb_file {

static_assert(std::endian::native == std::endian::little, "LMDB files are in host order; only this one is known here");

inline constexpr std::uint32_t kMagic = 0xBEEFC0DE;  // MDB_MAGIC
inline constexpr std::uint32_t kVersion = 1;         // MDB_DATA_VERSION
inline constexpr std::uint64_t kMetaSlots = 2;       // NUM_METAS: pages 0 and 1
inline constexpr std::uint64_t kFirstTreePage = kMetaSlots;
inline constexpr std::uint64_t kNoRoot = ~std::uint64_t{0};  // P_INVALID: the tree is empty
inline constexpr std::uint16_t kDepthMax = 32;               // CURSOR_STACK
inline constexpr std::size_t kKeyBytesMax = 511;             // MDB_MAXKEYSIZE

// LMDB takes the machine's page size, at most MAX_PAGESIZE: mp_upper is 16 bits and must hold the size itself.
inline constexpr std::uint32_t kPageBytesMin = 512;
inline constexpr std::uint32_t kPageBytesMax = 32768;

// mp_flags. The in-memory flags (dirty, loose, keep) never reach a file: mdb_page_flush.
inline constexpr std::uint16_t kBranchPage = 0x01;
inline constexpr std::uint16_t kLeafPage = 0x02;
inline constexpr std::uint16_t kOverflowPage = 0x04;
inline constexpr std::uint16_t kMetaPage = 0x08;

// mn_flags, of leaf nodes.
inline constexpr std::uint16_t kBigData = 0x01;  // the data is the page number of an overflow run
inline constexpr std::uint16_t kSubData = 0x02;  // the data is the Tree of a named database

// md_flags. In the free list's Tree they double as the environment's flags: mdb_env_init_meta0.
inline constexpr std::uint16_t kIntegerKey = 0x08;
inline constexpr std::uint16_t kNoSubdir = 0x4000;

// MDB_db: the root and the statistics of one B+tree.
struct Tree {
  std::uint32_t pad = 0;  // in the free list's Tree: the page size
  std::uint16_t flags = 0;
  std::uint16_t depth = 0;
  std::uint64_t branch_pages = 0;
  std::uint64_t leaf_pages = 0;
  std::uint64_t overflow_pages = 0;
  std::uint64_t entries = 0;
  std::uint64_t root = kNoRoot;
};
static_assert(sizeof(Tree) == 48 && std::is_trivially_copyable_v<Tree>);
static_assert(std::has_unique_object_representations_v<Tree>);

// MDB_page's header, of every page.
struct PageHeader {
  std::uint64_t pgno = 0;
  std::uint16_t pad = 0;
  std::uint16_t flags = 0;
  std::uint16_t lower = 0;  // end of the node pointers; in an overflow page, lower and upper are one 32-bit page count
  std::uint16_t upper = 0;  // start of the nodes

  std::uint64_t overflow_pages() const { return lower | std::uint64_t{upper} << 16; }
};
static_assert(sizeof(PageHeader) == 16 && std::has_unique_object_representations_v<PageHeader>);

// A page header and MDB_meta: one of the two places where a commit becomes visible.
struct Meta {
  PageHeader header;
  std::uint32_t magic = 0;
  std::uint32_t version = 0;
  std::uint64_t address = 0;    // used by MDB_FIXEDMAP alone
  std::uint64_t map_bytes = 0;  // overruled by the size that the opener sets
  Tree free_list;
  Tree main;
  std::uint64_t last_page = 0;
  std::uint64_t txn_id = 0;

  std::uint32_t page_bytes() const { return free_list.pad; }
};
static_assert(sizeof(Meta) == 152 && offsetof(Meta, free_list) == 40 && offsetof(Meta, txn_id) == 144);
static_assert(std::has_unique_object_representations_v<Meta>, "compared byte by byte");

// MDB_node's header: the key follows it, then a leaf's data.
struct NodeHeader {
  std::uint16_t low = 0;
  std::uint16_t high = 0;
  std::uint16_t flags = 0;
  std::uint16_t key_bytes = 0;

  std::uint64_t data_bytes() const { return low | std::uint64_t{high} << 16; }
  std::uint64_t child() const { return data_bytes() | std::uint64_t{flags} << 32; }
};
static_assert(sizeof(NodeHeader) == 8 && std::has_unique_object_representations_v<NodeHeader>);

std::uint64_t LoadU64(absl::string_view bytes);  // the first 8 bytes

bool IsPageSize(std::uint64_t bytes);

// Pages of an overflow run that holds `data_bytes`: OVPAGES.
std::uint64_t OverflowPagesFor(std::uint64_t data_bytes, std::uint64_t page_bytes);

// Checks all of a meta that can be checked without other pages. `map_bytes` bounds the last page.
absl::Status CheckMeta(const Meta& meta, std::uint64_t slot, std::uint64_t map_bytes);

// Checks all of a tree's record that can be checked without its pages, except for its flags.
absl::Status CheckTree(const Tree& tree);

// A node of a page. The views point into the page's bytes.
struct Node {
  absl::string_view key;
  std::uint64_t child = 0;       // of a branch
  std::uint16_t flags = 0;       // of a leaf, as all below
  std::uint64_t data_bytes = 0;  // size of the value, wherever it is
  absl::string_view data;        // the value; with kBigData, the page number of its run
};

// A branch or leaf whose nodes all lie inside it. A view of the page's bytes: valid as long as they are.
class TreePage {
 public:
  // `flags` is what the page must be: kBranchPage or kLeafPage. For LMDB to write to the page (kWriting), its nodes
  // must also tile the space that its header claims for them.
  enum class Use { kReading, kWriting };
  static absl::StatusOr<TreePage> Parse(absl::string_view bytes, std::uint64_t pgno, std::uint16_t flags, Use use);

  bool is_branch() const { return header_.flags == kBranchPage; }
  std::size_t size() const { return (header_.lower - sizeof(PageHeader)) / sizeof(std::uint16_t); }
  Node node(std::size_t index) const;  // index < size()

 private:
  TreePage(absl::string_view bytes, const PageHeader& header) : bytes_(bytes), header_(header) {}

  std::size_t NodeOffset(std::size_t index) const;
  absl::StatusOr<std::size_t> CheckNode(std::size_t index) const;  // returns its size in bytes
  absl::Status CheckNodes() const;
  absl::Status CheckNodesTile() const;

  absl::string_view bytes_;
  PageHeader header_;
};

}  // namespace foldlog::lmdb_file

#endif  // FOLDLOG_LOG_STORE_LMDB_PAGE_H_
