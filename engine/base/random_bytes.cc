#include "engine/base/random_bytes.h"

#include <fcntl.h>
#include <sys/random.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <random>

namespace foldlog {
namespace {

// getrandom(2) returns so few bytes at once, as soon as the kernel's pool is ready after boot; a signal may interrupt
// the wait for that.
bool FromKernel(std::span<std::uint8_t, 16> bytes) {
  ssize_t got = -1;
  do {
    got = getrandom(bytes.data(), bytes.size(), 0);
  } while (got < 0 && errno == EINTR);
  return got == static_cast<ssize_t>(bytes.size());
}

// For kernels and sandboxes without getrandom().
bool FromDevice(std::span<std::uint8_t, 16> bytes) {
  const int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const ssize_t got = read(fd, bytes.data(), bytes.size());
  close(fd);
  return got == static_cast<ssize_t>(bytes.size());
}

// The last resort, without any source of randomness. Ids must differ, but need not be secret: no two calls share time,
// process, count and stack address.
void FromCircumstances(std::span<std::uint8_t, 16> bytes) {
  static std::atomic<std::uint32_t> count = 0;
  const auto now = static_cast<std::uint64_t>(std::chrono::system_clock::now().time_since_epoch().count());
  const auto up = static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
  const auto stack = reinterpret_cast<std::uintptr_t>(&now);
  std::seed_seq seed{static_cast<std::uint32_t>(now),      static_cast<std::uint32_t>(now >> 32),
                     static_cast<std::uint32_t>(up),       static_cast<std::uint32_t>(up >> 32),
                     static_cast<std::uint32_t>(stack),    static_cast<std::uint32_t>(stack >> 32),
                     static_cast<std::uint32_t>(getpid()), count.fetch_add(1)};
  std::uint32_t words[4] = {};
  seed.generate(std::begin(words), std::end(words));
  std::memcpy(bytes.data(), words, sizeof words);
}

}  // namespace

void FillWithRandomBytes(std::span<std::uint8_t, 16> bytes) {
  if (FromKernel(bytes) || FromDevice(bytes)) return;
  FromCircumstances(bytes);
}

}  // namespace foldlog
