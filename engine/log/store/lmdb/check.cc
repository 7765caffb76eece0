// The check of an LMDB file: metas first, then every page that a snapshot reaches. It never writes, maps or calls LMDB,
// and no byte that it reads decides how much it allocates, how deep it recurses or how long it runs: the file's size
// does.

#include "engine/log/store/lmdb/check.h"

#include <algorithm>
#include <array>
#include <functional>
#include <optional>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "engine/base/status_macros.h"
#include "engine/base/text.h"
#include "engine/log/store/lmdb/file.h"
#include "engine/log/store/lmdb/tree.h"

namespace foldlog::lmdb_file {
namespace {

// Enough to read a long free list in few calls.
constexpr std::size_t kFreeListChunkBytes = 64 * 1024;

// A tree on the walk: what its record says, and what the walk finds.
struct WalkedTree {
  TreeKind kind;
  std::string name;          // for messages
  Tree recorded;             // what the file says of the tree
  Tree found = {};           // what it holds: only the counts are used
  bool append_only = false;  // runs of overflow pages are not read
  std::string table = {};    // its name in the file; none of the main database
  bool damaged = false;      // parts of it were passed over
};

// A page, for messages.
struct PageAt {
  const WalkedTree* tree;
  std::uint64_t pgno;
  absl::string_view role;
  const char* bytes = nullptr;  // of the page, once it was read
};

// The free pages of one record, which AddFreePages() gets in several pieces. LMDB lists them in falling order.
struct FreeRecord {
  std::uint64_t words = 0;  // that the record has room for
  std::uint64_t words_read = 0;
  std::uint64_t count = 0;  // of page numbers; a reserved record may be longer, and its rest is never read
  std::uint64_t previous = kNoRoot;
};

// Walks every page that the newest transaction reaches. Threads: one. Invariant: used_ and free_ are disjoint, and each
// page has one use.
class TransactionWalk {
 public:
  // With a visitor, damage is told and passed over; without one, the first ends the walk.
  TransactionWalk(const File& file, const Meta& meta, const LmdbTraits& traits, LmdbDepth depth = LmdbDepth::kAll,
                  LmdbVisitor* visitor = nullptr)
      : file_(file), meta_(meta), page_bytes_(meta.page_bytes()), traits_(traits), depth_(depth), visitor_(visitor) {}

  absl::StatusOr<LmdbFileSummary> Run();

 private:
  using Table = std::pair<std::string, absl::StatusOr<Tree>>;

  template <typename... Parts>
  absl::Status Damaged(const PageAt& place, const Parts&... parts) const {
    return file_.Damaged("page ", place.pgno, " (", place.role, " of ", place.tree->name, "): ", parts...);
  }

  bool IsCache(std::string_view table) const {
    return std::find(traits_.caches.begin(), traits_.caches.end(), table) != traits_.caches.end();
  }

  absl::Status PrepareBitmaps();
  absl::Status PassOver(WalkedTree& tree, std::optional<std::uint64_t> page, const KeyRange& range,
                        const absl::Status& status) const;
  absl::Status WalkTree(WalkedTree walk);
  absl::Status WalkTable(const Table& table);
  absl::Status CheckCounts(const WalkedTree& tree) const;
  absl::Status Claim(const PageAt& place, std::uint64_t count);
  absl::Status VisitPage(WalkedTree& tree, std::uint64_t pgno, std::uint16_t depth, const KeyRange& range);
  absl::Status VisitBranch(WalkedTree& tree, const TreePage& page, std::uint16_t depth, const KeyRange& range);
  absl::Status VisitLeaf(WalkedTree& tree, const PageAt& place, const TreePage& page);
  absl::Status VisitEntry(WalkedTree& tree, const PageAt& place, std::size_t index, const Node& node);
  absl::Status VisitOverflow(WalkedTree& tree, const Node& node);
  absl::Status VisitTableRecord(const PageAt& place, const Node& node);
  absl::Status VisitFreeRecord(const PageAt& place, const Node& node);
  absl::Status AddFreePages(const PageAt& place, FreeRecord& record, absl::string_view bytes);

