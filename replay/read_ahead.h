// Reads parts of a log ahead of whoever uses them, on several threads, and gives what they hold in the order in which
// the parts were planned.
//
// Threads: one calls; those of its own each read a part at a time. The caller reads parts, too, where it would have to
// wait: so it is never slower than alone, and needs no thread at all. Invariant: parts are given, and counted, only by
// Take(); what was read beyond that nobody sees. In a child made by fork() there are no threads, and the log is closed:
// what is planned there is read by the caller, and fails.

#ifndef FOLDLOG_REPLAY_READ_AHEAD_H_
#define FOLDLOG_REPLAY_READ_AHEAD_H_

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <vector>

#include "engine/base/background_thread.h"
#include "engine/base/fork_guard.h"
#include "foldlog/event_log.h"
#include "foldlog/event_query.h"
#include "foldlog/order.h"
#include "replay/part_reader.h"

namespace foldlog {

// The log and the filter must outlive it.
class ReadAhead {
 public:
  // `jobs`: how many parts are read at once, the caller's among them; 0: one for each processor that this process may
  // use.
  ReadAhead(const EventLog& log, const EventFilter& filter, Order order, int jobs = 0);
  ~ReadAhead();
  ReadAhead(const ReadAhead&) = delete;
  ReadAhead& operator=(const ReadAhead&) = delete;

  // Whether another part should be planned now. At first one is enough, for many a question needs no more; then more
  // and more.
  bool WantsMore() const { return shared_->slots.size() < ahead_; }
  bool empty() const { return shared_->slots.empty(); }

  // The part must be of one batch.
  void Plan(const Part& part);

  // What the first part that was planned holds; there must be one.
  struct Taken {
    Part part;
    FoundPart found;
  };
  Taken Take();

 private:
  enum class Progress { kPlanned, kBeingRead, kRead };
  struct Slot {
    Part part;
    Progress progress = Progress::kPlanned;
    FoundPart found = {};
  };
  // What the threads share. Guarded by `mutex`; but only the caller adds and removes slots, which stay where they are
  // meanwhile.
  struct Shared {
    std::mutex mutex = {};
    std::condition_variable changed = {};
    std::deque<std::unique_ptr<Slot>> slots = {};
    std::size_t held_bytes = 0;  // of the events in slots that were read
    bool stop = false;

    Slot* FirstPlanned();
    void Read(std::unique_lock<std::mutex>& lock, Slot& slot, PartReader& reader);
  };

  void ReadUntilFirstIsRead(std::unique_lock<std::mutex>& lock);
  void StartThreads();
  void Work();

  const EventLog* log_;
  const EventFilter* filter_;
  const Order order_;
  const std::size_t jobs_;
  const ForkGuard process_;
  PartReader reader_;      // the caller's
  std::size_t ahead_ = 1;  // parts to have planned
  bool started_ = false;
  std::unique_ptr<Shared> shared_;
  std::vector<std::unique_ptr<BackgroundThread>> threads_;
};

}  // namespace foldlog

#endif  // FOLDLOG_REPLAY_READ_AHEAD_H_
