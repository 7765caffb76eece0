// MemoryLog: an EventLog that lives and dies with the process. For tests, and for programs that want the transitions
// without a disk.
//
//   ASSIGN_OR_RETURN(auto engine, Engine::Open(WritableLog{.log = NewMemoryLog()}));
//
// It passes the same contract suite as the logs on disk. Of their errors it has Aborted, OutOfRange, InvalidArgument
// and, after Close(), FailedPrecondition.

#ifndef FOLDLOG_MEMORY_LOG_H_
#define FOLDLOG_MEMORY_LOG_H_

#include <memory>

#include "foldlog/event_log.h"

namespace foldlog {

// An empty log, which the caller owns. "Durable" means here: until the object is destroyed. Threads: any thread may
// call any method. Its memory grows with every event.
std::unique_ptr<EventLog> NewMemoryLog();

}  // namespace foldlog

#endif  // FOLDLOG_MEMORY_LOG_H_
