// The check of an LMDB file: metas first, then every page that a snapshot reaches. It never writes, maps or calls LMDB,
// and no byte that it reads decides how much it allocates, how deep it recurses or how long it runs: the file's size
// does.

#include "engine/log/lmdb_check.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <optional>
#include <span>
#include <thread>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "engine/log/lmdb_page.h"
#include "engine/status_macros.h"

namespace foldlog::lmdb_file {
namespace {

// A reader may see a meta while a commit is writing its 120 bytes. What still fails after this many reads is damage.
constexpr int kMetaReads = 4;
constexpr std::chrono::milliseconds kMetaRereadDelay{2};

// Of x86-64, where nothing in the file says otherwise.
constexpr std::uint64_t kUsualPageBytes = 4096;

// Enough to read a long free list in few calls.
constexpr std::size_t kFreeListChunkBytes = 64 * 1024;

class File {
 public:
  static absl::StatusOr<File> Open(int fd, const std::string& path) {
    File file(fd, path);
    struct stat info = {};
    if (fstat(fd, &info) != 0) return file.SystemError(errno, "fstat failed");
    if (!S_ISREG(info.st_mode)) return absl::FailedPreconditionError(absl::StrCat(path, ": not a regular file"));
    file.bytes_ = static_cast<std::uint64_t>(info.st_size);
    return file;
  }

  std::uint64_t bytes() const { return bytes_; }

  template <typename... Parts>
  absl::Status Damaged(const Parts&... parts) const {
    return absl::DataLossError(absl::StrCat(*path_, ": ", parts...));
  }

  absl::Status Error(absl::StatusCode code, absl::string_view problem) const {
    return absl::Status(code, absl::StrCat(*path_, ": ", problem));
  }

  absl::Status Read(std::uint64_t offset, std::span<char> into) const {
    while (!into.empty()) {
      const ssize_t got = pread(fd_, into.data(), into.size(), static_cast<off_t>(offset));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return SystemError(errno, absl::StrCat("read at offset ", offset, " failed"));
      if (got == 0) return Damaged("the file ends at offset ", offset, ", inside a page that is in use");
      offset += static_cast<std::uint64_t>(got);
      into = into.subspan(static_cast<std::size_t>(got));
    }
    return absl::OkStatus();
  }

  template <typename T>
  absl::StatusOr<T> ReadStruct(std::uint64_t offset) const {
    std::array<char, sizeof(T)> bytes = {};
    RETURN_IF_ERROR(Read(offset, bytes));
    return std::bit_cast<T>(bytes);
  }

 private:
  File(int fd, const std::string& path) : fd_(fd), path_(&path) {}

  // A medium that cannot be read is damage; any other refusal may pass.
  absl::Status SystemError(int error, absl::string_view what) const {
    const absl::StatusCode code = error == EIO ? absl::StatusCode::kDataLoss : absl::StatusCode::kUnavailable;
    return Error(code, absl::ErrnoToStatus(error, what).message());
  }

