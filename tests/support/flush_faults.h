// Flushes of the tail as a test wants them: counted, slow, held, or failing. They are writes that are durable on
// return, and fdatasync where the file system has none past the page cache. For one source file of a program that is
// linked with -Wl,--wrap=fdatasync,--wrap=pwrite. LMDB's own flushes are in a library of their own and stay as they
// are.

#ifndef FOLDLOG_TESTS_SUPPORT_FLUSH_FAULTS_H_
#define FOLDLOG_TESTS_SUPPORT_FLUSH_FAULTS_H_

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <thread>

namespace foldlog {

inline std::atomic<int> flush_count = 0;
inline std::atomic<int> flushes_to_fail = 0;  // so many of the next ones
inline std::atomic<int> flush_errno = 0;
inline std::atomic<int> flush_time_ms = 0;
inline std::atomic<int> flushes_at_work = 0;
inline std::atomic<bool> hold_flushes = false;  // as long as this is set, none ends

inline void FailFlushes(int count, int error) {
  flush_errno = error;
  flushes_to_fail = count;
}

// Whether a flush that begins now works; sets errno.
inline bool FlushWorks() {
  ++flush_count;
  ++flushes_at_work;
  do {
    std::this_thread::sleep_for(std::chrono::milliseconds(flush_time_ms));
  } while (hold_flushes);
  --flushes_at_work;
  if (flushes_to_fail <= 0) return true;
  --flushes_to_fail;
  errno = flush_errno;
  return false;
}

}  // namespace foldlog

// NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming,misc-definitions-in-headers): names that the
// linker gives, for one source file
extern "C" {
int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd) { return foldlog::FlushWorks() ? __real_fdatasync(fd) : -1; }

ssize_t __real_pwrite(int fd, const void* data, size_t size, off_t offset);
ssize_t __wrap_pwrite(int fd, const void* data, size_t size, off_t offset) {
  const bool is_flush = (fcntl(fd, F_GETFL) & O_DSYNC) != 0;
  return is_flush && !foldlog::FlushWorks() ? -1 : __real_pwrite(fd, data, size, offset);
}
}
// NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming,misc-definitions-in-headers)

#endif  // FOLDLOG_TESTS_SUPPORT_FLUSH_FAULTS_H_
