// See catalog.h.

#include "tools/indexer/catalog.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <sstream>
#include <utility>

#include "absl/numeric/int128.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/projection/sqlite_reading.h"
#include "tools/indexer/paths.h"

namespace foldlog::indexer {
namespace {

constexpr std::array<const char*, 3> kCompanionSuffixes = {"-wal", "-shm", "-journal"};

constexpr const char* kCreateFiles =
    "CREATE TABLE IF NOT EXISTS files(path BLOB PRIMARY KEY, size INTEGER NOT NULL, mtime_ns NOT NULL, "
    "xxh3 TEXT NOT NULL) WITHOUT ROWID";

// Behind all paths that start with "ROOT/".
std::string EndBelow(std::string_view root) {
  std::string end = JoinPath(root, "");
  end.back() = '/' + 1;
  return end;
}

// More damaged catalogs than this beside one another are not worth another.
constexpr int kDamagedMax = 1000;

absl::Status RefuseUnlessRegular(const std::string& path) {
  struct stat facts {};
  if (lstat(path.c_str(), &facts) != 0 || S_ISREG(facts.st_mode)) return absl::OkStatus();  // a new file, or SQLite's
  const char* what = S_ISDIR(facts.st_mode) ? "a directory" : "no regular file";
  return absl::FailedPreconditionError(
      absl::StrCat("catalog ", Quoted(path), " is ", what, "; give the path of a SQLite file or of a new file"));
}

absl::Status Explained(const absl::Status& status, const std::string& path) {
  if (absl::IsInvalidArgument(status)) {
    return absl::InvalidArgumentError(
        absl::StrCat("catalog ", Quoted(path), " is not a SQLite file; give another path, or move the file away"));
  }
  if (absl::IsPermissionDenied(status)) {
    return absl::PermissionDeniedError(absl::StrCat(status.message(), "; make the file and its folder writable"));
  }
  return status;
}

absl::Status UseWal(SqliteDatabase& database) {
  ASSIGN_OR_RETURN(const auto statement, database.Prepare("PRAGMA journal_mode = WAL"));
  SqliteQuery query(*statement);
  ASSIGN_OR_RETURN(const bool row, query.Step());
  const std::string mode = row ? query.Bytes(0) : "unknown";
  if (mode == "wal") return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat(database.name(), " cannot be in WAL mode (it is ", mode, "); keep it on a local file system"));
}

// A file of another program could have a table of the same name.
absl::Status CheckShape(SqliteDatabase& database) {
  ASSIGN_OR_RETURN(const auto statement,
                   database.Prepare("SELECT group_concat(name || ' ' || pk) FROM pragma_table_info('files')"));
  SqliteQuery query(*statement);
  RETURN_IF_ERROR(query.Step().status());
  const std::string shape = query.Bytes(0);
  if (shape.empty() || shape == "path 1,size 0,mtime_ns 0,xxh3 0") return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat(database.name(), " has a table \"files\" of another shape; give another path"));
}

absl::StatusOr<std::string> FreeName(const std::string& path) {
  for (int number = 1; number <= kDamagedMax; ++number) {
    std::string name = absl::StrCat(path, ".damaged-", number);
    struct stat facts {};
    if (lstat(name.c_str(), &facts) != 0 && errno == ENOENT) return name;
  }
  return absl::ResourceExhaustedError(
      absl::StrCat("no free name to move the damaged catalog ", Quoted(path), " to; delete older .damaged- files"));
}

absl::Status CannotMove(const std::string& path, int error) {
  return absl::Status(
      absl::ErrnoToStatusCode(error),
      absl::StrCat("cannot move ", Quoted(path), " aside: ", ErrnoText(error), "; move it away yourself"));
}

// In an older catalog, whose column takes no more than 64 bits, such a time is a float: no file's, so that the file is
// read again.
absl::int128 TimeFrom(const SqliteQuery& query, int column) {
  if (query.TypeOf(column) == SqliteQuery::Type::kInteger) return query.Integer(column);
  absl::int128 time = 0;
  return absl::SimpleAtoi(query.Bytes(column), &time) ? time : absl::Int128Max();
}

// Of columns size, mtime_ns, xxh3.
FileRow RowFrom(const SqliteQuery& query) {
  return {.facts = {.size = query.Integer(0), .mtime_ns = TimeFrom(query, 1)}, .xxh3 = query.Bytes(2)};
}

