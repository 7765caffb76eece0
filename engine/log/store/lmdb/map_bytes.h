// The size of LMDB's map, and with it the largest file that a log can grow to.

#ifndef FOLDLOG_LOG_STORE_LMDB_MAP_BYTES_H_
#define FOLDLOG_LOG_STORE_LMDB_MAP_BYTES_H_

#include <cstdint>

namespace foldlog {

// LMDB wants the whole map at once. Address space costs nothing: a process can have dozens of logs open, and even
// sanitizers leave enough.
inline constexpr std::uint64_t kMapBytes = std::uint64_t{256} << 30;

}  // namespace foldlog

#endif  // FOLDLOG_LOG_STORE_LMDB_MAP_BYTES_H_