  int fd_;
  const std::string* path_;  // the caller's, for messages
  std::uint64_t bytes_ = 0;
};

// ---- Metas

struct MetaSlot {
  Meta meta;
  absl::Status status;  // whether `meta` may be believed
};
using Metas = std::array<MetaSlot, kMetaSlots>;

// Meta 1 lies one page in. If meta 0 cannot say how far that is, a meta that agrees with its own place can.
absl::StatusOr<std::uint64_t> FindSecondMeta(const File& file, const Meta& first) {
  if (IsPageSize(first.page_bytes())) return first.page_bytes();
  for (std::uint64_t offset = kPageBytesMin; offset <= kPageBytesMax; offset *= 2) {
    if (offset + sizeof(Meta) > file.bytes()) break;
    ASSIGN_OR_RETURN(const Meta meta, file.ReadStruct<Meta>(offset));
    if (meta.magic == kMagic && meta.page_bytes() == offset) return offset;
  }
  return kUsualPageBytes;
}

absl::StatusOr<Metas> ReadMetas(const File& file, std::uint64_t map_bytes) {
  constexpr absl::string_view kTooShort = " bytes, too few for the two meta pages that even an empty log has";
  if (file.bytes() < kMetaSlots * kPageBytesMin) return file.Damaged("the file has ", file.bytes(), kTooShort);
  Metas metas;
  ASSIGN_OR_RETURN(metas[0].meta, file.ReadStruct<Meta>(0));
  ASSIGN_OR_RETURN(const std::uint64_t second, FindSecondMeta(file, metas[0].meta));
  if (file.bytes() < kMetaSlots * second) return file.Damaged("the file has ", file.bytes(), kTooShort);
  ASSIGN_OR_RETURN(metas[1].meta, file.ReadStruct<Meta>(second));
  for (std::uint64_t slot = 0; slot < kMetaSlots; ++slot) {
    metas[slot].status = CheckMeta(metas[slot].meta, slot, map_bytes);
  }
  if (metas[1].status.ok() && metas[1].meta.page_bytes() != second) {
    metas[1].status = absl::DataLossError(
        absl::StrCat("lies at offset ", second, ", but has page size ", metas[1].meta.page_bytes()));
  }
  return metas;
}

// Whether it is a file of a kind known here at all.
absl::Status CheckKind(const File& file, const Metas& metas) {
  const auto any = [&](auto test) { return std::any_of(metas.begin(), metas.end(), test); };
  if (!any([](const MetaSlot& slot) { return slot.meta.magic == kMagic; })) {
    return file.Error(absl::StatusCode::kFailedPrecondition, "not an LMDB file: no meta page has its magic number");
  }
  if (!any([](const MetaSlot& slot) { return slot.meta.magic == kMagic && slot.meta.version == kVersion; })) {
    return file.Error(absl::StatusCode::kFailedPrecondition,
                      absl::StrCat("LMDB format version ", metas[0].meta.version, "; only 1 is known here"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::uint64_t> NewestTxnId(const File& file, const Metas& metas) {
  RETURN_IF_ERROR(CheckKind(file, metas));
  const auto& [first, second] = metas;
  if (!first.status.ok() && !second.status.ok()) {
    return file.Damaged("both meta pages are damaged: meta page 0 ", first.status.message(), "; meta page 1 ",
                        second.status.message());
  }
  for (std::uint64_t slot = 0; slot < kMetaSlots; ++slot) {
    if (metas[slot].status.ok()) continue;
    return file.Damaged("meta page ", slot, " ", metas[slot].status.message(), "; only meta page ", 1 - slot,
                        " (transaction ", metas[1 - slot].meta.txn_id,
                        ") passes. Do not patch it: keep a copy of the file, and restore the last backup");
  }
  // Each commit overwrites the older meta, so the two are neighbours; both are 0 before the first commit. Otherwise one
  // transaction id is wrong, and LMDB could take the older snapshot for the newer.
  const auto [older, newer] = std::minmax(first.meta.txn_id, second.meta.txn_id);
  if (newer - older > 1) return file.Damaged("the meta pages hold transactions ", older, " and ", newer);
  return newer;
}

// ---- Snapshot

enum class TreeKind { kFreeList, kMain, kTable };

struct TreeWalk {
  TreeKind kind;
  std::string name;          // for messages
  Tree recorded;             // what the file says of the tree
  Tree found = {};           // what it holds: only the counts are used
  bool append_only = false;  // runs of overflow pages are not read
  std::uint64_t from = 0;    // what leads to smaller keys only is passed over
  bool whole = true;         // nothing was
};

// A page, for messages.
struct Place {
  const TreeWalk* tree;
  std::uint64_t pgno;
  absl::string_view role;
};

// Keys of a subtree: from <= key < until. The views point into the buffers of the pages above.
struct KeyRange {
  std::optional<absl::string_view> from;
  std::optional<absl::string_view> until;
};

// The free pages of one record, which may be read in several pieces.
struct FreeRecord {
  std::uint64_t words = 0;  // that the record has room for
  std::uint64_t words_read = 0;
  std::uint64_t count = 0;  // of page numbers; a reserved record may be longer, and its rest is never read
  std::uint64_t previous = kNoRoot;
};

bool KeyLess(TreeKind kind, absl::string_view a, absl::string_view b) {
  return kind == TreeKind::kMain ? a < b : LoadU64(a) < LoadU64(b);
}

class SnapshotWalk {
 public:
  SnapshotWalk(const File& file, const Meta& meta, const LmdbScope& scope)
      : file_(file), meta_(meta), page_bytes_(meta.page_bytes()), scope_(scope) {}

  absl::StatusOr<LmdbFileSummary> Run();

 private:
  using Table = std::pair<std::string, Tree>;

  template <typename... Parts>
  absl::Status Damaged(const Place& place, const Parts&... parts) const {
    return file_.Damaged("page ", place.pgno, " (", place.role, " of ", place.tree->name, "): ", parts...);
  }

  absl::Status PrepareBitmaps();
  absl::Status WalkTree(TreeWalk walk);
  static bool IsPassedOver(TreeWalk& tree, const TreePage& page, std::size_t index);
  absl::Status CheckCounts(const TreeWalk& tree) const;
  absl::Status Claim(const Place& place, std::uint64_t count);
  absl::Status VisitPage(TreeWalk& tree, std::uint64_t pgno, std::uint16_t depth, const KeyRange& range);
  absl::Status CheckKeys(const Place& place, const TreePage& page, const KeyRange& range) const;
  absl::Status VisitBranch(TreeWalk& tree, const TreePage& page, std::uint16_t depth, const KeyRange& range);
  absl::Status VisitLeaf(TreeWalk& tree, const Place& place, const TreePage& page);
  absl::Status VisitOverflow(TreeWalk& tree, const Node& node);
  absl::Status VisitTableRecord(const Place& place, const Node& node);
  absl::Status VisitFreeRecord(const Place& place, const Node& node);
  absl::Status AddFreePages(const Place& place, FreeRecord& record, absl::string_view bytes);

  const File& file_;
  const Meta& meta_;
  const std::uint64_t page_bytes_;
  const LmdbScope& scope_;
  std::vector<bool> used_;                            // pages that a tree reaches; all of them must be in the file
  std::vector<bool> free_;                            // pages on the free list; some may never have been written
  std::array<std::vector<char>, kDepthMax> buffers_;  // one page a level, so that keys above stay in place
  std::vector<Table> tables_;
};

absl::StatusOr<LmdbFileSummary> SnapshotWalk::Run() {
  RETURN_IF_ERROR(PrepareBitmaps());
  if (scope_.for_writing) RETURN_IF_ERROR(WalkTree({TreeKind::kFreeList, "the free list", meta_.free_list}));
  RETURN_IF_ERROR(WalkTree({TreeKind::kMain, "the main database", meta_.main}));
  LmdbFileSummary summary;
  summary.txn_id = meta_.txn_id;
  summary.page_bytes = page_bytes_;
  summary.last_page = meta_.last_page;
  for (const auto& [name, tree] : tables_) {
    const auto long_table = std::find_if(scope_.append_only.begin(), scope_.append_only.end(),
                                         [&](const AppendOnlyTable& table) { return table.name == name; });
    const bool append_only = long_table != scope_.append_only.end();
    if (!append_only || long_table->from) {
      RETURN_IF_ERROR(WalkTree({.kind = TreeKind::kTable,
                                .name = absl::StrCat("table ", absl::CHexEscape(name)),
                                .recorded = tree,
                                .append_only = append_only,
                                .from = append_only ? *long_table->from : 0}));
    }
    summary.tables.push_back({name, tree.entries});
  }
  return summary;
}

// A page that was allocated and freed within one transaction is never written, so the file may end before last_page.
// But all such pages are on the free list, which takes 8 bytes of the file for each: that bounds the bitmaps.
absl::Status SnapshotWalk::PrepareBitmaps() {
  const std::uint64_t pages_in_file = file_.bytes() / page_bytes_;
  if (meta_.last_page >= pages_in_file + file_.bytes() / sizeof(std::uint64_t)) {
    return file_.Damaged("transaction ", meta_.txn_id, " claims pages up to ", meta_.last_page, ", but the file has ",
                         pages_in_file);
  }
  used_.resize(std::min(pages_in_file, meta_.last_page + 1));
  free_.resize(meta_.last_page + 1);
  return absl::OkStatus();
}

absl::Status SnapshotWalk::WalkTree(TreeWalk walk) {
  if (walk.recorded.root != kNoRoot) RETURN_IF_ERROR(VisitPage(walk, walk.recorded.root, 1, {}));
  return walk.whole ? CheckCounts(walk) : absl::OkStatus();
}

// Whether the node leads to nothing but keys before the last one that is at most `from`.
bool SnapshotWalk::IsPassedOver(TreeWalk& tree, const TreePage& page, std::size_t index) {
  const bool passed = tree.from != 0 && index + 1 < page.size() && LoadU64(page.node(index + 1).key) <= tree.from;
  if (passed) tree.whole = false;
  return passed;
}

absl::Status SnapshotWalk::CheckCounts(const TreeWalk& tree) const {
  const auto compare = [&](absl::string_view what, std::uint64_t found, std::uint64_t recorded) {
    if (found == recorded) return absl::OkStatus();
    return file_.Damaged(tree.name, " has ", found, " ", what, ", but its record says ", recorded);
  };
  RETURN_IF_ERROR(compare("branch pages", tree.found.branch_pages, tree.recorded.branch_pages));
  RETURN_IF_ERROR(compare("leaf pages", tree.found.leaf_pages, tree.recorded.leaf_pages));
  if (!tree.append_only) {
    RETURN_IF_ERROR(compare("overflow pages", tree.found.overflow_pages, tree.recorded.overflow_pages));
  }
  return compare("entries", tree.found.entries, tree.recorded.entries);
}

// Takes the pages from place.pgno on for one tree: each page of the file has one use.
absl::Status SnapshotWalk::Claim(const Place& place, std::uint64_t count) {
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

// Recursion is bounded by kDepthMax, which CheckTree enforces.
absl::Status SnapshotWalk::VisitPage(TreeWalk& tree, std::uint64_t pgno, std::uint16_t depth, const KeyRange& range) {
  const bool leaf = depth == tree.recorded.depth;
  const Place place = {&tree, pgno, leaf ? "leaf" : "branch"};
  RETURN_IF_ERROR(Claim(place, 1));
  std::vector<char>& buffer = buffers_[depth - 1];
  buffer.resize(page_bytes_);
  RETURN_IF_ERROR(file_.Read(pgno * page_bytes_, buffer));
  const absl::StatusOr<TreePage> page =
      TreePage::Parse({buffer.data(), buffer.size()}, pgno, leaf ? kLeafPage : kBranchPage);
  if (!page.ok()) return Damaged(place, page.status().message());
  RETURN_IF_ERROR(CheckKeys(place, *page, range));
  ++(leaf ? tree.found.leaf_pages : tree.found.branch_pages);
  return leaf ? VisitLeaf(tree, place, *page) : VisitBranch(tree, *page, depth, range);
}

absl::Status SnapshotWalk::CheckKeys(const Place& place, const TreePage& page, const KeyRange& range) const {
  const TreeKind kind = place.tree->kind;
  std::optional<absl::string_view> previous;
  // The first node of a branch stands for all keys below the second; LMDB never reads its key.
  for (std::size_t index = page.is_branch() ? 1 : 0; index < page.size(); ++index) {
    const absl::string_view key = page.node(index).key;
    if (kind == TreeKind::kMain ? key.empty() : key.size() != sizeof(std::uint64_t)) {
      return Damaged(place, "node ", index, " has a key of ", key.size(), " bytes");
    }
    if (previous.has_value() && !KeyLess(kind, *previous, key)) {
      return Damaged(place, "node ", index, " is out of order");
    }
    if ((range.from.has_value() && KeyLess(kind, key, *range.from)) ||
        (range.until.has_value() && !KeyLess(kind, key, *range.until))) {
      return Damaged(place, "node ", index, " does not belong below its branch");
    }
    previous = key;
  }
  return absl::OkStatus();
}

absl::Status SnapshotWalk::VisitBranch(TreeWalk& tree, const TreePage& page, std::uint16_t depth,
                                       const KeyRange& range) {
  for (std::size_t index = 0; index < page.size(); ++index) {
    if (IsPassedOver(tree, page, index)) continue;
    KeyRange child = range;
    if (index > 0) child.from = page.node(index).key;
    if (index + 1 < page.size()) child.until = page.node(index + 1).key;
    RETURN_IF_ERROR(VisitPage(tree, page.node(index).child, static_cast<std::uint16_t>(depth + 1), child));
  }
  return absl::OkStatus();
}

absl::Status SnapshotWalk::VisitLeaf(TreeWalk& tree, const Place& place, const TreePage& page) {
  tree.found.entries += page.size();
  for (std::size_t index = 0; index < page.size(); ++index) {
    const Node node = page.node(index);
    if ((node.flags == kSubData) != (tree.kind == TreeKind::kMain) ||
        (node.flags == kBigData && tree.kind == TreeKind::kMain)) {
      return Damaged(place, "node ", index, " has flags 0x", absl::Hex(node.flags), ", which do not belong there");
    }
    if (node.flags == kBigData && !IsPassedOver(tree, page, index)) RETURN_IF_ERROR(VisitOverflow(tree, node));
    if (tree.kind == TreeKind::kMain) {
      RETURN_IF_ERROR(VisitTableRecord(place, node));
    } else if (tree.kind == TreeKind::kFreeList) {
      RETURN_IF_ERROR(VisitFreeRecord(place, node));
    } else if (node.data_bytes % sizeof(std::uint64_t) != 0) {
      return Damaged(place, "node ", index, " has a value of ", node.data_bytes, " bytes, not a multiple of 8");
    }
  }
  return absl::OkStatus();
}

// A run may be longer than its value needs: LMDB keeps it when a value shrinks within the transaction that wrote it.
absl::Status SnapshotWalk::VisitOverflow(TreeWalk& tree, const Node& node) {
  const Place place = {&tree, LoadU64(node.data), "overflow run"};
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

absl::Status SnapshotWalk::VisitTableRecord(const Place& place, const Node& node) {
  const std::string name = absl::CHexEscape(node.key);
  // Names come from C strings: LMDB could never open another, and its rows would be hidden.
  if (node.key.find('\0') != absl::string_view::npos) return Damaged(place, "table name ", name, " holds a zero byte");
  if (node.data.size() != sizeof(Tree)) {
    return Damaged(place, "the record of table ", name, " has ", node.data.size(), " bytes");
  }
  Tree tree;
  std::memcpy(&tree, node.data.data(), sizeof(tree));
  if (tree.flags != kIntegerKey || tree.pad != 0) {
    return Damaged(place, "table ", name, " has flags 0x", absl::Hex(tree.flags), "; only integer keys are used here");
  }
  if (const absl::Status status = CheckTree(tree); !status.ok()) {
    return Damaged(place, "table ", name, ": ", status.message());
  }
  // Walked later: its pages would displace the one that this record is in.
  tables_.emplace_back(node.key, tree);
  return absl::OkStatus();
}

absl::Status SnapshotWalk::VisitFreeRecord(const Place& place, const Node& node) {
  const std::uint64_t txn_id = LoadU64(node.key);
  if (txn_id == 0 || txn_id > meta_.txn_id) {
    return Damaged(place, "transaction ", txn_id, " cannot have freed pages in transaction ", meta_.txn_id);
  }
  if (node.data_bytes == 0 || node.data_bytes % sizeof(std::uint64_t) != 0) {
    return Damaged(place, "the record of transaction ", txn_id, " has ", node.data_bytes, " bytes");
  }
  FreeRecord record = {.words = node.data_bytes / sizeof(std::uint64_t)};
  if (node.flags != kBigData) return AddFreePages(place, record, node.data);
  std::vector<char> chunk;
  std::uint64_t offset = LoadU64(node.data) * page_bytes_ + sizeof(PageHeader);
  for (std::uint64_t left = node.data_bytes; left > 0; left -= chunk.size(), offset += chunk.size()) {
    chunk.resize(std::min<std::uint64_t>(left, kFreeListChunkBytes));
    RETURN_IF_ERROR(file_.Read(offset, chunk));
    RETURN_IF_ERROR(AddFreePages(place, record, {chunk.data(), chunk.size()}));
  }
  return absl::OkStatus();
}

absl::Status SnapshotWalk::AddFreePages(const Place& place, FreeRecord& record, absl::string_view bytes) {
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

absl::StatusOr<std::uint64_t> CheckLmdbMetas(int fd, const std::string& path, std::uint64_t map_bytes) {
  for (int reads = 1;; ++reads) {
    ASSIGN_OR_RETURN(const lmdb_file::File file, lmdb_file::File::Open(fd, path));
    ASSIGN_OR_RETURN(const lmdb_file::Metas metas, lmdb_file::ReadMetas(file, map_bytes));
    absl::StatusOr<std::uint64_t> newest = lmdb_file::NewestTxnId(file, metas);
    if (newest.ok() || reads == lmdb_file::kMetaReads) return newest;
    std::this_thread::sleep_for(lmdb_file::kMetaRereadDelay);
  }
}

absl::StatusOr<LmdbFileSummary> CheckLmdbSnapshot(int fd, const std::string& path, std::uint64_t map_bytes,
                                                  std::uint64_t txn_id, const LmdbScope& scope) {
  ASSIGN_OR_RETURN(const lmdb_file::File file, lmdb_file::File::Open(fd, path));
  ASSIGN_OR_RETURN(const lmdb_file::Metas metas, lmdb_file::ReadMetas(file, map_bytes));
  for (std::uint64_t slot = 0; slot < lmdb_file::kMetaSlots; ++slot) {
    const lmdb_file::Meta& meta = metas[slot].meta;
    if (!metas[slot].status.ok() || meta.txn_id != txn_id) continue;
    absl::StatusOr<LmdbFileSummary> summary = lmdb_file::SnapshotWalk(file, meta, scope).Run();
    if (summary.ok()) return summary;
    // What looks like damage may be a commit that overwrote the meta while it was read.
    ASSIGN_OR_RETURN(const lmdb_file::Meta now, file.ReadStruct<lmdb_file::Meta>(slot * meta.page_bytes()));
    if (std::memcmp(&now, &meta, sizeof(now)) == 0) return summary;
  }
  RETURN_IF_ERROR(CheckLmdbMetas(fd, path, map_bytes).status());
  return file.Error(absl::StatusCode::kAborted, absl::StrCat("no meta page holds transaction ", txn_id,
                                                             ": a writer has moved on; retry with the newest"));
}

}  // namespace foldlog
