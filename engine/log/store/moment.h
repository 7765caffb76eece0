// What log.mdb held at one moment, as far as finding its tables goes: the trees of the newest transaction, and its two
// records, checked against each other.

#ifndef FOLDLOG_LOG_STORE_MOMENT_H_
#define FOLDLOG_LOG_STORE_MOMENT_H_

#include <array>
#include <cstdint>
#include <optional>

#include "absl/status/statusor.h"
#include "engine/log/store/lmdb/file.h"
#include "engine/log/store/lmdb/tree.h"
#include "engine/log/store/records.h"
#include "foldlog/log_directory.h"

namespace foldlog {

// The trees of kCacheTables, in their order. One that is missing or damaged is empty.
using CacheTrees = std::array<lmdb_file::Tree, kCacheTables.size()>;

struct FileMoment {
  lmdb_file::File file;
  lmdb_file::Metas metas;
  std::uint64_t slot;  // of the newest
  FormatRecord format = {};
  CommitRecord commit = {};
  lmdb_file::Tree records = {};
  lmdb_file::Tree events = {};
  std::optional<lmdb_file::Tree> bases = {};  // nothing in a log that was never pruned, or if its record is damaged
  CacheTrees caches = {};
  std::optional<CommitRecord> beyond = {};  // a later commit, found by way of the older meta page

  const lmdb_file::Meta& meta() const { return metas[slot].meta; }
};

// FailedPrecondition for another format version; InvalidArgument if the file is not of a log; DataLoss if what it says
// of itself is no moment of a log. While a writer goes on, that may be a commit in progress.
absl::StatusOr<FileMoment> LoadFileMoment(const lmdb_file::File& file, const lmdb_file::Metas& metas);

// The record that a restored log has; nothing in any other.
absl::StatusOr<std::optional<Restoration>> LoadRestoration(const FileMoment& moment);

}  // namespace foldlog

#endif  // FOLDLOG_LOG_STORE_MOMENT_H_
