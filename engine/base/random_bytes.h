// Random bytes from the kernel, for ids.

#ifndef FOLDLOG_BASE_RANDOM_BYTES_H_
#define FOLDLOG_BASE_RANDOM_BYTES_H_

#include <cstdint>
#include <span>

namespace foldlog {

// Always succeeds. Good enough for ids, which must differ; not for secrets.
void FillWithRandomBytes(std::span<std::uint8_t, 16> bytes);

}  // namespace foldlog

#endif  // FOLDLOG_BASE_RANDOM_BYTES_H_
