// Flushes of the tail as a test wants them: counted, slow, held, or failing. For one source file of a program that is
// linked with -Wl,--wrap=fdatasync. LMDB's own flushes are in a library of their own and stay as they are.

#ifndef FOLDLOG_TESTS_SUPPORT_FLUSH_FAULTS_H_
#define FOLDLOG_TESTS_SUPPORT_FLUSH_FAULTS_H_

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

}  // namespace foldlog

// NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming,misc-definitions-in-headers): names that the
// linker gives, for one source file
extern "C" {
int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd) {
  ++foldlog::flush_count;
  ++foldlog::flushes_at_work;
  do {
    std::this_thread::sleep_for(std::chrono::milliseconds(foldlog::flush_time_ms));
  } while (foldlog::hold_flushes);
  --foldlog::flushes_at_work;
  if (foldlog::flushes_to_fail > 0) {
    --foldlog::flushes_to_fail;
    errno = foldlog::flush_errno;
    return -1;
  }
  return __real_fdatasync(fd);
}
}
// NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming,misc-definitions-in-headers)

#endif  // FOLDLOG_TESTS_SUPPORT_FLUSH_FAULTS_H_
