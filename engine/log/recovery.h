// What a writer finds out before it goes on with a log: how the last writer ended, how far the events reach that are
// there, and whether any are missing that had been durable. It reads log.mdb and the tail, and changes nothing but the
// tail's claim. engine/log/README.md tells the whole of an opening.

#ifndef FOLDLOG_LOG_RECOVERY_H_
#define FOLDLOG_LOG_RECOVERY_H_

#include "absl/status/statusor.h"
#include "engine/log/store/log_file.h"
#include "engine/log/tail/file.h"
#include "engine/log/tail/walk.h"
#include "foldlog/event_log.h"
#include "foldlog/owner.h"

namespace foldlog {

// What the files of the log say, and who asks. The caller holds the writer lock.
struct RecoveryInput {
  const LogFile& file;
  const TailFile& tail;
  Sequence durable_by_shared;  // what the shared page says is durable; 0 if nothing
  const WriterInfo& previous;  // the writer lock as it was before it was taken
  const Owner& self;
  bool accept_loss;  // whether to go on though durable events are missing
};

struct RecoveredLog {
  ChainEnd base;        // what the chain starts behind
  TailPosition stored;  // the end of what is in log.mdb
  TailContents found;   // what is behind that in the tail
  RecoveryReport report;
};

// DataLoss, naming the events, if some are missing that had been durable.
absl::StatusOr<RecoveredLog> Recover(const RecoveryInput& input);

}  // namespace foldlog

#endif  // FOLDLOG_LOG_RECOVERY_H_
