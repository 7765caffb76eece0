// Checks the pages of an LMDB file before LMDB may touch them.
//
// LMDB trusts its file: a damaged page can crash the process, hang it or silently hide rows. So every page that LMDB
// would follow is read with pread and checked here first. Nothing here writes, maps or calls LMDB.

#ifndef FOLDLOG_LOG_LMDB_CHECK_H_
#define FOLDLOG_LOG_LMDB_CHECK_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace foldlog {

// One named database that the file is expected to hold.
struct LmdbTable {
  std::string name;
  std::uint64_t entries = 0;
};

struct LmdbFileSummary {
  std::uint64_t txn_id = 0;  // of the snapshot that was checked
  std::uint64_t page_bytes = 0;
  std::uint64_t last_page = 0;
  std::vector<LmdbTable> tables;
};

// Checks both meta pages: enough for mdb_env_open and for beginning a transaction. `map_bytes` is the size of the map
// that LMDB will be given; a file that claims more pages is refused. Returns the newer meta's transaction id.
// DataLoss names the file, the page and what is wrong with it; FailedPrecondition if it is no LMDB file of a version
// known here at all.
absl::StatusOr<std::uint64_t> CheckLmdbMetas(int fd, const std::string& path, std::uint64_t map_bytes);

// A named database that can be long, and whose entries are never replaced or removed. Its runs of overflow pages are
// not read: LMDB does not look at their headers then.
struct AppendOnlyTable {
  std::string_view name;

  // Pages are passed over that LMDB does not come to while it seeks the last key that is at most `from`, or later ones:
  // enough to read from there on. Without it, the table is not looked into: enough to open it and to count its entries.
  std::optional<std::uint64_t> from = 0;
};

struct LmdbScope {
  std::vector<AppendOnlyTable> append_only = {};

  // The free list, too. Before anything is written, all must have been walked at once, every table from 0: a page that
  // is free and in use would be overwritten. Readers have no need of it.
  bool for_writing = true;
};

// Walks the pages reachable in the snapshot `txn_id`: free list, main database and all named databases, which must have
// 8-byte integer keys and values of a multiple of 8 bytes. The caller keeps the snapshot from changing: it holds the
// writer lock, or a read transaction of that id. Aborted if no meta page has that id (a writer has moved on: retry).
absl::StatusOr<LmdbFileSummary> CheckLmdbSnapshot(int fd, const std::string& path, std::uint64_t map_bytes,
                                                  std::uint64_t txn_id, const LmdbScope& scope = {});

}  // namespace foldlog

#endif  // FOLDLOG_LOG_LMDB_CHECK_H_