std::string Digits(absl::int128 number) {
  std::ostringstream text;
  text << number;
  return text.str();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Catalog>> Catalog::Open(const std::string& path) {
  RETURN_IF_ERROR(RefuseUnlessRegular(path));
  absl::StatusOr<std::unique_ptr<SqliteDatabase>> database = SqliteDatabase::Open(path, "catalog");
  if (!database.ok()) return Explained(database.status(), path);
  std::unique_ptr<Catalog> catalog(new Catalog(*std::move(database)));
  if (absl::Status status = catalog->Prepare(); !status.ok()) return Explained(status, path);
  return catalog;
}

absl::Status Catalog::CheckPath(const std::string& path) {
  RETURN_IF_ERROR(RefuseUnlessRegular(path));
  const bool exists = access(path.c_str(), F_OK) == 0;
  const std::string folder(DirectoryOf(path));
  if (access(folder.c_str(), W_OK | X_OK) != 0 || (exists && access(path.c_str(), R_OK | W_OK) != 0)) {
    return Explained(absl::PermissionDeniedError(absl::StrCat("catalog ", Quoted(path), ": ", ErrnoText(errno))), path);
  }
  if (!exists) return absl::OkStatus();
  return Explained(ReadSqlite(path, "catalog", CheckShape), path);
}

bool Catalog::HasRowsBelow(const std::string& path, std::string_view root) {
  const std::string first = JoinPath(root, "");
  const std::string end = EndBelow(root);
  bool found = false;
  const absl::Status status = ReadSqlite(path, "catalog", [&](SqliteDatabase& database) -> absl::Status {
    ASSIGN_OR_RETURN(const auto statement,
                     database.Prepare("SELECT 1 FROM files WHERE path > ?1 AND path < ?2 LIMIT 1"));
    SqliteQuery query(*statement);
    query.BindBlob(1, first);
    query.BindBlob(2, end);
    ASSIGN_OR_RETURN(found, query.Step());
    return absl::OkStatus();
  });
  return status.ok() && found;
}

absl::Status Catalog::Prepare() {
  if (database_->IsReadOnly()) {
    return absl::PermissionDeniedError(absl::StrCat(database_->name(), " is read-only"));
  }
  RETURN_IF_ERROR(CheckShape(*database_));  // before anything is written
  RETURN_IF_ERROR(UseWal(*database_));
  RETURN_IF_ERROR(database_->Execute("PRAGMA synchronous = FULL"));
  RETURN_IF_ERROR(database_->Execute(kCreateFiles));
  ASSIGN_OR_RETURN(runs_, RunStore::Open(*database_));
  ASSIGN_OR_RETURN(find_, database_->Prepare("SELECT size, mtime_ns, xxh3 FROM files WHERE path = ?1"));
  ASSIGN_OR_RETURN(put_, database_->Prepare("INSERT OR REPLACE INTO files(path, size, mtime_ns, xxh3) "
                                            "VALUES(?1, ?2, ?3, ?4)"));
  ASSIGN_OR_RETURN(remove_, database_->Prepare("DELETE FROM files WHERE path = ?1"));
  ASSIGN_OR_RETURN(tree_, TreeStore::Open(*database_));
  ASSIGN_OR_RETURN(rows_below_, database_->Prepare("SELECT size, mtime_ns, xxh3, path FROM files WHERE path > ?1 AND "
                                                   "path < ?2 ORDER BY path LIMIT ?3"));
  ASSIGN_OR_RETURN(next_path_, database_->Prepare("SELECT path FROM files WHERE path >= ?1 AND path < ?2 "
                                                  "ORDER BY path LIMIT 1"));
  return absl::OkStatus();
}

absl::StatusOr<std::optional<FileRow>> Catalog::Find(std::string_view path) {
  SqliteQuery query(*find_);
  query.BindBlob(1, path);
  ASSIGN_OR_RETURN(const bool found, query.Step());
  if (!found) return std::nullopt;
  return RowFrom(query);
}

absl::StatusOr<std::vector<CatalogFile>> Catalog::RowsBelow(std::string_view root, std::string_view after,
                                                            std::size_t limit) {
  const std::string first = JoinPath(root, "");
  const std::string end = EndBelow(root);
  SqliteQuery query(*rows_below_);
  query.BindBlob(1, after > first ? after : first);
  query.BindBlob(2, end);
  query.BindInteger(3, static_cast<std::int64_t>(limit));
  std::vector<CatalogFile> rows;
  while (true) {
    ASSIGN_OR_RETURN(const bool found, query.Step());
    if (!found) return rows;
    rows.push_back({.path = query.Bytes(3), .row = RowFrom(query)});
  }
}

absl::StatusOr<std::string> Catalog::NextPath(std::string_view root, std::string_view from) {
  const std::string first = JoinPath(root, "");
  const std::string end = EndBelow(root);
  SqliteQuery query(*next_path_);
  query.BindBlob(1, from > first ? from : first);
  query.BindBlob(2, end);
  ASSIGN_OR_RETURN(const bool found, query.Step());
  return found ? query.Bytes(0) : "";
}

absl::Status Catalog::Commit(const CatalogBatch& batch) {
  if (database_->HasMoved()) {
    return absl::FailedPreconditionError(
        absl::StrCat(database_->name(), " was moved, deleted or replaced while it was in use; put it back"));
  }
  SqliteTransaction transaction(*database_);
  RETURN_IF_ERROR(transaction.Begin());
  for (const CatalogFile& file : batch.files) RETURN_IF_ERROR(PutFile(file));
  for (const std::string& path : batch.removed) RETURN_IF_ERROR(RemoveFile(path));
  RETURN_IF_ERROR(CommitTree(batch));
  RETURN_IF_ERROR(runs_->Put(batch.run));
  RETURN_IF_ERROR(runs_->ForgetBefore(batch.run.operation_id, batch.forget_runs_before));
  return transaction.Commit();
}

absl::Status Catalog::CommitTree(const CatalogBatch& batch) {
  const std::string& operation_id = batch.run.operation_id;
  for (const std::int64_t id : batch.forgotten_directories) {
    RETURN_IF_ERROR(tree_->ForgetDirectory(operation_id, id));
  }
  for (const DirectoryRecord& record : batch.directories) RETURN_IF_ERROR(tree_->PutDirectory(operation_id, record));
  for (const std::string& path : batch.forgotten_places) RETURN_IF_ERROR(tree_->ForgetPlace(path));
  for (const Place& place : batch.places) RETURN_IF_ERROR(tree_->PutPlace(place));
  return absl::OkStatus();
}

absl::Status Catalog::PutFile(const CatalogFile& file) {
  const absl::int128 mtime_ns = file.row.facts.mtime_ns;
  const auto mtime_ns_64 = static_cast<std::int64_t>(mtime_ns);
  const std::string digits = mtime_ns_64 == mtime_ns ? "" : Digits(mtime_ns);
  SqliteQuery query(*put_);
  query.BindBlob(1, file.path);
  query.BindInteger(2, file.row.facts.size);
  if (digits.empty()) {
    query.BindInteger(3, mtime_ns_64);
  } else {
    query.BindText(3, digits);
  }
  query.BindText(4, file.row.xxh3);
  return query.Finish();
}

absl::Status Catalog::RemoveFile(const std::string& path) {
  SqliteQuery query(*remove_);
  query.BindBlob(1, path);
  return query.Finish();
}

absl::StatusOr<std::vector<RunRow>> Catalog::LoadRuns(const std::string& operation_id, std::int64_t from_batch) {
  return runs_->Load(operation_id, from_batch);
}

absl::StatusOr<std::vector<FileError>> Catalog::FirstErrors(const std::string& operation_id, std::size_t limit) {
  return runs_->FirstErrors(operation_id, limit);
}

absl::StatusOr<bool> Catalog::HasError(const std::string& operation_id, const FileError& error) {
  return runs_->HasError(operation_id, error);
}

absl::Status Catalog::ForgetRuns(const std::string& operation_id) {
  SqliteTransaction transaction(*database_);
  RETURN_IF_ERROR(transaction.Begin());
  RETURN_IF_ERROR(runs_->Forget(operation_id));
  RETURN_IF_ERROR(tree_->ForgetDirectories(operation_id));
  return transaction.Commit();
}

absl::Status Catalog::QuickCheck() {
  ASSIGN_OR_RETURN(const auto statement, database_->Prepare("PRAGMA quick_check(1)"));
  SqliteQuery query(*statement);
  ASSIGN_OR_RETURN(const bool row, query.Step());
  const std::string verdict = row ? query.Bytes(0) : "no verdict";
  if (verdict == "ok") return absl::OkStatus();
  return absl::DataLossError(absl::StrCat(database_->name(), ": ", verdict));
}

std::vector<std::string> CatalogCompanions(const std::string& catalog_path) {
  std::vector<std::string> companions;
  companions.reserve(kCompanionSuffixes.size());
  for (const char* suffix : kCompanionSuffixes) companions.push_back(catalog_path + suffix);
  return companions;
}

absl::StatusOr<std::string> MoveAside(const std::string& path) {
  ASSIGN_OR_RETURN(std::string aside, FreeName(path));
  // The companions first: a new catalog must never find the old one's WAL.
  const std::vector<std::string> from = CatalogCompanions(path);
  const std::vector<std::string> to = CatalogCompanions(aside);
  for (std::size_t i = 0; i < from.size(); ++i) {
    if (rename(from[i].c_str(), to[i].c_str()) != 0 && errno != ENOENT) return CannotMove(from[i], errno);
  }
  if (rename(path.c_str(), aside.c_str()) != 0) return CannotMove(path, errno);
  // Should the renames be lost in a power cut, the damaged catalog is merely found again.
  SyncDirectory(std::string(DirectoryOf(path))).IgnoreError();
  return aside;
}

}  // namespace foldlog::indexer
