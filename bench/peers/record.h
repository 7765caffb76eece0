// What every system is given to keep, and what it is asked for afterwards: the same checkpoints, numbered from 1, with
// the paths that an indexer of photos meets. The number of a checkpoint tells all of its content, so what a system
// gives back is checked without a copy.

#ifndef FOLDLOG_BENCH_PEERS_RECORD_H_
#define FOLDLOG_BENCH_PEERS_RECORD_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "foldlog/event.h"

namespace foldlog::peers {

// How many different paths there are. One more call of Records::From() is needed behind so many.
inline constexpr std::int64_t kRecordsInTurn = 1024;

// The checkpoints, in memory that is used again: of each, only its two numbers change. Threads: each its own.
class Records {
 public:
  Records();

  // Checkpoint `number`, valid until the next call.
  const Checkpoint& At(std::int64_t number) {
    Checkpoint& checkpoint = turn_[static_cast<std::size_t>(number % kRecordsInTurn)];
    checkpoint.files_processed = number;
    checkpoint.batch_num = number / kFilesInBatch;
    return checkpoint;
  }

  // Checkpoints from `first` on, at least one and at most `count`, valid until the next call.
  std::span<const Checkpoint> From(std::int64_t first, std::int64_t count);

 private:
  static constexpr std::int64_t kFilesInBatch = 100;
  std::vector<Checkpoint> turn_;
};

// Checkpoint `number` of a run in which every file fails.
Checkpoint Failing(const Checkpoint& checkpoint);

// A checkpoint as a system gives it back. Valid as long as the call that it is an argument of.
struct RecordView {
  std::int64_t files = 0;
  std::int64_t batch = 0;
  std::string_view path = {};
  std::string_view name = {};
  bool has_error = false;
};
RecordView ViewOf(const Checkpoint& checkpoint);
using Visit = std::function<void(const RecordView&)>;

// The state at the end: what an indexer needs to go on.
struct Current {
  std::int64_t checkpoints = 0;  // of the latest operation
  std::int64_t errors = 0;
  std::int64_t files = 0;
  std::int64_t batch = 0;
  std::string path = {};
  std::string name = {};
  RecordView view() const { return {files, batch, path, name}; }
};

// A hash of all that a checkpoint says.
std::uint64_t ContentOf(const RecordView& record);

// What checkpoints amount to, in whatever order they come.
struct Tally {
  std::int64_t checkpoints = 0;
  std::int64_t errors = 0;
  std::uint64_t content = 0;

  void Add(const RecordView& record) {
    ++checkpoints;
    errors += record.has_error ? 1 : 0;
    content += ContentOf(record);
  }
  bool operator==(const Tally&) const = default;
};

// The fold that is timed: the same for all systems, and as cheap as a fold can be that looks at every field.
struct Folded {
  std::int64_t checkpoints = 0;
  std::int64_t files = 0;
  std::int64_t batches = 0;
  std::int64_t errors = 0;
  std::string path = {};
  std::string name = {};

  void Add(const RecordView& record) {
    ++checkpoints;
    files += record.files;
    batches += record.batch;
    errors += record.has_error ? 1 : 0;
    path.assign(record.path);
    name.assign(record.name);
  }
  bool operator==(const Folded&) const = default;
};

// A checkpoint as bytes, for systems that keep bytes: the fields that foldlog's event has, its time included, without
// padding or names. Any other encoding would cost a peer more.
struct Encoding {
  std::int64_t time_ns;
  std::int64_t files;
  std::int64_t batch;
  std::int64_t errors;  // so far, this one included
  std::uint32_t path_bytes;
  std::uint32_t name_bytes;
  std::uint32_t message_bytes;
  std::uint32_t error_path_bytes;
};
static_assert(sizeof(Encoding) == 48);

// Replaces `out`, whose memory is used again.
void Encode(const Checkpoint& checkpoint, std::int64_t errors, std::string& out);

struct Decoded {
  RecordView record;
  std::int64_t errors = 0;
};
// Nothing if `bytes` is no checkpoint. May go on behind it.
std::optional<Decoded> Decode(std::string_view bytes);

}  // namespace foldlog::peers

#endif  // FOLDLOG_BENCH_PEERS_RECORD_H_
