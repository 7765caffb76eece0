// Checks the pages of an LMDB file before LMDB may touch them.
//
// LMDB trusts its file: a damaged page can crash the process, hang it or silently hide rows. So before a writer gives a
// file to LMDB, every page that LMDB would follow is read with pread and checked here. Nothing here writes, maps or
// calls LMDB.

#ifndef FOLDLOG_LOG_STORE_LMDB_CHECK_H_
#define FOLDLOG_LOG_STORE_LMDB_CHECK_H_

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/log/store/lmdb/file.h"

namespace foldlog {

// One named database.
struct LmdbTable {
  std::string name;
  std::uint64_t entries = 0;
};

// What the caller knows of the tables.
struct LmdbTraits {
  // Entries of this table are never replaced or removed. LMDB does not look at the headers of its overflow runs, so
  // they are not read here either.
  std::string_view append_only = {};

  // The log can do without these tables: damage in them is no damage of the file.
  std::span<const std::string_view> caches = {};
};

// What the check found in a file that is sound, or can be made so.
struct LmdbFileSummary {
  std::uint64_t txn_id = 0;  // of the newest transaction, which was checked
  std::uint64_t page_bytes = 0;
  std::uint64_t last_page = 0;
  std::vector<LmdbTable> tables = {};

  // What is wrong with the parts that can be emptied. They must be (repair.h) before LMDB sees the file.
  struct DamagedCache {
    std::string table;
    absl::Status why;
  };
  std::vector<DamagedCache> damaged_caches = {};
  absl::Status free_list = {};
};

// Checks all that LMDB reads when it writes: both metas, and in the newest transaction the free list, the main database
// and all named databases, which must have 8-byte integer keys and values of a multiple of 8 bytes. It finds pages that
// are in use twice, or both free and in use, which LMDB would overwrite. `map_bytes` is the size of the map that LMDB
// will get; a file that claims more pages is refused. The caller holds the writer lock.
//
// DataLoss names the file, the page and what is wrong with it; InvalidArgument if the file is no LMDB file of a known
// version.
absl::StatusOr<LmdbFileSummary> CheckLmdbFile(int fd, const std::string& path, std::uint64_t map_bytes,
                                              const LmdbTraits& traits = {});

// The free list, where a table is named.
inline constexpr const char* kLmdbFreeList = "(free list)";

// A place that SurveyLmdbFile() found damaged.
struct LmdbDamage {
  std::string table = {};                       // empty: of the main database
  std::optional<std::uint64_t> page = {};       // nothing: the tree as a whole
  std::uint64_t key_from = 0;                   // entries with keys from here …
  std::optional<std::uint64_t> key_until = {};  // … to before here can't be found for it; nothing: to the last
  std::string problem = {};                     // what is wrong there, beginning with the file's path
};

// An entry of a named database, and where its value is.
struct LmdbEntry {
  std::uint64_t key = 0;
  std::uint64_t page = 0;    // the leaf, or the first page of a run
  std::uint64_t offset = 0;  // of the value in the file
  std::uint64_t bytes = 0;
  bool in_run = false;
};

// Who is told of what SurveyLmdbFile() meets, in the order of the keys.
class LmdbVisitor {
 public:
  virtual ~LmdbVisitor() = default;
  virtual void OnTable(const std::string& table, const lmdb_file::Tree& tree) = 0;
  virtual void OnEntry(const std::string& table, const LmdbEntry& entry) = 0;
  virtual void OnDamage(LmdbDamage damage) = 0;
};

// How far SurveyLmdbFile() goes down.
enum class LmdbDepth { kBranches, kAll };

// The same check of the transaction that `meta` shows, which goes on behind damage: what can't be read hides the keys
// below it and nothing else. `meta` has passed CheckMeta(). An error ends it: the file can't be read for another reason
// than damage, or the transaction claims more pages than any file of this size has.
absl::Status SurveyLmdbFile(const lmdb_file::File& file, const lmdb_file::Meta& meta, const LmdbTraits& traits,
                            LmdbDepth depth, LmdbVisitor& visitor);

}  // namespace foldlog

#endif  // FOLDLOG_LOG_STORE_LMDB_CHECK_H_
