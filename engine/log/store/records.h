// The records of the table `meta` in log.mdb, as FORMAT.md lays them out.

#ifndef FOLDLOG_LOG_STORE_RECORDS_H_
#define FOLDLOG_LOG_STORE_RECORDS_H_

#include <xxhash.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "foldlog/event_log.h"
#include "foldlog/log_id.h"

namespace foldlog {

// Which format the log has, and which log it is. Never changed after creation.
struct FormatRecord {
  std::uint64_t magic;
  std::uint32_t version;
  std::uint32_t reserved;
  LogId log_id;
  std::int64_t created_at;
};
static_assert(sizeof(FormatRecord) == 40);

// Every write transaction writes this record, and names itself in it. If a torn write of LMDB's meta page makes an
// older transaction reappear, or half of one, record and meta page contradict each other.
struct CommitRecord {
  std::uint64_t txn_id;
  ChainEnd base;                // the chain starts behind this
  ChainEnd end;                 // the last event in log.mdb
  std::uint64_t batches;        // entries of the table `events`
  std::uint64_t tail_position;  // the place in the tail of the frame behind `end`
  std::uint64_t hash;           // XXH3-64 of all before it
  bool operator==(const CommitRecord&) const = default;
};
static_assert(sizeof(CommitRecord) == 64);

inline std::uint64_t HashOf(const CommitRecord& commit) { return XXH3_64bits(&commit, offsetof(CommitRecord, hash)); }

// More words than any log can have appended, at any speed. A larger position was not written by a log, and counting on
// from it could wrap.
inline constexpr std::uint64_t kTailPositionMax = std::uint64_t{1} << 62;

inline std::string PathOfLogFile(const std::string& directory) { return directory + "/log.mdb"; }

inline constexpr std::uint64_t kFormatMagic = 0x474f4c444c4f46;  // "FOLDLOG"
inline constexpr std::uint32_t kFormatVersion = 4;
inline constexpr std::uint64_t kFormatKey = 1;
inline constexpr std::uint64_t kCommitKey = 2;
inline constexpr std::uint64_t kRestorationKey = 3;

inline constexpr std::uint64_t kPolicyKey = 4;

inline constexpr const char* kEventsTable = "events";
inline constexpr const char* kSnapshotsTable = "snapshots";
inline constexpr const char* kMetaTable = "meta";
inline constexpr const char* kBatchesTable = "batches";
inline constexpr const char* kOperationsTable = "operations";

inline constexpr const char* kBasesTable = "bases";  // only in logs that were pruned

// Tables that can be made anew: damage in them is no damage of the log. Of a pruned log, what the operations of pruned
// events left behind cannot.
inline constexpr std::array<std::string_view, 3> kCacheTables = {kSnapshotsTable, kBatchesTable, kOperationsTable};
inline constexpr std::size_t kSnapshotsCache = 0;
inline constexpr std::size_t kBatchesCache = 1;
inline constexpr std::size_t kOperationsCache = 2;

inline std::span<const std::string_view> CachesOf(const CommitRecord& commit) {
  const std::span<const std::string_view> all = kCacheTables;
  return commit.base.sequence == 0 ? all : all.first(kOperationsCache);
}

}  // namespace foldlog

#endif  // FOLDLOG_LOG_STORE_RECORDS_H_
