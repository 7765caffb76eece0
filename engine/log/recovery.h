// What a writer finds out before it continues a log: how the last writer ended, how far the events reach, and whether
// any are missing that were durable. It reads log.mdb and the tail, and changes nothing but the tail's claim.
// engine/log/README.md describes the whole opening.

#ifndef FOLDLOG_LOG_RECOVERY_H_
#define FOLDLOG_LOG_RECOVERY_H_

#include "absl/status/statusor.h"
#include "engine/log/store/log_file.h"
#include "engine/log/tail/file.h"
#include "engine/log/tail/walk.h"
#include "foldlog/event_log.h"
#include "foldlog/owner.h"

namespace foldlog {

// What the files of the log say, and which process asks. The caller holds the writer lock.
struct RecoveryInput {
  const LogFile& file;
  TailFile& tail;
  Sequence durable_by_shared;  // how far events are durable by the shared page; 0: it does not say
  const WriterInfo& previous;  // the writer lock before this writer took it
  const Owner& self;
  bool is_new;       // whether this opening has created the log: then there is nothing to find
  bool accept_loss;  // whether to go on although durable events are missing
};

// What Recover() found.
struct RecoveredLog {
  ChainEnd base;        // the chain starts behind this
  TailPosition stored;  // where the frames in log.mdb end
  TailContents found;   // what the tail holds behind that
  Sequence durable;     // events up to this one are durable
  RecoveryReport report;
};

// DataLoss, naming the events, if some are missing that had been durable.
absl::StatusOr<RecoveredLog> Recover(const RecoveryInput& input);

}  // namespace foldlog

#endif  // FOLDLOG_LOG_RECOVERY_H_
