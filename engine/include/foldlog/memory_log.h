// MemoryLog: an EventLog that lives and dies with the process. For tests, and for programs that want the transitions
// without a disk.

#ifndef FOLDLOG_MEMORY_LOG_H_
#define FOLDLOG_MEMORY_LOG_H_

#include <memory>

#include "foldlog/event_log.h"

namespace foldlog {

// An empty log. "Durable" means here: until the object goes.
std::unique_ptr<EventLog> NewMemoryLog();

}  // namespace foldlog

#endif  // FOLDLOG_MEMORY_LOG_H_
