// Group commit: of the threads that wait for the tail to become durable at the same time one, the leader, flushes it
// for all (DeWitt et al., Implementation Techniques for Main Memory Database Systems, SIGMOD 1984).

#ifndef FOLDLOG_LOG_GROUP_FLUSH_H_
#define FOLDLOG_LOG_GROUP_FLUSH_H_

#include <atomic>
#include <chrono>
#include <cstdint>

#include "absl/status/status.h"
#include "engine/log/tail_file.h"
#include "engine/log/tail_ring.h"
#include "engine/log/tail_shared.h"
#include "engine/log/writer_health.h"

namespace foldlog {

// Any number of threads.
class GroupFlush {
 public:
  GroupFlush(const TailFile& file, const TailRing& ring, TailShared& shared, WriterHealth& health, Sequence durable)
      : file_(file), ring_(ring), shared_(shared), health_(health), durable_(durable) {}

  // Returns when all events up to `through` are durable, or the writer has stopped.
  absl::Status Sync(Sequence through);

  // Events up to `through` have become durable by another way: in LMDB.
  void NoteDurable(Sequence through);

  Sequence durable() const { return durable_.load(std::memory_order_acquire); }

 private:
  void Lead();
  void WaitForCompany() const;

  const TailFile& file_;
  const TailRing& ring_;
  TailShared& shared_;
  WriterHealth& health_;
  std::atomic<Sequence> durable_;
  std::atomic<bool> led_ = false;           // somebody flushes right now
  std::atomic<std::uint32_t> rounds_ = 0;   // flushes done: what followers wait on
  std::atomic<int> waiting_ = 0;            // threads in Sync(), the leader among them
  int company_ = 1;                         // the leader's: how many the last round was for
  std::chrono::nanoseconds flush_time_{0};  // the leader's: how long the last flush took
};

}  // namespace foldlog

#endif  // FOLDLOG_LOG_GROUP_FLUSH_H_