  const File& file_;
  const Meta& meta_;
  const std::uint64_t page_bytes_;
  const LmdbTraits& traits_;
  const LmdbDepth depth_;
  LmdbVisitor* const visitor_;
  std::vector<bool> used_;                            // pages that a tree reaches; all of them must be in the file
  std::vector<bool> free_;                            // pages on the free list; some may never have been written
  std::array<std::vector<char>, kDepthMax> buffers_;  // one page a level, so that keys above stay in place
  std::vector<Table> tables_;
};

// Trees that the log needs come first, then the caches, the free list last: if two of them claim a page, the blame
// falls on the one that can be made anew.
absl::StatusOr<LmdbFileSummary> TransactionWalk::Run() {
  RETURN_IF_ERROR(PrepareBitmaps());
  RETURN_IF_ERROR(WalkTree({TreeKind::kMain, "the main database", meta_.main}));
  LmdbFileSummary summary{.txn_id = meta_.txn_id, .page_bytes = page_bytes_, .last_page = meta_.last_page};
  const auto is_cache = [&](const Table& table) { return IsCache(table.first); };
  std::stable_partition(tables_.begin(), tables_.end(), std::not_fn(is_cache));
  for (const Table& table : tables_) {
    // A damaged cache is emptied later, so its pages count as unused again.
    const std::vector<bool> used_before = used_;
    const absl::Status sound = WalkTable(table);
    if (!sound.ok() && !is_cache(table)) return sound;
    if (!sound.ok()) {
      summary.damaged_caches.push_back({table.first, sound});
      used_ = used_before;
    }
    summary.tables.push_back({table.first, sound.ok() && table.second.ok() ? table.second->entries : 0});
  }
  summary.free_list = WalkTree(
      {.kind = TreeKind::kFreeList, .name = "the free list", .recorded = meta_.free_list, .table = kLmdbFreeList});
  return summary;
}

absl::Status TransactionWalk::WalkTable(const Table& table) {
  const auto& [name, tree] = table;
  WalkedTree walk{.kind = TreeKind::kTable,
                  .name = absl::StrCat("table ", absl::CHexEscape(name)),
                  .recorded = tree.value_or(Tree{}),
                  .append_only = name == traits_.append_only,
                  .table = name};
  if (!tree.ok()) return PassOver(walk, std::nullopt, {}, tree.status());
  if (visitor_ != nullptr) visitor_->OnTable(name, *tree);
  return WalkTree(std::move(walk));
}

// What a visitor is told of, the walk goes on behind.
absl::Status TransactionWalk::PassOver(WalkedTree& tree, std::optional<std::uint64_t> page, const KeyRange& range,
                                       const absl::Status& status) const {
  if (visitor_ == nullptr || !absl::IsDataLoss(status)) return status;
  tree.damaged = true;
  LmdbDamage damage{.table = tree.table, .page = page, .problem = WithoutDamageAdvice(status)};
  if (tree.kind == TreeKind::kTable) {
    if (range.from) damage.key_from = LoadU64(*range.from);
    if (range.until) damage.key_until = LoadU64(*range.until);
  }
  visitor_->OnDamage(std::move(damage));
  return absl::OkStatus();
}

// The file may end before last_page, for LMDB never writes a page that was allocated and freed within one transaction.
// But each such page is on the free list, where it takes 8 bytes of the file. That bounds the bitmaps.
absl::Status TransactionWalk::PrepareBitmaps() {
  const std::uint64_t pages_in_file = file_.bytes() / page_bytes_;
  if (meta_.last_page >= pages_in_file + file_.bytes() / sizeof(std::uint64_t)) {
    return file_.Damaged("transaction ", meta_.txn_id, " claims pages up to ", meta_.last_page, ", but the file has ",
                         pages_in_file);
  }
  used_.resize(std::min(pages_in_file, meta_.last_page + 1));
  free_.resize(meta_.last_page + 1);
  return absl::OkStatus();
}

absl::Status TransactionWalk::WalkTree(WalkedTree walk) {
  const std::uint64_t root = walk.recorded.root;
  if (root != kNoRoot) RETURN_IF_ERROR(PassOver(walk, root, {}, VisitPage(walk, root, 1, {})));
  // What was passed over was not counted.
  return walk.damaged ? absl::OkStatus() : PassOver(walk, std::nullopt, {}, CheckCounts(walk));
}

// LMDB counts the pages and entries of each tree. A difference shows a page that is of another transaction, although it
// is sound in itself.
absl::Status TransactionWalk::CheckCounts(const WalkedTree& tree) const {
  const auto compare = [&](absl::string_view what, std::uint64_t found, std::uint64_t recorded) {
    if (found == recorded) return absl::OkStatus();
    return file_.Damaged(tree.name, " has ", found, " ", what, ", but its record says ", recorded);
  };
  RETURN_IF_ERROR(compare("branch pages", tree.found.branch_pages, tree.recorded.branch_pages));
  RETURN_IF_ERROR(compare("leaf pages", tree.found.leaf_pages, tree.recorded.leaf_pages));
  if (depth_ == LmdbDepth::kBranches) return absl::OkStatus();
  if (!tree.append_only) {
    RETURN_IF_ERROR(compare("overflow pages", tree.found.overflow_pages, tree.recorded.overflow_pages));
  }
  return compare("entries", tree.found.entries, tree.recorded.entries);
}

// Marks `count` pages from place.pgno on as used by one tree. LMDB would overwrite a page that has two uses.
absl::Status TransactionWalk::Claim(const PageAt& place, std::uint64_t count) {
  if (place.pgno < kFirstTreePage || place.pgno > meta_.last_page || count > meta_.last_page - place.pgno + 1) {
    return Damaged(place, "lies outside pages ", kFirstTreePage, " to ", meta_.last_page);
  }
  if (place.pgno + count > used_.size()) return Damaged(place, "lies beyond the end of the file");
  for (std::uint64_t pgno = place.pgno; pgno < place.pgno + count; ++pgno) {
    if (used_[pgno]) return Damaged(place, "uses page ", pgno, ", which is in use elsewhere");
    if (free_[pgno]) return Damaged(place, "uses page ", pgno, ", which is on the free list");
    used_[pgno] = true;
  }
  return absl::OkStatus();
}

// The recursion is bounded by kDepthMax, which CheckTree() enforces. Each level has a buffer of its own, so the keys in
// `range` stay valid.
absl::Status TransactionWalk::VisitPage(WalkedTree& tree, std::uint64_t pgno, std::uint16_t depth,
                                        const KeyRange& range) {
  const bool leaf = depth == tree.recorded.depth;
  PageAt place = {&tree, pgno, leaf ? "leaf" : "branch"};
  RETURN_IF_ERROR(Claim(place, 1));
  if (leaf && depth_ == LmdbDepth::kBranches && tree.kind != TreeKind::kMain) {
    ++tree.found.leaf_pages;
    return absl::OkStatus();
  }
  std::vector<char>& buffer = buffers_[depth - 1];
  buffer.resize(page_bytes_);
  place.bytes = buffer.data();
  RETURN_IF_ERROR(file_.Read(pgno * page_bytes_, buffer));
  const absl::StatusOr<TreePage> page =
      TreePage::Parse({buffer.data(), buffer.size()}, pgno, leaf ? kLeafPage : kBranchPage, TreePage::Use::kWriting);
  if (!page.ok()) return Damaged(place, page.status().message());
  if (const absl::Status keys = CheckKeys(tree.kind, *page, range); !keys.ok()) return Damaged(place, keys.message());
  ++(leaf ? tree.found.leaf_pages : tree.found.branch_pages);
  return leaf ? VisitLeaf(tree, place, *page) : VisitBranch(tree, *page, depth, range);
}

absl::Status TransactionWalk::VisitBranch(WalkedTree& tree, const TreePage& page, std::uint16_t depth,
                                          const KeyRange& range) {
  for (std::size_t index = 0; index < page.size(); ++index) {
    const std::uint64_t child = page.node(index).child;
    const KeyRange below = RangeBelow(page, index, range);
    RETURN_IF_ERROR(PassOver(tree, child, below, VisitPage(tree, child, static_cast<std::uint16_t>(depth + 1), below)));
  }
  return absl::OkStatus();
}

absl::Status TransactionWalk::VisitLeaf(WalkedTree& tree, const PageAt& place, const TreePage& page) {
  tree.found.entries += page.size();
  for (std::size_t index = 0; index < page.size(); ++index) {
    const Node node = page.node(index);
    const absl::Status visited = VisitEntry(tree, place, index, node);
    if (visited.ok()) continue;
    KeyRange range{.from = node.key, .until = {}};
    const std::uint64_t behind = tree.kind == TreeKind::kMain ? 0 : LoadU64(node.key) + 1;
    range.until = absl::string_view(reinterpret_cast<const char*>(&behind), sizeof behind);
    RETURN_IF_ERROR(PassOver(tree, place.pgno, range, visited));
  }
  return absl::OkStatus();
}

// Values of a log's tables are whole words; VisitFreeRecord() checks those of the free list.
absl::Status TransactionWalk::VisitEntry(WalkedTree& tree, const PageAt& place, std::size_t index, const Node& node) {
  if (tree.kind == TreeKind::kMain) return VisitTableRecord(place, node);
  if (node.flags == kSubData) {
    return Damaged(place, "node ", index, " has flags 0x", absl::Hex(node.flags), ", which do not belong there");
  }
  if (node.flags == kBigData) RETURN_IF_ERROR(VisitOverflow(tree, node));
  if (tree.kind == TreeKind::kFreeList) return VisitFreeRecord(place, node);
  if (node.data_bytes % sizeof(std::uint64_t) != 0) {
    return Damaged(place, "node ", index, " has a value of ", node.data_bytes, " bytes, not a multiple of 8");
  }
  if (visitor_ == nullptr) return absl::OkStatus();
  LmdbEntry entry{.key = LoadU64(node.key), .page = place.pgno, .bytes = node.data_bytes};
  entry.in_run = node.flags == kBigData;
  if (entry.in_run) entry.page = LoadU64(node.data);
  const auto in_page = static_cast<std::uint64_t>(node.data.data() - place.bytes);
  entry.offset = entry.page * page_bytes_ + (entry.in_run ? sizeof(PageHeader) : in_page);
  visitor_->OnEntry(tree.table, entry);
  return absl::OkStatus();
}

// A run may be longer than its value needs, for LMDB keeps the run when a value shrinks within the transaction that
// wrote it. The headers of an append-only table's runs are not read: LMDB never looks at them, and they are most of the
// file.
absl::Status TransactionWalk::VisitOverflow(WalkedTree& tree, const Node& node) {
  const PageAt place = {&tree, LoadU64(node.data), "overflow run"};
  const std::uint64_t needed = OverflowPagesFor(node.data_bytes, page_bytes_);
  if (tree.append_only) return Claim(place, needed);
  RETURN_IF_ERROR(Claim(place, 1));
  ASSIGN_OR_RETURN(const PageHeader header, file_.ReadStruct<PageHeader>(place.pgno * page_bytes_));
  if (header.pgno != place.pgno || header.flags != kOverflowPage) {
    return Damaged(place, "is page ", header.pgno, " with flags 0x", absl::Hex(header.flags), " by its own header");
  }
  if (header.overflow_pages() < needed) {
    return Damaged(place, "has ", header.overflow_pages(), " pages for a value of ", node.data_bytes, " bytes");
  }
  tree.found.overflow_pages += header.overflow_pages();
  if (header.overflow_pages() == 1) return absl::OkStatus();
  return Claim({&tree, place.pgno + 1, place.role}, header.overflow_pages() - 1);
}

absl::Status TransactionWalk::VisitTableRecord(const PageAt& place, const Node& node) {
  const std::string name = absl::CHexEscape(node.key);
  // LMDB takes names as C strings: it could never open this one, and its rows would be hidden.
  if (node.key.find('\0') != absl::string_view::npos) return Damaged(place, "table name ", name, " holds a zero byte");
  absl::StatusOr<Tree> tree = ParseTableRecord(node);
  if (!tree.ok()) tree = Damaged(place, "table ", name, " ", tree.status().message());
  const bool told_later = visitor_ != nullptr || IsCache({node.key.data(), node.key.size()});
  if (!tree.ok() && !told_later) return tree.status();
  // Walked later: the pages of the table would displace this page in buffers_.
  tables_.emplace_back(node.key, std::move(tree));
  return absl::OkStatus();
}

absl::Status TransactionWalk::VisitFreeRecord(const PageAt& place, const Node& node) {
  const std::uint64_t txn_id = LoadU64(node.key);
  if (txn_id == 0 || txn_id > meta_.txn_id) {
    return Damaged(place, "transaction ", txn_id, " cannot have freed pages in transaction ", meta_.txn_id);
  }
  if (node.data_bytes == 0 || node.data_bytes % sizeof(std::uint64_t) != 0) {
    return Damaged(place, "the record of transaction ", txn_id, " has ", node.data_bytes, " bytes");
  }
  FreeRecord record = {.words = node.data_bytes / sizeof(std::uint64_t)};
  if (node.flags != kBigData) return AddFreePages(place, record, node.data);
  // A long list is read in pieces, so that its recorded size does not decide how much memory is allocated.
  std::vector<char> chunk;
  std::uint64_t offset = LoadU64(node.data) * page_bytes_ + sizeof(PageHeader);
  for (std::uint64_t left = node.data_bytes; left > 0; left -= chunk.size(), offset += chunk.size()) {
    chunk.resize(std::min<std::uint64_t>(left, kFreeListChunkBytes));
    RETURN_IF_ERROR(file_.Read(offset, chunk));
    RETURN_IF_ERROR(AddFreePages(place, record, {chunk.data(), chunk.size()}));
  }
  return absl::OkStatus();
}

// The first word of a record counts the others. LMDB takes pages from the list without looking, so each must exist, be
// in order, and be unused.
absl::Status TransactionWalk::AddFreePages(const PageAt& place, FreeRecord& record, absl::string_view bytes) {
  for (; !bytes.empty(); bytes.remove_prefix(sizeof(std::uint64_t)), ++record.words_read) {
    const std::uint64_t word = LoadU64(bytes);
    if (record.words_read == 0) {
      record.count = word;
      if (word >= record.words) return Damaged(place, "lists ", word, " free pages in ", record.words, " words");
      continue;
    }
    if (record.words_read > record.count) break;
    if (word < kFirstTreePage || word > meta_.last_page) return Damaged(place, "lists page ", word, " as free");
    if (word >= record.previous) return Damaged(place, "lists free page ", word, " out of order");
    if (free_[word]) return Damaged(place, "lists page ", word, " as free a second time");
    if (word < used_.size() && used_[word]) return Damaged(place, "lists page ", word, " as free, but it is in use");
    free_[word] = true;
    record.previous = word;
  }
  return absl::OkStatus();
}

}  // namespace
}  // namespace foldlog::lmdb_file

namespace foldlog {

absl::Status SurveyLmdbFile(const lmdb_file::File& file, const lmdb_file::Meta& meta, const LmdbTraits& traits,
                            LmdbDepth depth, LmdbVisitor& visitor) {
  return lmdb_file::TransactionWalk(file, meta, traits, depth, &visitor).Run().status();
}

absl::StatusOr<LmdbFileSummary> CheckLmdbFile(int fd, const std::string& path, std::uint64_t map_bytes,
                                              const LmdbTraits& traits) {
  ASSIGN_OR_RETURN(const lmdb_file::File file, lmdb_file::File::Open(fd, path));
  ASSIGN_OR_RETURN(const lmdb_file::Metas metas, lmdb_file::ReadSoundMetas(file, map_bytes));
  ASSIGN_OR_RETURN(const std::uint64_t slot, lmdb_file::NewestSlot(file, metas));
  return lmdb_file::TransactionWalk(file, metas[slot].meta, traits).Run();
}

}  // namespace foldlog
