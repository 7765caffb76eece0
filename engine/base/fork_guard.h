// Open logs do not cross fork(): neither locks nor threads nor LMDB's environment follow into the child.

#ifndef FOLDLOG_BASE_FORK_GUARD_H_
#define FOLDLOG_BASE_FORK_GUARD_H_

#include <atomic>
#include <cstdint>
#include <string>

#include "absl/status/status.h"

namespace foldlog {

// Remembers the process that made it. A check costs one load, because every command makes one. Threads: any.
class ForkGuard {
 public:
  ForkGuard();

  bool IsInside() const {
    return page_ != nullptr ? page_->load(std::memory_order_relaxed) == number_ : IsSameProcess();
  }

  // FailedPrecondition in any process but the one that made this. To be called before a mutex is locked: in a child, a
  // thread that does not exist there may hold it.
  absl::Status Check(const std::string& log_name) const { return IsInside() ? absl::OkStatus() : Refuse(log_name); }

 private:
  absl::Status Refuse(const std::string& log_name) const;
  bool IsSameProcess() const;

  const std::atomic<std::uint64_t>* page_;  // wiped in a child; null where the kernel can't
  std::uint64_t number_;
  std::int64_t pid_;
};

}  // namespace foldlog

#endif  // FOLDLOG_BASE_FORK_GUARD_H_
