// Reads SQLite files that belong to other programs: an older one that may be running, may have crashed, or whose disk
// is mounted read-only. Reading creates, changes or leaves nothing beside them, and needs no permission but to read.
//
//   RETURN_IF_ERROR(ReadSqlite("/var/lib/photos/state.db", "file", [&](SqliteDatabase& database) -> absl::Status {
//     ASSIGN_OR_RETURN(row, ReadRow(database));
//     return absl::OkStatus();
//   }));
//
// SQLite itself does not offer that. To read a database in WAL mode it creates the files -wal and -shm, which lock
// their owner out if another user made them; and it can roll back a journal that a crash left only by writing. So
// ReadSqlite() does this:
//
// - It holds SQLite's shared lock while it reads the file, as any reader does. The lock needs no permission to write,
//   and keeps programs that use a rollback journal from changing the file for that long.
// - It reads a file without journals where it is. If a -wal has appeared by the end, the reading does not count.
// - Otherwise it copies the file and its journals into a directory of this process (in $TMPDIR, or else /tmp), where
//   SQLite may do what it needs to. Where -shm can be read, its locks keep checkpoints away meanwhile. In any case the
//   copy counts only if a second look finds the same bytes. Then it is what a crash between the two looks would have
//   left, and SQLite recovers from that.

#ifndef FOLDLOG_PROJECTION_SQLITE_READING_H_
#define FOLDLOG_PROJECTION_SQLITE_READING_H_

#include <functional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "engine/projection/sqlite.h"

namespace foldlog {

// Calls `read` on the database as of one moment, perhaps more than once; the last call counts. `what` is as for
// SqliteDatabase::Open(). Errors are those of `read` and of sqlite.h; Unavailable, too, if the file stays locked or
// keeps changing for five seconds.
absl::Status ReadSqlite(const std::string& path, std::string_view what,
                        const std::function<absl::Status(SqliteDatabase&)>& read);

}  // namespace foldlog

#endif  // FOLDLOG_PROJECTION_SQLITE_READING_H_
