#include "engine/base/address_space.h"

#include <sys/mman.h>
#include <sys/resource.h>

namespace foldlog {
namespace {

constexpr std::uint64_t kStepBytes = std::uint64_t{1} << 20;

// Threads' stacks, the tail and the program itself get a quarter of what is left.
constexpr std::uint64_t kShareOfOthers = 4;

// Asks the kernel by trying: only it knows what the process uses already, and /proc may be missing.
bool CanMap(std::uint64_t bytes) {
  void* const map = mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (map == MAP_FAILED) return false;
  munmap(map, bytes);
  return true;
}

}  // namespace

std::uint64_t MapBytesWithinLimit(std::uint64_t wanted) {
  rlimit limit = {};
  if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return wanted;
  if (CanMap(wanted + wanted / kShareOfOthers)) return wanted;
  // Between a size that works and one that does not: some forty tries, in steps of 1 MiB.
  std::uint64_t possible = 0;
  std::uint64_t impossible = wanted / kStepBytes + 1;
  while (impossible - possible > 1) {
    const std::uint64_t middle = possible + (impossible - possible) / 2;
    (CanMap(middle * kStepBytes) ? possible : impossible) = middle;
  }
  return (possible - possible / kShareOfOthers) * kStepBytes;
}

}  // namespace foldlog
