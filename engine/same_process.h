// What is open does not cross fork(): neither locks nor LMDB's reader slots follow into the child.

#ifndef FOLDLOG_SAME_PROCESS_H_
#define FOLDLOG_SAME_PROCESS_H_

#include <sys/types.h>
#include <unistd.h>

#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace foldlog {

// FailedPrecondition in any process but the one that opened the log. To be asked before a mutex is touched: in a child a
// thread that is not there may hold it.
inline absl::Status CheckSameProcess(pid_t opened_by, const std::string& log_name) {
  if (getpid() == opened_by) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat("the log ", log_name, " was opened by process ", opened_by,
                                                    ", not by this child of it; open the log again here"));
}

}  // namespace foldlog

#endif  // FOLDLOG_SAME_PROCESS_H_
