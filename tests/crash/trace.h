// The trace of a recorded program: every call that changes the watched directory or makes a change durable, in order.
//
// Written by the recorder (recorder.cc, which uses nothing but this header and libc) and read by ReadTrace(). Little
// endian, of this machine: a trace is evidence for one run, not a format to keep.

#ifndef FOLDLOG_TESTS_CRASH_TRACE_H_
#define FOLDLOG_TESTS_CRASH_TRACE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace foldlog::power_cut {

enum class CallKind : std::uint32_t {
  kInitialDirectory = 1,  // path: was there, durable, when the recording began
  kInitialFile = 2,       // path, file, data: likewise
  kMakeDirectory = 3,     // path
  kCreate = 4,            // path, file: a new empty file under a new name
  kLink = 5,              // path, file: one more name
  kRename = 6,            // path to path2
  kRemove = 7,            // path: of a file or a directory
  kWrite = 8,             // file, offset, data
  kResize = 9,            // file, value: the new size
  kSyncFile = 10,         // file
  kSyncRange = 11,        // file, offset, value: the length
  kSyncDirectory = 12,    // path
  kMark = 13,             // value, flags: Mark
  kUnsupported = 14,      // path: what was called. The images of such a trace would be wrong.
};

// Flags of kWrite.
inline constexpr std::uint32_t kDurableOnReturn = 1;  // O_DSYNC or O_SYNC
inline constexpr std::uint32_t kThroughMapping = 2;   // found by reading the file back: its moment is not known

// Flags of kMark: what the program says about its own item number `value`.
inline constexpr std::uint32_t kSubmitted = 0;     // from here on it may be found after a power cut
inline constexpr std::uint32_t kAcknowledged = 1;  // from here on it must be found

// In the file: this, then path, path2 and data.
struct TraceRecord {
  std::uint32_t kind = 0;
  std::uint32_t flags = 0;
  std::uint64_t file = 0;  // inode number; it may come again, for another file, in a later kCreate
  std::uint64_t offset = 0;
  std::uint64_t value = 0;
  std::uint32_t path_bytes = 0;
  std::uint32_t path2_bytes = 0;
  std::uint64_t data_bytes = 0;
};
static_assert(sizeof(TraceRecord) == 48);

struct Call {
  CallKind kind = CallKind::kMark;
  std::uint32_t flags = 0;
  std::uint64_t file = 0;
  std::uint64_t offset = 0;
  std::uint64_t value = 0;
  std::string path = {};  // relative to the watched directory
  std::string path2 = {};
  std::string data = {};
};

using Trace = std::vector<Call>;

// DataLoss if the file ends within a record; Unimplemented if the program used a call that the recorder cannot follow.
absl::StatusOr<Trace> ReadTrace(const std::string& path);

}  // namespace foldlog::power_cut

#endif  // FOLDLOG_TESTS_CRASH_TRACE_H_
