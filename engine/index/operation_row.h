// An operation that is over, in a row of the table `operations`: all that a history shows of it, so that it is listed
// without reading its events. schema/FORMAT.md has the layout.

#ifndef FOLDLOG_INDEX_OPERATION_ROW_H_
#define FOLDLOG_INDEX_OPERATION_ROW_H_

#include <cstdint>
#include <optional>

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

// Nothing if the operation takes more room than a row may.
std::optional<IndexRow> EncodeOperationRow(const OperationRow& row);

// Nothing if the row is damaged, or of another version of the fold.
std::optional<OperationRow> DecodeOperationRow(const IndexRow& row);

}  // namespace foldlog

#endif  // FOLDLOG_INDEX_OPERATION_ROW_H_
