// Reads SQLite files that belong to others: an older program's, perhaps running, perhaps crashed, perhaps on a disk
// that is mounted read-only. Nothing is created, changed or left behind beside them, and no permission but to read is
// needed.
//
//   RETURN_IF_ERROR(ReadSqlite("/var/lib/photos/state.db", "file", [&](SqliteDatabase& database) -> absl::Status {
//     ASSIGN_OR_RETURN(row, ReadRow(database));
//     return absl::OkStatus();
//   }));
//
// SQLite itself does not give that: to read a database in WAL mode it makes the files -wal and -shm, which shut out
// their owner if somebody else made them, and a journal that a crash left can only be rolled back by writing. So
//
// - SQLite's shared lock is held while the file is read, as any reader holds it. It needs no permission to write, and
//   keeps programs that use a rollback journal from changing the file for that long.
// - A file without journals is read where it is. If a -wal has appeared by the end, the reading did not count.
// - Otherwise the file and its journals are copied into a directory of this process (in $TMPDIR, or else /tmp), where
//   SQLite does what it needs to. Where -shm can be read, its locks keep checkpoints away meanwhile. Whether or not,
//   the copy counts only if a second look finds the same bytes: then it is what a crash at the moment between the two
//   would have left, and that is what SQLite recovers from.

#ifndef FOLDLOG_PROJECTION_SQLITE_READING_H_
#define FOLDLOG_PROJECTION_SQLITE_READING_H_

#include <functional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "engine/projection/sqlite.h"

namespace foldlog {

// Calls `read` on the database as of one moment, perhaps more than once; the last call counts. `what` as for Open().
// Errors are those of `read` and of sqlite.h; Unavailable, too, if the file is locked or changes for five seconds.
absl::Status ReadSqlite(const std::string& path, std::string_view what,
                        const std::function<absl::Status(SqliteDatabase&)>& read);

}  // namespace foldlog

#endif  // FOLDLOG_PROJECTION_SQLITE_READING_H_
