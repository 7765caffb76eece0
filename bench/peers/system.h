// System: a store that an indexer could keep its checkpoints in, behind one interface, so that foldlog and its peers
// run the same workload. An adapter does what the documentation of its store recommends for that use, and says what it
// set.
//
//   auto system = NewSystem("sqlite_row");
//   RETURN_IF_ERROR(system->Open({.directory = directory, .level = Level::kDurable}));
//   RETURN_IF_ERROR(system->Begin());
//   RETURN_IF_ERROR(system->Record(/*thread=*/0, checkpoint));
//
// Threads: Record() from so many at once as Place says, each with its own number; everything else from one.

#ifndef FOLDLOG_BENCH_PEERS_SYSTEM_H_
#define FOLDLOG_BENCH_PEERS_SYSTEM_H_

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bench/peers/record.h"

namespace foldlog::peers {

// What a checkpoint survives from the moment when the call that records it returns.
enum class Level {
  kDurable,   // power loss
  kKillSafe,  // the death of the process
};

struct Place {
  std::string directory = {};  // exists; empty if the system is new
  Level level = Level::kKillSafe;
  int threads = 1;
};

// What a system can do, and what it promises.
struct Description {
  std::string version = {};
  // What was set, as its documentation names it; and what survives what at this level.
  std::string settings = {};
  std::string promise = {};
  bool is_limit = false;       // no store: what the hardware allows
  bool keeps_history = false;  // every checkpoint can be read again, not only the latest
  bool shared = false;         // another process may read while this one writes
  bool keeps_errors = true;
  bool many_threads = true;
  bool singly = true;  // has Record(); otherwise RecordAll() only
  bool in_bulk = true;
  std::vector<Level> levels = {Level::kDurable, Level::kKillSafe};
};

class System {
 public:
  virtual ~System() = default;

  virtual Description Describe(Level level) const = 0;

  // Opens what is there, whatever became of its last writer, or creates it.
  virtual absl::Status Open(const Place& place) = 0;

  // Opens it to read, while another process writes.
  virtual absl::Status OpenToRead(const Place&) { return absl::UnimplementedError("not from another process"); }

  // Ends the operation before, if there is one, and begins the next: 1, 2, 3 …
  virtual absl::Status Begin() = 0;

  // Makes Record() possible on what Open() found.
  virtual absl::Status GoOn() { return absl::OkStatus(); }

  virtual absl::Status Record(int thread, const Checkpoint& checkpoint) = 0;

  // The same for many, in one transaction or batch of the store if it has such.
  virtual absl::Status RecordAll(std::span<const Checkpoint> checkpoints) = 0;

  // Makes everything recorded so far survive power loss.
  virtual absl::Status MakeDurable() = 0;

  virtual absl::StatusOr<Current> ReadCurrent() = 0;

  // Every checkpoint that is kept.
  virtual absl::Status Scan(const Visit&) { return absl::UnimplementedError("keeps no history"); }

  // How operation `number` stood at its end.
  virtual absl::StatusOr<Current> ReadOperation(std::int64_t) { return absl::UnimplementedError("keeps no history"); }

  virtual absl::Status Close() = 0;
};

// The system of that name, or null. A name is known only if its library was there when this was built.
std::unique_ptr<System> NewSystem(std::string_view name);

// All names that are known here, and those whose library was missing.
std::vector<std::string> SystemNames();
std::vector<std::string> MissingSystemNames();

}  // namespace foldlog::peers

#endif  // FOLDLOG_BENCH_PEERS_SYSTEM_H_
