#include "bench/peers/systems.h"

#include <array>

namespace foldlog::peers {
namespace {

// A null function: its library was missing.
struct Entry {
  const char* name;
  std::unique_ptr<System> (*make)();
};

#ifdef FOLDLOG_HAS_ROCKSDB
constexpr auto kRocksDb = NewRocksDb;
#else
constexpr std::unique_ptr<System> (*kRocksDb)() = nullptr;
#endif
#ifdef FOLDLOG_HAS_LEVELDB
constexpr auto kLevelDb = NewLevelDb;
#else
constexpr std::unique_ptr<System> (*kLevelDb)() = nullptr;
#endif
#ifdef FOLDLOG_HAS_BERKELEY_DB
constexpr auto kBerkeleyDb = NewBerkeleyDb;
#else
constexpr std::unique_ptr<System> (*kBerkeleyDb)() = nullptr;
#endif
#ifdef FOLDLOG_HAS_WIREDTIGER
constexpr auto kWiredTiger = NewWiredTiger;
#else
constexpr std::unique_ptr<System> (*kWiredTiger)() = nullptr;
#endif

constexpr auto kEntries = std::to_array<Entry>({
    {"foldlog", NewFoldlog},
    {"sqlite_row", [] { return NewSqliteRow(SqliteJournal::kWal); }},
    {"sqlite_row_rollback", [] { return NewSqliteRow(SqliteJournal::kRollback); }},
    {"sqlite_log", NewSqliteLog},
    {"rocksdb", kRocksDb},
    {"leveldb", kLevelDb},
    {"lmdb", NewLmdb},
    {"berkeley_db", kBerkeleyDb},
    {"wiredtiger", kWiredTiger},
    {"limit_overwrite", [] { return NewLimit(LimitKind::kOverwrite); }},
    {"limit_direct", [] { return NewLimit(LimitKind::kDirect); }},
    {"limit_mapped", [] { return NewLimit(LimitKind::kMapped); }},
    {"limit_sequential", [] { return NewLimit(LimitKind::kSequential); }},
    {"limit_packing", NewPackingLimit},
});

std::vector<std::string> NamesWhere(bool built) {
  std::vector<std::string> names;
  for (const Entry& entry : kEntries) {
    if ((entry.make != nullptr) == built) names.emplace_back(entry.name);
  }
  return names;
}

}  // namespace

std::unique_ptr<System> NewSystem(std::string_view name) {
  for (const Entry& entry : kEntries) {
    if (entry.name == name && entry.make != nullptr) return entry.make();
  }
  return nullptr;
}

std::vector<std::string> SystemNames() { return NamesWhere(true); }
std::vector<std::string> MissingSystemNames() { return NamesWhere(false); }

}  // namespace foldlog::peers
