// One function for each adapter, which stands in the file of its name.

#ifndef FOLDLOG_BENCH_PEERS_SYSTEMS_H_
#define FOLDLOG_BENCH_PEERS_SYSTEMS_H_

#include <memory>

#include "bench/peers/system.h"

namespace foldlog::peers {

enum class SqliteJournal { kWal, kRollback };
enum class LimitKind {
  kOverwrite,   // pwrite and fdatasync into a file that is there
  kDirect,      // O_DIRECT and O_DSYNC, a page a checkpoint
  kMapped,      // a copy into a mapped file, beside a thread that flushes it
  kSequential,  // writing one behind the other
};

std::unique_ptr<System> NewFoldlog();
std::unique_ptr<System> NewSqliteRow(SqliteJournal journal);
std::unique_ptr<System> NewSqliteLog();
std::unique_ptr<System> NewRocksDb();
std::unique_ptr<System> NewLevelDb();
std::unique_ptr<System> NewLmdb();
std::unique_ptr<System> NewBerkeleyDb();
std::unique_ptr<System> NewWiredTiger();
std::unique_ptr<System> NewLimit(LimitKind kind);
std::unique_ptr<System> NewPackingLimit();

}  // namespace foldlog::peers

#endif  // FOLDLOG_BENCH_PEERS_SYSTEMS_H_
