// What a program under test may tell the recorder, and how a test runs one under it.
//
//   MarkSubmitted(41 + 1);              // from here on, item 42 may be found after a power cut
//   RETURN_IF_ERROR(log.Append(item));
//   MarkAcknowledged(42);               // from here on, it must be
//
// Without the recorder the marks do nothing. Other languages call the C function foldlog_recorder_mark(flags, number),
// which is there if the recorder is (Python: ctypes.CDLL(None).foldlog_recorder_mark).

#ifndef FOLDLOG_TESTS_CRASH_RECORDER_H_
#define FOLDLOG_TESTS_CRASH_RECORDER_H_

#include <dlfcn.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tests/crash/trace.h"

namespace foldlog::power_cut {

inline void Mark(std::uint32_t flags, std::uint64_t number) {
  using Function = void (*)(unsigned, unsigned long);
  static const auto mark = reinterpret_cast<Function>(dlsym(RTLD_DEFAULT, "foldlog_recorder_mark"));
  if (mark != nullptr) mark(flags, number);
}
inline void MarkSubmitted(std::uint64_t number) { Mark(kSubmitted, number); }
inline void MarkAcknowledged(std::uint64_t number) { Mark(kAcknowledged, number); }

// Runs `command` with `recorder` (the library's path) preloaded and reads what it did below `directory`, which exists.
// `trace_path` is outside of it. Internal if the program fails, or takes longer than a minute.
absl::StatusOr<Trace> Record(const std::vector<std::string>& command, const std::string& recorder,
                             const std::string& directory, const std::string& trace_path);

}  // namespace foldlog::power_cut

#endif  // FOLDLOG_TESTS_CRASH_RECORDER_H_
