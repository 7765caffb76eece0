// What is open does not cross fork(): neither locks nor threads nor LMDB's reader slots follow into the child.

#ifndef FOLDLOG_BASE_FORK_GUARD_H_
#define FOLDLOG_BASE_FORK_GUARD_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"

namespace foldlog {

// Remembers the process that made it. Asking costs a load, for it is asked before every command.
class ForkGuard {
 public:
  ForkGuard();

  bool IsInside() const;

  // FailedPrecondition in any process but that one. To be asked before a mutex is touched: in a child a thread that is
  // not there may hold it.
  absl::Status Check(const std::string& log_name) const { return IsInside() ? absl::OkStatus() : Refuse(log_name); }

 private:
  absl::Status Refuse(const std::string& log_name) const;

  std::uint64_t number_;
  std::int64_t pid_;
};

}  // namespace foldlog

#endif  // FOLDLOG_BASE_FORK_GUARD_H_
