// An operation that is over, in a row of the table `operations`: all that a history shows of it, so that it is listed
// without reading its events. schema/FORMAT.md has the layout.
//
// Operations of a log resemble each other. So rows stand in groups: the first of a group is packed by itself, the
// others with the first one's state as a dictionary, which leaves a quarter of them.

#ifndef FOLDLOG_INDEX_OPERATION_ROW_H_
#define FOLDLOG_INDEX_OPERATION_ROW_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "foldlog/event_log.h"
#include "foldlog/log_index.h"
#include "foldlog/state.h"

namespace foldlog {

struct OperationRow {
  // 1, 2, 3 … without gaps, in the order in which operations ended: so a missing row is noticed.
  std::uint64_t ordinal = 0;
  // The event that took it off the row while it was active; nothing if it ended.
  std::optional<Sequence> reset_by = {};
  // As of its last event. Its key is operation.first_sequence.
  Operation operation = {};
  bool operator==(const OperationRow&) const = default;
};

// The groups are those of 32 ordinals that follow each other: 1 to 32, 33 to 64 …
inline constexpr std::uint64_t kRowsInAGroup = 32;

// The first row of a group.
struct GroupHead {
  Sequence key = 0;
  std::uint64_t ordinal = 0;
  std::vector<std::uint64_t> state = {};
};

// Makes rows, in the order of their ordinals. Copies freely. Threads: one at a time.
class OperationRowEncoder {
 public:
  // To go on behind rows that are stored: the first row of the group that the next one is in. Without it the rest of
  // the group takes more room, and reads as well.
  void Resume(const IndexRow& first);

  // Nothing if the operation takes more room than a row may.
  std::optional<IndexRow> Encode(const OperationRow& row);

 private:
  std::shared_ptr<const GroupHead> head_ = {};
};

// Reads rows, in any order; it is quick in the order of their ordinals, rising or falling. The log must outlive it.
// Threads: one at a time.
class OperationRowDecoder {
 public:
  explicit OperationRowDecoder(const EventLog& log) : log_(&log) {}

  // Nothing if the row, or the first of its group, is damaged or of another version of the fold.
  std::optional<OperationRow> Decode(const IndexRow& row);

 private:
  bool FindHead(Sequence key);

  const EventLog* log_;
  GroupHead head_ = {};  // key 0: none yet
};

}  // namespace foldlog

#endif  // FOLDLOG_INDEX_OPERATION_ROW_H_
