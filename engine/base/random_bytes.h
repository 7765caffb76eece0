// Random bytes from the kernel, for ids.

#ifndef FOLDLOG_BASE_RANDOM_BYTES_H_
#define FOLDLOG_BASE_RANDOM_BYTES_H_

#include <cstdint>
#include <span>

namespace foldlog {

void FillWithRandomBytes(std::span<std::uint8_t, 16> bytes);

}  // namespace foldlog

#endif  // FOLDLOG_BASE_RANDOM_BYTES_H_
