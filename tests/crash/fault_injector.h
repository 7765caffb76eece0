// What a test tells the fault injector, and learns from it. The functions are in the preloaded library only: look them
// up by dlsym(RTLD_DEFAULT, …).

#ifndef FOLDLOG_TESTS_CRASH_FAULT_INJECTOR_H_
#define FOLDLOG_TESTS_CRASH_FAULT_INJECTOR_H_

#include <cstdint>

namespace foldlog::faults {

// In place of an errno: writes half of what it was told to. Only calls that write are counted then.
inline constexpr int kShort = -1;

struct Plan {
  const char* directory = "";  // an absolute path: calls on what is below it are counted
  std::uint64_t at = 0;        // the first call to fail, from 1; 0: none
  std::uint64_t times = 1;     // how many fail
  int error = 0;               // an errno, or kShort
};

struct Counts {
  std::uint64_t calls = 0;
  std::uint64_t fired = 0;  // calls that were made to fail
  char what[200] = {};      // the first of them
};

}  // namespace foldlog::faults

extern "C" {
void foldlog_faults_arm(const foldlog::faults::Plan* plan);
foldlog::faults::Counts foldlog_faults_disarm();
std::uint64_t foldlog_faults_fired();

// While held, no other thread's call takes effect: what is copied is of one moment.
void foldlog_faults_hold();
void foldlog_faults_let_go();

// Tells that the file is on the disk as it is.
void foldlog_faults_adopt(const char* path);

// Writes what the disk holds of `from` to `to`. 1 if so; 0, it was never flushed; -1, it could not be written.
int foldlog_faults_copy_disk(const char* from, const char* to);
}

#endif  // FOLDLOG_TESTS_CRASH_FAULT_INJECTOR_H_
