#include "replay/read_ahead.h"

#include <algorithm>
#include <utility>

#include "replay/processors.h"

namespace foldlog {
namespace {

// More than this the caller could not use up.
constexpr std::size_t kJobsMax = 8;

// So many parts for each job are planned at most: some take longer than others.
constexpr std::size_t kAheadPerJob = 4;

// Threads cost as much as a part or two; short questions end before they are started.
constexpr std::size_t kAheadWithoutThreads = 4;

// While so much waits to be given, nothing is read ahead.
constexpr std::size_t kHeldBytesMax = std::size_t{4} << 20;

std::size_t JobsOf(int jobs) {
  return jobs > 0 ? static_cast<std::size_t>(jobs) : std::min<std::size_t>(ProcessorsAllowed(), kJobsMax);
}

}  // namespace

ReadAhead::ReadAhead(const EventLog& log, const EventFilter& filter, Order order, int jobs)
    : log_(&log),
      filter_(&filter),
      order_(order),
      jobs_(JobsOf(jobs)),
      reader_(log, filter, order),
      shared_(std::make_unique<Shared>()) {}

// In a child, threads cannot be waited for, and what they share may be in any state: it stays where it is.
ReadAhead::~ReadAhead() {
  if (!process_.IsInside()) {
    for (std::unique_ptr<BackgroundThread>& thread : threads_) static_cast<void>(thread.release());
    static_cast<void>(shared_.release());
    return;
  }
  {
    const std::lock_guard lock(shared_->mutex);
    shared_->stop = true;
  }
  shared_->changed.notify_all();
  for (const std::unique_ptr<BackgroundThread>& thread : threads_) thread->Join();
}

void ReadAhead::Plan(const Part& part) {
  auto slot = std::make_unique<Slot>(Slot{.part = part});
  if (!process_.IsInside()) return shared_->slots.push_back(std::move(slot));
  {
    const std::lock_guard lock(shared_->mutex);
    shared_->slots.push_back(std::move(slot));
  }
  shared_->changed.notify_one();
}

ReadAhead::Slot* ReadAhead::Shared::FirstPlanned() {
  const auto found =
      std::find_if(slots.begin(), slots.end(), [](const auto& slot) { return slot->progress == Progress::kPlanned; });
  return found == slots.end() ? nullptr : found->get();
}

void ReadAhead::Shared::Read(std::unique_lock<std::mutex>& lock, Slot& slot, PartReader& reader) {
  slot.progress = Progress::kBeingRead;
  lock.unlock();
  FoundPart found = reader.Read(slot.part);
  lock.lock();
  held_bytes += found.bytes;
  slot.found = std::move(found);
  slot.progress = Progress::kRead;
}

ReadAhead::Taken ReadAhead::Take() {
  if (jobs_ > 1) ahead_ = std::min(2 * ahead_, kAheadPerJob * jobs_);
  std::deque<std::unique_ptr<Slot>>& slots = shared_->slots;
  if (!process_.IsInside()) {
    const Part part = slots.front()->part;
    slots.pop_front();
    return {part, reader_.Read(part)};
  }
  if (ahead_ > kAheadWithoutThreads) StartThreads();
  std::unique_lock lock(shared_->mutex);
  ReadUntilFirstIsRead(lock);
  std::unique_ptr<Slot> first = std::move(slots.front());
  slots.pop_front();
  shared_->held_bytes -= first->found.bytes;
  lock.unlock();
  shared_->changed.notify_one();
  return {first->part, std::move(first->found)};
}

// The caller reads what no thread has begun with, before it waits.
void ReadAhead::ReadUntilFirstIsRead(std::unique_lock<std::mutex>& lock) {
  Slot& first = *shared_->slots.front();
  while (first.progress != Progress::kRead) {
    Slot* const next = shared_->FirstPlanned();
    if (next == &first || (next != nullptr && shared_->held_bytes < kHeldBytesMax)) {
      shared_->Read(lock, *next, reader_);
    } else {
      shared_->changed.wait(lock);
    }
  }
}

// A system that has no thread to give costs time only.
void ReadAhead::StartThreads() {
  if (std::exchange(started_, true)) return;
  while (threads_.size() + 1 < jobs_) {
    auto thread = std::make_unique<BackgroundThread>();
    if (!thread->Start("foldlog-read", [this] { Work(); }).ok()) return;
    threads_.push_back(std::move(thread));
  }
}

void ReadAhead::Work() {
  PartReader reader(*log_, *filter_, order_);
  std::unique_lock lock(shared_->mutex);
  while (!shared_->stop) {
    Slot* const next = shared_->held_bytes < kHeldBytesMax ? shared_->FirstPlanned() : nullptr;
    if (next == nullptr) {
      shared_->changed.wait(lock);
    } else {
      shared_->Read(lock, *next, reader);
      shared_->changed.notify_all();
    }
  }
}

}  // namespace foldlog
