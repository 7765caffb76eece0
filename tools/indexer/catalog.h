// Catalog: what the indexer knows of each file, in a SQLite file that other programs may read.
//
//   files(path BLOB PRIMARY KEY, size INTEGER, mtime_ns, xxh3 TEXT) WITHOUT ROWID
//
// where mtime_ns is an integer, or its digits as a text if they are too many for 64 bits, as before 1677 and after
// 2262; and the tables of RunStore and TreeStore. Tables of others are not touched. The file is in WAL mode with
// synchronous=FULL: when Commit() returns, its batch is durable, so that the log may claim it. One thread at a time.
//
// Errors are those of sqlite.h; DataLoss: the file is damaged. FailedPrecondition: it is not the catalog any more, or
// is something else. Every message names the file.

#ifndef FOLDLOG_TOOLS_INDEXER_CATALOG_H_
#define FOLDLOG_TOOLS_INDEXER_CATALOG_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/projection/sqlite.h"
#include "tools/indexer/file_access.h"
#include "tools/indexer/run_store.h"
#include "tools/indexer/tree_store.h"

namespace foldlog::indexer {

struct FileRow {
  FileFacts facts;
  std::string xxh3;
  bool operator==(const FileRow&) const = default;
};

struct CatalogFile {
  std::string path;
  FileRow row;
};

// What one transaction writes.
struct CatalogBatch {
  std::vector<CatalogFile> files;    // new, or instead of what there was
  std::vector<std::string> removed;  // no longer there
  std::vector<DirectoryRecord> directories;
  std::vector<std::int64_t> forgotten_directories;
  std::vector<Place> places;
  std::vector<std::string> forgotten_places;
  RunRow run;
  std::int64_t forget_runs_before = 0;  // the run rows that nothing can ask for any more
};

class Catalog {
 public:
  // Opens or creates `path`, an absolute path. Refuses what is no regular file, no SQLite file, read-only, or has a
  // table `files` of another shape.
  static absl::StatusOr<std::unique_ptr<Catalog>> Open(const std::string& path);

  // What Open() would refuse at a glance. Writes nothing.
  static absl::Status CheckPath(const std::string& path);

  // Whether there is a catalog at `path` that has rows below `root`. Writes nothing to it.
  static bool HasRowsBelow(const std::string& path, std::string_view root);

  absl::StatusOr<std::optional<FileRow>> Find(std::string_view path);

  // Rows below `root`, in the order of their paths' bytes and behind `after` unless that is empty; at most `limit`.
  absl::StatusOr<std::vector<CatalogFile>> RowsBelow(std::string_view root, std::string_view after, std::size_t limit);

  // The path of the first row below `root` that is not before `from`; empty if there is none.
  absl::StatusOr<std::string> NextPath(std::string_view root, std::string_view from);

  // All or nothing. FailedPrecondition if the file was moved, deleted or replaced since it was opened: what would be
  // written could not be found again.
  absl::Status Commit(const CatalogBatch& batch);

  absl::StatusOr<std::vector<RunRow>> LoadRuns(const std::string& operation_id, std::int64_t from_batch);
  absl::Status ForgetRuns(const std::string& operation_id);  // with its errors and directories
  absl::StatusOr<std::vector<FileError>> FirstErrors(const std::string& operation_id, std::size_t limit);
  absl::StatusOr<bool> HasError(const std::string& operation_id, const FileError& error);

  // What is remembered of directories.
  TreeStore& tree() { return *tree_; }

  // Reads the whole file. DataLoss says what is wrong with it first.
  absl::Status QuickCheck();

 private:
  explicit Catalog(std::unique_ptr<SqliteDatabase> database) : database_(std::move(database)) {}
  absl::Status Prepare();
  absl::Status PutFile(const CatalogFile& file);
  absl::Status CommitTree(const CatalogBatch& batch);
  absl::Status RemoveFile(const std::string& path);

  std::unique_ptr<SqliteDatabase> database_;
  std::unique_ptr<RunStore> runs_;
  std::unique_ptr<TreeStore> tree_;
  std::unique_ptr<SqliteStatement> find_;
  std::unique_ptr<SqliteStatement> put_;
  std::unique_ptr<SqliteStatement> remove_;
  std::unique_ptr<SqliteStatement> rows_below_;
  std::unique_ptr<SqliteStatement> next_path_;
};

// The files that SQLite keeps beside a database.
std::vector<std::string> CatalogCompanions(const std::string& catalog_path);

// Renames a damaged catalog, which must not be open, to PATH.damaged-1 (or the next number that is free), its
// companions along with it, and returns the new name.
absl::StatusOr<std::string> MoveAside(const std::string& path);

}  // namespace foldlog::indexer

#endif  // FOLDLOG_TOOLS_INDEXER_CATALOG_H_
