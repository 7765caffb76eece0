// The tables of table.h as SQLite's virtual tables.

#ifndef FOLDLOG_SQL_VIRTUAL_TABLE_H_
#define FOLDLOG_SQL_VIRTUAL_TABLE_H_

#include <string>

struct sqlite3;

namespace foldlog::sql {

// Adds all tables to the connection `database`, and the function foldlog_batches_unpacked(). `log`: as in Session.
// Returns SQLite's result code.
int AddTables(sqlite3* database, const std::string& log);

}  // namespace foldlog::sql

#endif  // FOLDLOG_SQL_VIRTUAL_TABLE_H_
