// The two records of the table `meta` in log.mdb, as FORMAT.md lays them out.

#ifndef FOLDLOG_LOG_STORE_RECORDS_H_
#define FOLDLOG_LOG_STORE_RECORDS_H_

#include <xxhash.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "engine/codec/log_id.h"
#include "foldlog/event_log.h"

namespace foldlog {

struct FormatRecord {
  std::uint64_t magic;
  std::uint32_t version;
  std::uint32_t reserved;
  LogId log_id;
  std::int64_t created_at;
};
static_assert(sizeof(FormatRecord) == 40);

// Written by every write transaction, and naming it: if a torn write of LMDB's meta page lets an older transaction
// reappear, or half of one, this record tells.
struct CommitRecord {
  std::uint64_t txn_id;
  ChainEnd base;                // the chain starts behind it
  ChainEnd end;                 // the last event in log.mdb
  std::uint64_t batches;        // entries of the table `events`
  std::uint64_t tail_position;  // where in the tail the frame behind `end` is, or will be
  std::uint64_t hash;           // XXH3-64 of all before it
  bool operator==(const CommitRecord&) const = default;
};
static_assert(sizeof(CommitRecord) == 64);

inline std::uint64_t HashOf(const CommitRecord& commit) { return XXH3_64bits(&commit, offsetof(CommitRecord, hash)); }

// More words than a log can have had, at any speed, in all the time there is: what is beyond was not written by a log,
// and counting on from there could wrap.
inline constexpr std::uint64_t kTailPositionMax = std::uint64_t{1} << 62;

inline std::string PathOfLogFile(const std::string& directory) { return directory + "/log.mdb"; }

inline constexpr std::uint64_t kFormatMagic = 0x474f4c444c4f46;  // "FOLDLOG"
inline constexpr std::uint32_t kFormatVersion = 4;
inline constexpr std::uint64_t kFormatKey = 1;
inline constexpr std::uint64_t kCommitKey = 2;

inline constexpr const char* kEventsTable = "events";
inline constexpr const char* kSnapshotsTable = "snapshots";
inline constexpr const char* kMetaTable = "meta";

}  // namespace foldlog

#endif  // FOLDLOG_LOG_STORE_RECORDS_H_
