#include "engine/log/store/moment.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/codec/damage_advice.h"
#include "engine/log/store/restoration.h"

namespace foldlog {
namespace {

using lmdb_file::File;
using lmdb_file::Meta;
using lmdb_file::Metas;
using lmdb_file::Tree;
using lmdb_file::TreeCursor;
using lmdb_file::TreeKind;

// The tables of a transaction, as the main database lists them.
struct Tables {
  std::optional<Tree> events;
  std::optional<Tree> meta;
  std::optional<Tree> bases;
  CacheTrees caches;
  std::uint64_t count = 0;
};

absl::StatusOr<Tables> FindTables(const File& file, const Meta& meta) {
  Tables tables;
  TreeCursor main(file, meta, TreeKind::kMain, "the main database", meta.main);
  ASSIGN_OR_RETURN(bool more, main.First());
  for (; more; ++tables.count) {
    const lmdb_file::Node node = main.node();
    const absl::StatusOr<Tree> tree = lmdb_file::ParseTableRecord(node);
    const auto cache =
        std::find(kCacheTables.begin(), kCacheTables.end(), std::string_view(node.key.data(), node.key.size()));
    if (cache != kCacheTables.end()) {
      // A damaged record is like an empty table.
      if (tree.ok()) tables.caches.at(static_cast<std::size_t>(cache - kCacheTables.begin())) = *tree;
    } else if (!tree.ok() && node.key != kBasesTable) {
      return main.Damaged(absl::StrCat("table ", absl::CHexEscape(node.key), " ", tree.status().message()));
    }
    if (node.key == kEventsTable) tables.events = *tree;
    if (node.key == kMetaTable) tables.meta = *tree;
    if (node.key == kBasesTable && tree.ok()) tables.bases = *tree;
    ASSIGN_OR_RETURN(more, main.Next());
  }
  return tables;
}

// The record under `key` of the table `meta`. It may be longer than this version knows.
template <typename Record>
absl::StatusOr<Record> ReadRecord(const File& file, const Meta& meta, const Tree& table, std::uint64_t key) {
  TreeCursor cursor(file, meta, TreeKind::kTable, absl::StrCat("table ", kMetaTable), table);
  ASSIGN_OR_RETURN(const bool found, cursor.SeekFloor(key));
  if (!found || cursor.key() != key) return file.Damaged("record ", key, " is missing");
  std::vector<std::uint64_t> words;
  ASSIGN_OR_RETURN(const auto value, cursor.Value(words));
  if (value.size_bytes() < sizeof(Record)) return file.Damaged("record ", key, " is too short");
  Record record;
  std::memcpy(static_cast<void*>(&record), value.data(), sizeof record);
  return record;
}

// The hash tells a torn record from a true one before any of its numbers is used.
absl::StatusOr<CommitRecord> ReadCommitRecord(const File& file, const Meta& meta, const Tree& table) {
  ASSIGN_OR_RETURN(const auto commit, ReadRecord<CommitRecord>(file, meta, table, kCommitKey));
  if (commit.hash == HashOf(commit)) return commit;
  return file.Damaged("the commit record does not match its hash (transaction ", meta.txn_id, ")");
}

// LMDB writes meta page and record at different times; a torn or lost write shows as a contradiction between them.
absl::Status CheckCommit(const CommitRecord& commit, const Meta& meta, const Tree& events, const File& file) {
  if (commit.txn_id != meta.txn_id) {
    return file.Damaged("the commit record is of transaction ", commit.txn_id, ", but its meta page says ", meta.txn_id,
                        "; a commit was lost or torn");
  }
  if (commit.batches != events.entries || commit.end.sequence < commit.base.sequence) {
    return file.Damaged("the commit record tells of ", commit.batches, " batches up to event ", commit.end.sequence,
                        ", but there are ", events.entries, "; a commit was lost or torn");
  }
  if (commit.tail_position > kTailPositionMax) {
    return file.Damaged("the commit record names a place in the tail, ", commit.tail_position,
                        ", that no log has come to");
  }
  return absl::OkStatus();
}

absl::Status CheckFormat(const FormatRecord& format, const std::string& path) {
  if (format.magic != kFormatMagic) {
    return absl::DataLossError(absl::StrCat(path, ": the record of the format is damaged", kDamageAdvice));
  }
  if (format.version == kFormatVersion) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat(path, " has format version ", format.version, "; this foldlog knows version ", kFormatVersion,
                   format.version > kFormatVersion ? ": use a newer foldlog" : ": use an older foldlog"));
}

absl::Status LoadRecords(FileMoment& moment) {
  const File& file = moment.file;
  const Meta& meta = moment.meta();
  ASSIGN_OR_RETURN(const Tables tables, FindTables(file, meta));
  // Every transaction of a log has tables. One without any is what a torn meta page shows.
  if (tables.count == 0) return file.Damaged("the file has lost all its tables");
  if (!tables.meta || !tables.events) {
    return absl::InvalidArgumentError(absl::StrCat(file.path(), " is an LMDB file, but not of a foldlog log"));
  }
  ASSIGN_OR_RETURN(moment.format, ReadRecord<FormatRecord>(file, meta, *tables.meta, kFormatKey));
  RETURN_IF_ERROR(CheckFormat(moment.format, file.path()));
  ASSIGN_OR_RETURN(moment.commit, ReadCommitRecord(file, meta, *tables.meta));
  moment.events = *tables.events;
  moment.records = *tables.meta;
  moment.bases = tables.bases;
  moment.caches = tables.caches;
  return CheckCommit(moment.commit, meta, moment.events, file);
}

// If the number of the newest transaction is damaged, the one before it passes as the newest, with its own true commit
// record. But the tree of the other meta page still leads to the newer commit record. LMDB leaves the same picture when
// it fails to write a meta page: it puts back the number and the last page of the transaction before, but not the
// trees. No other damage of the older meta page matters, so it is ignored.
void LookAtOlder(FileMoment& moment) {
  Meta older = moment.metas[1 - moment.slot].meta;
  if (older.main.root == lmdb_file::kNoRoot) return;
  // Its last page may have been put back, too, while its tree uses pages behind that.
  older.last_page = std::max(older.last_page, moment.file.bytes() / older.page_bytes());
  const absl::StatusOr<Tables> tables = FindTables(moment.file, older);
  if (!tables.ok() || !tables->meta) return;
  const absl::StatusOr<CommitRecord> commit = ReadCommitRecord(moment.file, older, *tables->meta);
  if (commit.ok() && commit->txn_id > moment.commit.txn_id) moment.beyond = *commit;
}

}  // namespace

absl::StatusOr<FileMoment> LoadFileMoment(const File& file, const Metas& metas) {
  ASSIGN_OR_RETURN(const std::uint64_t slot, lmdb_file::NewestSlot(file, metas));
  FileMoment moment{.file = file, .metas = metas, .slot = slot};
  RETURN_IF_ERROR(LoadRecords(moment));
  LookAtOlder(moment);
  return moment;
}

absl::StatusOr<std::optional<Restoration>> LoadRestoration(const FileMoment& moment) {
  TreeCursor cursor(moment.file, moment.meta(), TreeKind::kTable, absl::StrCat("table ", kMetaTable), moment.records);
  ASSIGN_OR_RETURN(const bool found, cursor.SeekFloor(kRestorationKey));
  if (!found || cursor.key() != kRestorationKey) return std::nullopt;
  std::vector<std::uint64_t> words;
  ASSIGN_OR_RETURN(const auto value, cursor.Value(words));
  std::optional<Restoration> restoration = DecodeRestoration(value);
  if (restoration) return restoration;
  return moment.file.Damaged("the record of where the log was restored from does not match its hash");
}

}  // namespace foldlog
