// How much address space the process may still have. RLIMIT_AS (ulimit -v) bounds it, and a map of a file counts in
// full, even if nothing is read through it.

#ifndef FOLDLOG_BASE_ADDRESS_SPACE_H_
#define FOLDLOG_BASE_ADDRESS_SPACE_H_

#include <cstdint>

namespace foldlog {

// The largest map, in bytes and at most `wanted`, that leaves a part of the address space for everything else. `wanted`
// if there is no limit.
std::uint64_t MapBytesWithinLimit(std::uint64_t wanted);

}  // namespace foldlog

#endif  // FOLDLOG_BASE_ADDRESS_SPACE_H_
