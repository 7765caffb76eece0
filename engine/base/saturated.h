// Sums of numbers that come from a disk. A result that does not fit becomes the largest or smallest number that does:
// overflow would be undefined behaviour.

#ifndef FOLDLOG_BASE_SATURATED_H_
#define FOLDLOG_BASE_SATURATED_H_

#include <cstdint>
#include <limits>

namespace foldlog {

inline std::int64_t SaturatedPlus(std::int64_t a, std::int64_t b) {
  std::int64_t sum = 0;
  if (!__builtin_add_overflow(a, b, &sum)) return sum;
  return a < 0 ? std::numeric_limits<std::int64_t>::min() : std::numeric_limits<std::int64_t>::max();
}

inline std::int64_t SaturatedMinus(std::int64_t a, std::int64_t b) {
  std::int64_t difference = 0;
  if (!__builtin_sub_overflow(a, b, &difference)) return difference;
  return a < 0 ? std::numeric_limits<std::int64_t>::min() : std::numeric_limits<std::int64_t>::max();
}

}  // namespace foldlog

#endif  // FOLDLOG_BASE_SATURATED_H_
