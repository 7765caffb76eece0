// Decoding of LMDB pages: see the header. Every offset is compared with the page before anything is read through it.

#include "engine/log/store/lmdb/page.h"

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"

namespace foldlog::lmdb_file {
namespace {

// By memcpy: the bytes of a page need not be aligned for T.
template <typename T>
T Load(absl::string_view bytes) {
  T value;
  std::memcpy(&value, bytes.data(), sizeof(value));
  return value;
}

// Nodes start at even offsets, as mdb_node_add() places them.
constexpr std::size_t RoundUpToEven(std::size_t bytes) { return (bytes + 1) & ~std::size_t{1}; }

// The largest node kept in a page, so that a branch or leaf has room for two: me_nodemax in mdb_env_open2.
constexpr std::size_t NodeBytesMax(std::size_t page_bytes) {
  return ((page_bytes - sizeof(PageHeader)) / 2 & ~std::size_t{1}) - sizeof(std::uint16_t);
}
static_assert(NodeBytesMax(4096) == 2038);

// The bounds come first: node pointers are read only below `lower`, nodes only above `upper`.
absl::Status CheckHeader(const PageHeader& header, std::size_t page_bytes, std::uint64_t pgno, std::uint16_t flags) {
  if (header.pgno != pgno) return absl::DataLossError(absl::StrCat("says that it is page ", header.pgno));
  if (header.flags != flags) {
    return absl::DataLossError(
        absl::StrCat("has flags 0x", absl::Hex(header.flags), " where 0x", absl::Hex(flags), " belongs"));
  }
  if (header.lower < sizeof(PageHeader) || header.lower % 2 != 0 || header.lower > header.upper ||
      header.upper > page_bytes) {
    return absl::DataLossError(
        absl::StrCat("has impossible bounds: node pointers end at ", header.lower, ", nodes start at ", header.upper));
  }
  return absl::OkStatus();
}

}  // namespace

std::uint64_t LoadU64(absl::string_view bytes) { return Load<std::uint64_t>(bytes); }

bool IsPageSize(std::uint64_t bytes) {
  return std::has_single_bit(bytes) && bytes >= kPageBytesMin && bytes <= kPageBytesMax;
}

// The first page of a run has a page header, the others have none.
std::uint64_t OverflowPagesFor(std::uint64_t data_bytes, std::uint64_t page_bytes) {
  return (sizeof(PageHeader) - 1 + data_bytes) / page_bytes + 1;
}

// LMDB descends `depth` levels from `root` without asking whether the pages agree.
absl::Status CheckTree(const Tree& tree) {
  if (tree.depth > kDepthMax) return absl::DataLossError(absl::StrCat("depth ", tree.depth, " is impossible"));
  if ((tree.root == kNoRoot) != (tree.depth == 0)) {
    return absl::DataLossError(absl::StrCat("root page ", tree.root, " contradicts depth ", tree.depth));
  }
  if (tree.depth == 0 && (tree.branch_pages | tree.leaf_pages | tree.overflow_pages | tree.entries) != 0) {
    return absl::DataLossError("an empty tree counts pages or entries");
  }
  return absl::OkStatus();
}

absl::Status CheckMeta(const Meta& meta, std::uint64_t slot, std::uint64_t map_bytes) {
  if (meta.magic != kMagic) return absl::DataLossError("has no LMDB magic number");
  if (meta.version != kVersion) return absl::DataLossError(absl::StrCat("has format version ", meta.version));
  if (meta.header.flags != kMetaPage || meta.header.pgno != slot) return absl::DataLossError("is not marked as a meta");
  if (!IsPageSize(meta.page_bytes())) {
    return absl::DataLossError(absl::StrCat("has page size ", meta.page_bytes()));
  }
  // A new file has transaction 0 in both; from then on, even transactions commit to meta 0 and odd ones to meta 1.
  if (meta.txn_id != 0 && meta.txn_id % kMetaSlots != slot) {
    return absl::DataLossError(absl::StrCat("holds transaction ", meta.txn_id, ", which belongs to the other"));
  }
  if (meta.last_page < kMetaSlots - 1 || meta.last_page >= map_bytes / meta.page_bytes()) {
    return absl::DataLossError(
        absl::StrCat("claims pages up to ", meta.last_page, ", outside the map of ", map_bytes, " bytes"));
  }
  if ((meta.free_list.flags & ~kNoSubdir) != kIntegerKey || meta.main.flags != 0 || meta.main.pad != 0) {
    return absl::DataLossError("has unknown database flags");
  }
  for (const auto& [name, tree] : {std::pair("free list", &meta.free_list), std::pair("main database", &meta.main)}) {
    if (absl::Status status = CheckTree(*tree); !status.ok()) {
      return absl::DataLossError(absl::StrCat(name, ": ", status.message()));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<TreePage> TreePage::Parse(absl::string_view bytes, std::uint64_t pgno, std::uint16_t flags, Use use) {
  const TreePage page(bytes, Load<PageHeader>(bytes));
  RETURN_IF_ERROR(CheckHeader(page.header_, bytes.size(), pgno, flags));
  // mdb_node_search() reads the second node of any branch, and a cursor the first of any leaf.
  if (page.size() < (page.is_branch() ? 2 : 1)) return absl::DataLossError(absl::StrCat("has ", page.size(), " nodes"));
  RETURN_IF_ERROR(use == Use::kReading ? page.CheckNodes() : page.CheckNodesTile());
  return page;
}

std::size_t TreePage::NodeOffset(std::size_t index) const {
  return Load<std::uint16_t>(bytes_.substr(sizeof(PageHeader) + index * sizeof(std::uint16_t)));
}

// Parse() has checked that the node lies within the page.
Node TreePage::node(std::size_t index) const {
  const absl::string_view bytes = bytes_.substr(NodeOffset(index));
  const auto header = Load<NodeHeader>(bytes);
  Node node;
  node.key = bytes.substr(sizeof(NodeHeader), header.key_bytes);
  if (is_branch()) {
    node.child = header.child();
    return node;
  }
  node.flags = header.flags;
  node.data_bytes = header.data_bytes();
  node.data = bytes.substr(sizeof(NodeHeader) + header.key_bytes,
                           header.flags == kBigData ? sizeof(std::uint64_t) : header.data_bytes());
  return node;
}

// The header of the node is read only once it is known to lie in the page, and its sizes are used only once the node
// is.
absl::StatusOr<std::size_t> TreePage::CheckNode(std::size_t index) const {
  const std::size_t offset = NodeOffset(index);
  if (offset < header_.upper || offset + sizeof(NodeHeader) > bytes_.size()) {
    return absl::DataLossError(absl::StrCat("node ", index, " points outside the page's nodes"));
  }
  const auto header = Load<NodeHeader>(bytes_.substr(offset));
  std::uint64_t node_bytes = sizeof(NodeHeader) + header.key_bytes;
  if (!is_branch()) {
    if (header.flags != 0 && header.flags != kBigData && header.flags != kSubData) {
      return absl::DataLossError(absl::StrCat("node ", index, " has flags 0x", absl::Hex(header.flags)));
    }
    node_bytes += header.flags == kBigData ? sizeof(std::uint64_t) : header.data_bytes();
  }
  if (header.key_bytes > kKeyBytesMax || node_bytes > NodeBytesMax(bytes_.size())) {
    return absl::DataLossError(
        absl::StrCat("node ", index, " has an impossible size: key ", header.key_bytes, ", node ", node_bytes));
  }
  if (offset + node_bytes > bytes_.size()) {
    return absl::DataLossError(absl::StrCat("node ", index, " ends outside the page"));
  }
  return RoundUpToEven(node_bytes);
}

absl::Status TreePage::CheckNodes() const {
  for (std::size_t index = 0; index < size(); ++index) RETURN_IF_ERROR(CheckNode(index).status());
  return absl::OkStatus();
}

// LMDB compacts a page at every change, so its nodes fill the space above `upper` without a gap. If two overlapped,
// LMDB's next deletion would move memory by a wrong size.
absl::Status TreePage::CheckNodesTile() const {
  std::vector<std::pair<std::size_t, std::size_t>> extents;  // offset and size
  extents.reserve(size());
  for (std::size_t index = 0; index < size(); ++index) {
    ASSIGN_OR_RETURN(const std::size_t node_bytes, CheckNode(index));
    extents.emplace_back(NodeOffset(index), node_bytes);
  }
  std::sort(extents.begin(), extents.end());
  std::size_t end = header_.upper;
  for (const auto& [offset, node_bytes] : extents) {
    if (offset != end) return absl::DataLossError(absl::StrCat("nodes overlap or leave a gap at offset ", end));
    end += node_bytes;
  }
  if (end != bytes_.size()) return absl::DataLossError("nodes do not end with the page");
  return absl::OkStatus();
}

}  // namespace foldlog::lmdb_file
