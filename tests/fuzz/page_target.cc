// log.mdb with any changes: what the check of its pages accepts leads neither LMDB nor a reader out of the file, and
// the check that goes on behind damage agrees with the one that does not.

#include <fcntl.h>
#include <lmdb.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <utility>

#include "engine/base/file_system.h"
#include "engine/log/store/lmdb/check.h"
#include "engine/log/store/records.h"
#include "tests/fuzz/changes.h"
#include "tests/fuzz/sample.h"
#include "tests/fuzz/target.h"

namespace foldlog::fuzz {
namespace {

constexpr std::uint64_t kMapBytes = std::uint64_t{1} << 28;
constexpr unsigned kTablesMax = 64;

void Works(int code, const char* what) { Require(code == MDB_SUCCESS, what); }

// LMDB reads every row and writes some, as a writer of the log would.
class Lmdb {
 public:
  explicit Lmdb(const std::string& path) {
    Works(mdb_env_create(&env_), "LMDB can be had");
    Works(mdb_env_set_maxdbs(env_, kTablesMax), "LMDB takes so many tables");
    Works(mdb_env_set_mapsize(env_, 2 * kMapBytes), "LMDB takes the size of the map");
    Works(mdb_env_open(env_, path.c_str(), MDB_NOSUBDIR | MDB_NOTLS | MDB_NOSYNC | MDB_NOLOCK, 0600),
          "LMDB opens a file that was checked");
  }
  ~Lmdb() { mdb_env_close(env_); }
  Lmdb(const Lmdb&) = delete;
  Lmdb& operator=(const Lmdb&) = delete;

  void ReadAndWrite(const std::vector<LmdbTable>& tables) {
    MDB_txn* txn = nullptr;
    Works(mdb_txn_begin(env_, nullptr, 0, &txn), "LMDB begins a transaction");
    for (const LmdbTable& table : tables) {
      MDB_dbi dbi = 0;
      Works(mdb_dbi_open(txn, table.name.c_str(), MDB_INTEGERKEY, &dbi), "LMDB opens a table");
      Require(CountRows(txn, dbi) == table.entries, "LMDB finds the rows that were counted");
      Write(txn, dbi);
    }
    Works(mdb_txn_commit(txn), "LMDB commits");
  }

 private:
  static std::uint64_t CountRows(MDB_txn* txn, MDB_dbi dbi) {
    MDB_cursor* cursor = nullptr;
    Works(mdb_cursor_open(txn, dbi, &cursor), "LMDB opens a cursor");
    std::uint64_t rows = 0;
    MDB_val key = {};
    MDB_val value = {};
    while (mdb_cursor_get(cursor, &key, &value, rows == 0 ? MDB_FIRST : MDB_NEXT) == MDB_SUCCESS) {
      const auto* bytes = static_cast<const volatile char*>(value.mv_data);
      for (std::size_t i = 0; i < value.mv_size; i += 64) static_cast<void>(bytes[i]);
      ++rows;
    }
    mdb_cursor_close(cursor);
    return rows;
  }

  static void Write(MDB_txn* txn, MDB_dbi dbi) {
    for (std::uint64_t i = 0; i < 6; ++i) {
      std::uint64_t number = 1 + i * 67;
      std::string bytes(i == 5 ? 30000 : 8 * i * i, 'x');
      MDB_val key = {sizeof number, &number};
      MDB_val value = {bytes.size(), bytes.data()};
      Works(mdb_put(txn, dbi, &key, &value, 0), "LMDB puts a row");
    }
    std::uint64_t first = 1;
    MDB_val key = {sizeof first, &first};
    Works(mdb_del(txn, dbi, &key, nullptr), "LMDB removes a row");
  }

  MDB_env* env_ = nullptr;
};

class Seen final : public LmdbVisitor {
 public:
  explicit Seen(std::uint64_t file_bytes) : file_bytes_(file_bytes) {}
  void OnTable(const std::string& table, const lmdb_file::Tree&) override { entries[table]; }
  void OnEntry(const std::string& table, const LmdbEntry& entry) override {
    ++entries[table];
    Require(entry.offset <= file_bytes_ && entry.bytes <= file_bytes_ - entry.offset, "a value is within the file");
  }
  void OnDamage(LmdbDamage damage) override {
    ++damages;
    Require(!damage.problem.empty(), "damage is told in words");
  }
  std::map<std::string, std::uint64_t> entries;
  std::uint64_t damages = 0;

 private:
  const std::uint64_t file_bytes_;
};

void CheckSurvey(int fd, const std::string& path, const absl::StatusOr<LmdbFileSummary>& summary) {
  const auto file = lmdb_file::File::Open(fd, path);
  Require(file.ok(), "a file can be looked at");
  const auto metas = lmdb_file::ReadMetas(*file, kMapBytes);
  if (!metas.ok()) return Require(!summary.ok(), "a file without metas is not sound");
  const auto newest = lmdb_file::NewestSlot(*file, *metas);
  if (!newest.ok()) return Require(!summary.ok(), "a file whose metas are damaged is not sound");
  Seen seen(file->bytes());
  const absl::Status surveyed = SurveyLmdbFile(*file, metas->at(*newest).meta, {}, LmdbDepth::kAll, seen);
  const bool sound = summary.ok() && summary->free_list.ok();
  Require(sound == (surveyed.ok() && seen.damages == 0), "both checks of pages agree");
  if (!sound) return;
  for (const LmdbTable& table : summary->tables) {
    Require(seen.entries[table.name] == table.entries, "both checks of pages count the same rows");
  }
}

void Run(std::string_view input) {
  const std::string path = ScratchDirectory() + "/page.mdb";
  WriteBytes(path, ChangedFiles(input)["log.mdb"]);
  const FileDescriptor fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  const absl::StatusOr<LmdbFileSummary> summary = CheckLmdbFile(fd.get(), path, kMapBytes);
  CheckSurvey(fd.get(), path, summary);
  if (!summary.ok() || !summary->free_list.ok()) return;
  {
    Lmdb lmdb(path);
    lmdb.ReadAndWrite(summary->tables);
  }
  Require(CheckLmdbFile(fd.get(), path, 2 * kMapBytes).ok(), "a checked file is sound when LMDB has written to it");
}

}  // namespace

const Target kPageTarget = {"page", Run, ChangeSeeds, nullptr};

}  // namespace foldlog::fuzz
