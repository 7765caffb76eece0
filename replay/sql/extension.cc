// The entry of foldlog_sqlite.so, which SQLite calls when the extension is loaded.

#include <sqlite3ext.h>

#include "replay/sql/virtual_table.h"

SQLITE_EXTENSION_INIT1

extern "C" {

// By the name of the file, in which SQLite leaves out what is no letter.
int sqlite3_foldlogsqlite_init(sqlite3* database, char** /*error*/, const sqlite3_api_routines* api) {
  SQLITE_EXTENSION_INIT2(api)
  return foldlog::sql::AddTables(database, "");
}
}
