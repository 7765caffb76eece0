// Checks the pages of an LMDB file before LMDB may touch them.
//
// LMDB trusts its file: a damaged page can crash the process, hang it or silently hide rows. So before a writer gives a
// file to LMDB, every page that LMDB would follow is read with pread and checked here. Nothing here writes, maps or
// calls LMDB.

#ifndef FOLDLOG_LOG_STORE_LMDB_CHECK_H_
#define FOLDLOG_LOG_STORE_LMDB_CHECK_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

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

}  // namespace foldlog

#endif  // FOLDLOG_LOG_STORE_LMDB_CHECK_H_
