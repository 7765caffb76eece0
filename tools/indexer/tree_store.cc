// See tree_store.h.

#include "tools/indexer/tree_store.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"

namespace foldlog::indexer {
namespace {

// The bits of an inode's number, whatever they mean as a signed one.
std::int64_t AsStored(std::uint64_t inode) { return static_cast<std::int64_t>(inode); }

DirectoryRecord RecordFrom(const SqliteQuery& query) {
  return {.id = query.Integer(0),
          .parent = query.Integer(1),
          .name = query.Bytes(2),
          .version = {.inode = static_cast<std::uint64_t>(query.Integer(3)),
                      .mtime_ns = query.Integer(4),
                      .ctime_ns = query.Integer(5)},
          .listed_at_ns = query.Integer(6)};
}

}  // namespace

absl::StatusOr<std::unique_ptr<TreeStore>> TreeStore::Open(SqliteDatabase& database) {
  RETURN_IF_ERROR(database.Execute(
      "CREATE TABLE IF NOT EXISTS foldlog_directory(operation_id TEXT NOT NULL, id INTEGER NOT NULL, "
      "parent INTEGER NOT NULL, name BLOB NOT NULL, inode INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, "
      "ctime_ns INTEGER NOT NULL, listed_at_ns INTEGER NOT NULL, PRIMARY KEY(operation_id, parent, "
      "name)) WITHOUT ROWID"));
  RETURN_IF_ERROR(
      database.Execute("CREATE UNIQUE INDEX IF NOT EXISTS foldlog_directory_id ON foldlog_directory("
                       "operation_id, id)"));
  RETURN_IF_ERROR(
      database.Execute("CREATE TABLE IF NOT EXISTS foldlog_place(path BLOB PRIMARY KEY, mount_point INTEGER NOT NULL, "
                       "uuid TEXT NOT NULL, file_system TEXT NOT NULL) WITHOUT ROWID"));
  std::unique_ptr<TreeStore> store(new TreeStore(database));
  RETURN_IF_ERROR(store->Prepare());
  return store;
}

absl::Status TreeStore::Prepare() {
  const std::string columns =
      "(operation_id, id, parent, name, inode, mtime_ns, ctime_ns, listed_at_ns) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, "
      "?8)";
  const std::string select =
      "SELECT id, parent, name, inode, mtime_ns, ctime_ns, listed_at_ns FROM foldlog_directory "
      "WHERE operation_id = ?1 AND parent = ?2 AND ";
  ASSIGN_OR_RETURN(put_directory_, database_.Prepare("INSERT OR REPLACE INTO foldlog_directory" + columns));
  ASSIGN_OR_RETURN(put_directory_if_new_, database_.Prepare("INSERT OR IGNORE INTO foldlog_directory" + columns));
  ASSIGN_OR_RETURN(forget_directory_,
                   database_.Prepare("DELETE FROM foldlog_directory WHERE operation_id = ?1 AND id = ?2"));
  ASSIGN_OR_RETURN(forget_directories_, database_.Prepare("DELETE FROM foldlog_directory WHERE operation_id = ?1"));
  ASSIGN_OR_RETURN(find_directory_, database_.Prepare(select + "name = ?3"));
  ASSIGN_OR_RETURN(load_directories_, database_.Prepare(select + "name > ?3 ORDER BY name LIMIT ?4"));
  ASSIGN_OR_RETURN(put_place_, database_.Prepare("INSERT OR REPLACE INTO foldlog_place(path, mount_point, uuid, "
                                                 "file_system) VALUES(?1, ?2, ?3, ?4)"));
  ASSIGN_OR_RETURN(forget_place_, database_.Prepare("DELETE FROM foldlog_place WHERE path = ?1"));
  return absl::OkStatus();
}

absl::Status TreeStore::PutDirectory(const std::string& operation_id, const DirectoryRecord& record) {
  const bool known = record.version != DirectoryVersion();
  SqliteQuery query(known ? *put_directory_ : *put_directory_if_new_);
  query.BindText(1, operation_id);
  query.BindInteger(2, record.id);
  query.BindInteger(3, record.parent);
  query.BindBlob(4, record.name);
  query.BindInteger(5, AsStored(record.version.inode));
  query.BindInteger(6, record.version.mtime_ns);
  query.BindInteger(7, record.version.ctime_ns);
  query.BindInteger(8, record.listed_at_ns);
  return query.Finish();
}

absl::Status TreeStore::ForgetDirectory(const std::string& operation_id, std::int64_t id) {
  SqliteQuery query(*forget_directory_);
  query.BindText(1, operation_id);
  query.BindInteger(2, id);
  return query.Finish();
}

absl::Status TreeStore::ForgetDirectories(const std::string& operation_id) {
  SqliteQuery query(*forget_directories_);
  query.BindText(1, operation_id);
  return query.Finish();
}

absl::Status TreeStore::PutPlace(const Place& place) {
  SqliteQuery query(*put_place_);
  query.BindBlob(1, place.path);
  query.BindInteger(2, place.mount_point ? 1 : 0);
  query.BindText(3, place.uuid);
  query.BindText(4, place.file_system);
  return query.Finish();
}

absl::Status TreeStore::ForgetPlace(const std::string& path) {
  SqliteQuery query(*forget_place_);
  query.BindBlob(1, path);
  return query.Finish();
}

absl::StatusOr<std::optional<DirectoryRecord>> TreeStore::FindDirectory(const std::string& operation_id,
                                                                        std::int64_t parent, std::string_view name) {
  SqliteQuery query(*find_directory_);
  query.BindText(1, operation_id);
  query.BindInteger(2, parent);
  query.BindBlob(3, name);
  ASSIGN_OR_RETURN(const bool found, query.Step());
  if (!found) return std::nullopt;
  return RecordFrom(query);
}

absl::StatusOr<std::vector<DirectoryRecord>> TreeStore::LoadDirectories(const std::string& operation_id,
                                                                        std::int64_t parent, std::string_view after,
                                                                        std::size_t limit) {
  SqliteQuery query(*load_directories_);
  query.BindText(1, operation_id);
  query.BindInteger(2, parent);
  query.BindBlob(3, after);
  query.BindInteger(4, static_cast<std::int64_t>(limit));
  std::vector<DirectoryRecord> records;
  while (true) {
    ASSIGN_OR_RETURN(const bool found, query.Step());
    if (!found) return records;
    records.push_back(RecordFrom(query));
  }
}

absl::StatusOr<std::int64_t> TreeStore::LastDirectoryId(const std::string& operation_id) {
  ASSIGN_OR_RETURN(const auto statement,
                   database_.Prepare("SELECT max(id) FROM foldlog_directory WHERE operation_id = ?1"));
  SqliteQuery query(*statement);
  query.BindText(1, operation_id);
  ASSIGN_OR_RETURN(const bool found, query.Step());
  return found ? query.Integer(0) : 0;
}

absl::StatusOr<std::vector<Place>> TreeStore::LoadPlaces() {
  ASSIGN_OR_RETURN(const auto statement,
                   database_.Prepare("SELECT path, mount_point, uuid, file_system FROM foldlog_place ORDER BY path"));
  SqliteQuery query(*statement);
  std::vector<Place> places;
  while (true) {
    ASSIGN_OR_RETURN(const bool found, query.Step());
    if (!found) return places;
    places.push_back({.path = query.Bytes(0),
                      .mount_point = query.Integer(1) != 0,
                      .uuid = query.Bytes(2),
                      .file_system = query.Bytes(3)});
  }
}

}  // namespace foldlog::indexer
