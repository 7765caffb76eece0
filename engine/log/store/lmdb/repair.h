// Emptying damaged parts that a log can do without: LMDB's free list, and a table that is only a cache. The file loses
// the use of the pages that they name, and nothing else.
//
// Only for a writer, under the writer lock, before LMDB has the file open. Each change is of 48 bytes in place, durable
// when the call returns. If a power cut tears it, the damage is in the same place and is repaired again.

#ifndef FOLDLOG_LOG_STORE_LMDB_REPAIR_H_
#define FOLDLOG_LOG_STORE_LMDB_REPAIR_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace foldlog {

// Both work on the newest transaction of the file, whose metas must be sound.
absl::Status EmptyFreeList(int fd, const std::string& path);
absl::Status EmptyTable(int fd, const std::string& path, std::string_view table);

}  // namespace foldlog

#endif  // FOLDLOG_LOG_STORE_LMDB_REPAIR_H_
