// The identity of a log: random bytes, given at its creation, and repeated in each of its files. A copy keeps it, and
// the first event names its hash, so that no event of one log can stand in another.

#ifndef FOLDLOG_LOG_ID_H_
#define FOLDLOG_LOG_ID_H_

#include <array>
#include <cstdint>

namespace foldlog {

using LogId = std::array<std::uint8_t, 16>;

}  // namespace foldlog

#endif  // FOLDLOG_LOG_ID_H_
