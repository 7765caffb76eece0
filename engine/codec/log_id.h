// The identity of a log: random bytes, given at its creation, and repeated in each of its files.

#ifndef FOLDLOG_CODEC_LOG_ID_H_
#define FOLDLOG_CODEC_LOG_ID_H_

#include <array>
#include <cstdint>

namespace foldlog {

using LogId = std::array<std::uint8_t, 16>;

}  // namespace foldlog

#endif  // FOLDLOG_CODEC_LOG_ID_H_
