// SQLite's interface: that of the program that loads the extension, or, where the tables are linked into a program
// (FOLDLOG_SQL_LINKED), the library's own.

#ifndef FOLDLOG_SQL_SQLITE_API_H_
#define FOLDLOG_SQL_SQLITE_API_H_

#ifdef FOLDLOG_SQL_LINKED
#include <sqlite3.h>
#else
#include <sqlite3ext.h>
// Set when the extension is loaded, before anything else is called.
extern const sqlite3_api_routines* sqlite3_api;
#endif

#endif  // FOLDLOG_SQL_SQLITE_API_H_
