// TreeStore: what the catalog remembers of directories.
//
//   foldlog_directory(operation_id, id, parent, name, inode, mtime_ns, ctime_ns, listed_at_ns)
//       each directory that an unfinished operation has read the names of, as it was before: whether it has changed
//       since tells whether files were missed. A root's parent is 0 and its name is its path; the others have a name
//       only, so that a deep tree takes no more than a flat one. Empty again once the operation is complete.
//   foldlog_place(path, mount_point, uuid, file_system)
//       the roots and mounts of all operations (place.h).

#ifndef FOLDLOG_TOOLS_INDEXER_TREE_STORE_H_
#define FOLDLOG_TOOLS_INDEXER_TREE_STORE_H_

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
#include "tools/indexer/place.h"

namespace foldlog::indexer {

struct DirectoryRecord {
  std::int64_t id = 0;
  std::int64_t parent = 0;
  std::string name;
  DirectoryVersion version{};  // all zero: only in part read, or not known
  std::int64_t listed_at_ns = 0;
};

class TreeStore {
 public:
  // Creates the tables if need be. `database` must outlive the store.
  static absl::StatusOr<std::unique_ptr<TreeStore>> Open(SqliteDatabase& database);

  // Within the caller's transaction. A record that is all zero does not replace another.
  absl::Status PutDirectory(const std::string& operation_id, const DirectoryRecord& record);
  absl::Status ForgetDirectory(const std::string& operation_id, std::int64_t id);  // those below are out of reach then
  absl::Status ForgetDirectories(const std::string& operation_id);
  absl::Status PutPlace(const Place& place);
  absl::Status ForgetPlace(const std::string& path);

  absl::StatusOr<std::optional<DirectoryRecord>> FindDirectory(const std::string& operation_id, std::int64_t parent,
                                                               std::string_view name);

  // Those in `parent` behind the name `after`, in the order of their bytes; at most `limit`.
  absl::StatusOr<std::vector<DirectoryRecord>> LoadDirectories(const std::string& operation_id, std::int64_t parent,
                                                               std::string_view after, std::size_t limit);

  // The largest that there is; 0 if there is none.
  absl::StatusOr<std::int64_t> LastDirectoryId(const std::string& operation_id);
  absl::StatusOr<std::vector<Place>> LoadPlaces();

 private:
  explicit TreeStore(SqliteDatabase& database) : database_(database) {}
  absl::Status Prepare();

  SqliteDatabase& database_;
  std::unique_ptr<SqliteStatement> put_directory_;
  std::unique_ptr<SqliteStatement> put_directory_if_new_;
  std::unique_ptr<SqliteStatement> forget_directory_;
  std::unique_ptr<SqliteStatement> forget_directories_;
  std::unique_ptr<SqliteStatement> find_directory_;
  std::unique_ptr<SqliteStatement> load_directories_;
  std::unique_ptr<SqliteStatement> put_place_;
  std::unique_ptr<SqliteStatement> forget_place_;
};

}  // namespace foldlog::indexer

#endif  // FOLDLOG_TOOLS_INDEXER_TREE_STORE_H_
