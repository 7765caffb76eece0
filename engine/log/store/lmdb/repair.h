// Emptying what a log can do without, when it is damaged: LMDB's free list, and a table that is only a cache. Pages
// that they name are lost to the file, which grows by as much; nothing else is.
//
// Only for a writer, under the writer lock, before LMDB has the file open. Each change is of 48 bytes in place, durable
// when the call returns. One that a power cut tears leaves damage in the same place, to be repaired again.

#ifndef FOLDLOG_LOG_STORE_LMDB_REPAIR_H_
#define FOLDLOG_LOG_STORE_LMDB_REPAIR_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace foldlog {

// In the newest transaction of the file, whose metas are sound.
absl::Status EmptyFreeList(int fd, const std::string& path);
absl::Status EmptyTable(int fd, const std::string& path, std::string_view table);

}  // namespace foldlog

#endif  // FOLDLOG_LOG_STORE_LMDB_REPAIR_H_
