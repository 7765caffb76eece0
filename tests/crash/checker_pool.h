// Checks disk images in child processes, so that an image that crashes or hangs the program under test costs one child
// and is known by name.
//
//   CheckerPool pool(options, [](const std::string& directory) -> absl::StatusOr<std::int64_t> {
//     … open what is in `directory`, prove that it is sound, return the number of the last item in it …
//   });
//   Enumerate(trace, options, [&](CrashImage image) { pool.Add(std::move(image)); });
//   const Report report = pool.Finish();
//
// Threads: none; used by one thread of a process that has no others, because it forks.

#ifndef FOLDLOG_TESTS_CRASH_CHECKER_POOL_H_
#define FOLDLOG_TESTS_CRASH_CHECKER_POOL_H_

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tests/crash/enumerator.h"

namespace foldlog::power_cut {

// Number of the last item found in the directory, or kNoLog. DataLoss or FailedPrecondition: the program refused to
// open it. Any other error: it is not sound. Runs in a child process; the directory is its own, to be changed as it
// likes.
using CheckFunction = std::function<absl::StatusOr<std::int64_t>(const std::string& directory)>;

struct CheckerOptions {
  std::string scratch = {};  // a directory for the images; in memory for speed
  unsigned workers = 2;
  unsigned timeout_s = 120;           // after which a check counts as hanging
  std::string keep_failures_in = {};  // where the first failing images are left for inspection; nowhere if empty
};

struct Report {
  std::uint64_t images = 0;    // different ones
  std::uint64_t sound = 0;     // hold what they must and nothing else
  std::uint64_t detected = 0;  // torn by a broken disk, and refused instead of being misread
  std::uint64_t lost = 0;      // an acknowledged item is missing
  std::uint64_t invented = 0;  // an item that was never submitted is there
  std::uint64_t corrupt = 0;   // refused, or unsound
  std::uint64_t signals = 0;
  std::uint64_t hangs = 0;
  std::vector<std::string> failures = {};  // the first few, with how to get at them

  std::uint64_t failed() const { return lost + invented + corrupt + signals + hangs; }
  void Add(const Report& other);
};

// "20000 images: 19800 sound, … lost, …"
std::string Summary(const Report& report);

// Writes the image below `directory`, which exists.
void Materialise(const DiskImage& disk, const std::string& directory);

class CheckerPool {
 public:
  CheckerPool(CheckerOptions options, CheckFunction check);
  ~CheckerPool();
  CheckerPool(const CheckerPool&) = delete;
  CheckerPool& operator=(const CheckerPool&) = delete;

  // Hands the image to the next free worker. An image that was added before is not checked again, only held against the
  // new obligation.
  void Add(CrashImage image);

  // Waits for all, and judges them.
  Report Finish();

 private:
  enum class Outcome : std::int32_t { kFound, kRefused, kUnsound, kSignal, kHang };
  struct Judgement {
    Obligation obligation = {};
    bool torn = false;
    std::string origin = {};
    bool done = false;
    Outcome outcome = Outcome::kHang;
    std::int64_t last = kNoLog;
    std::string message = {};
  };
  struct Worker {
    pid_t pid = 0;
    int socket = -1;
    std::optional<CrashImage> at_work;
  };
  struct Answer;

  void Fork(Worker& worker);
  [[noreturn]] void Work(int socket, const std::string& directory);
  Answer CheckOne(const std::string& directory) const;
  Worker& WaitForFree();
  void Receive(Worker& worker);
  void Died(Worker& worker, Judgement& judgement);
  void Judge(std::uint64_t hash, const Judgement& judgement, Report& report) const;
  bool KeepIfFailing(const CrashImage& image, const Judgement& judgement);

  const CheckerOptions options_;
  const CheckFunction check_;
  std::vector<Worker> workers_;
  std::unordered_map<std::uint64_t, Judgement> judgements_;
  std::set<std::uint64_t> kept_;
};

}  // namespace foldlog::power_cut

#endif  // FOLDLOG_TESTS_CRASH_CHECKER_POOL_H_
