// The columns that tell of an operation, in runs and in state_at.

#ifndef FOLDLOG_SQL_OPERATION_ROW_H_
#define FOLDLOG_SQL_OPERATION_ROW_H_

#include <vector>

#include "foldlog/state.h"
#include "replay/sql/table.h"

namespace foldlog::sql {

// In the order of the columns.
enum OperationColumn {
  kFirstSequence,
  kLastSequence,
  kId,
  kType,
  kStatus,
  kStartedAt,
  kUpdatedAt,
  kEndedAt,
  kActiveS,
  kPausedS,
  kTotalFiles,
  kFiles,
  kErrors,
  kCheckpoints,
  kRate,
  kCurrent,
  kLastFile,
  kBatch,
  kInterruptions,
  kProcessDied,
  kMachineRebooted,
  kClosedWithoutEnd,
  kForced,
  kFailure,
  kPauseReason,
  kRoots,
  kMetadata,
  kStats,
  kHost,
  kProgram,
  kPid,
  kOperationColumns
};

// In which only those columns are usable that `usable` names.
std::vector<Column> OperationColumns(const std::vector<OperationColumn>& usable);

Value ColumnOf(const Operation& operation, int column);

}  // namespace foldlog::sql

#endif  // FOLDLOG_SQL_OPERATION_ROW_H_
