// The size of LMDB's map, and with it the largest file that a log can grow to.

#ifndef FOLDLOG_LOG_STORE_LMDB_MAP_BYTES_H_
#define FOLDLOG_LOG_STORE_LMDB_MAP_BYTES_H_

#include <cstdint>

namespace foldlog {

// LMDB wants it all at once: address space is free, one process can have dozens of logs open, and sanitizers leave room
// for it.
inline constexpr std::uint64_t kMapBytes = std::uint64_t{256} << 30;

}  // namespace foldlog

#endif  // FOLDLOG_LOG_STORE_LMDB_MAP_BYTES_H_
