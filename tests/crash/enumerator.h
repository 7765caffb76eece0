// The disk images that a power cut may leave, at every call of a recorded run.
//
//   ASSIGN_OR_RETURN(const Trace trace, ReadTrace("run.trace"));
//   Enumerate(trace, {.seed = 1, .images = 20000}, [](CrashImage image) { … });
//
// At each call: no pending unit, all, each prefix, each but one, each alone; then all subsets while that is at most
// 2^12 and the wanted number leaves room, else random ones. What a call changes is cut in pieces, too: a sector that
// was changed through a mapping may be half old and half new in its 8-byte words. `tears` lets chosen writes be torn
// likewise.

#ifndef FOLDLOG_TESTS_CRASH_ENUMERATOR_H_
#define FOLDLOG_TESTS_CRASH_ENUMERATOR_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "tests/crash/disk_model.h"
#include "tests/crash/trace.h"

namespace foldlog::power_cut {

// Items are numbered 1, 2, 3 … by the program under test; 0 stands for what holds them: a log that is there and empty.
inline constexpr std::int64_t kNoLog = -1;

// What may and must be found in an image: the last item is at least `acknowledged` and at most `submitted`.
struct Obligation {
  std::int64_t acknowledged = kNoLog;
  std::int64_t submitted = 0;
};

struct CrashImage {
  DiskImage disk = {};
  std::uint64_t hash = 0;  // of all but background files: two images of one hash are one image
  Obligation obligation = {};
  bool torn_write = false;  // by `tears`: the disk broke its own rules, so refusing the image is an answer
  std::string origin = {};  // for people: the call, and which units
};

struct EnumerationOptions {
  std::uint64_t seed = 0;

  // How many different ones are wanted, more or less. If the systematic ones are more, it is a random part of them.
  std::uint64_t images = 20'000;
  std::vector<std::string> background = {};  // DiskModel
  Obligation at_start = {};
  bool ignore_barriers = false;  // a control: as if nothing had ever been made durable

  // Without, there are random images only: enough for a control.
  bool systematic = true;

  // Writes of which any mix of old and new 8-byte words may be on the disk.
  std::function<bool(const Call&)> tears = {};
};

struct EnumerationCounts {
  std::uint64_t moments = 0;  // calls and returns at which images were built
  std::uint64_t images = 0;   // different ones
  std::uint64_t torn = 0;     // of these, with a torn write
};

// Calls `sink` for each image that is new, or that must meet more than when it came up before: the same hash may come
// again with another obligation.
EnumerationCounts Enumerate(const Trace& trace, const EnumerationOptions& options,
                            const std::function<void(CrashImage)>& sink);

// LMDB's meta pages: 120 bytes at 32 in a page.
bool IsLmdbMetaWrite(const Call& call);

}  // namespace foldlog::power_cut

#endif  // FOLDLOG_TESTS_CRASH_ENUMERATOR_H_
