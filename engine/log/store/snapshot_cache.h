// The file `snapshots` of a log directory: the two newest snapshots, written as they are taken and never flushed. When
// its writer is killed, the kernel still has them, so the next opening folds a few thousand events at most, however
// many are in the tail. After a power cut the file may hold anything, which does no harm: a snapshot is believed if its
// hash is right, and used if it is of an event of the log. A file that is missing or foreign holds no snapshots.

#ifndef FOLDLOG_LOG_STORE_SNAPSHOT_CACHE_H_
#define FOLDLOG_LOG_STORE_SNAPSHOT_CACHE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/base/file_system.h"
#include "foldlog/event_log.h"

namespace foldlog {

// Threads: one may put while others find. Invariant: of the two slots, Put() overwrites the older.
class SnapshotCache {
 public:
  enum class Access { kRead, kWrite };
  // Never fails: without a usable file there are no snapshots.
  SnapshotCache(const std::string& directory, Access access);

  // Replaces the older snapshot. One that is too large, or cannot be written, is dropped.
  void Put(const Snapshot& snapshot);

  // Gives the file's room back to the disk, with what is in it: it is more than the snapshots need, and so the reserve
  // for what makes room on a full disk. TakeReserve() takes it again, as an opening does; it never fails, but where
  // little is free there is none.
  void GiveUp();
  void TakeReserve() const;

  // The newest intact snapshot at or before `at_most`.
  std::optional<Snapshot> Find(Sequence at_most) const;

  // What each slot holds: for who checks the file.
  struct Slot {
    std::uint64_t offset = 0;
    bool is_empty = false;                  // never written, or beyond the end
    std::optional<Snapshot> snapshot = {};  // nothing if its hash is wrong
  };
  std::vector<Slot> Slots() const;

 private:
  static constexpr std::size_t kSlots = 2;

  std::optional<Snapshot> ReadSlot(std::size_t slot) const;

  FileDescriptor file_;
  std::size_t oldest_ = 0;
};

// The snapshot of the later event; nothing if there is neither.
inline std::optional<Snapshot> Newer(std::optional<Snapshot> one, std::optional<Snapshot> other) {
  const bool take_other = other && (!one || other->at.sequence > one->at.sequence);
  return take_other ? std::move(other) : std::move(one);
}

}  // namespace foldlog

#endif  // FOLDLOG_LOG_STORE_SNAPSHOT_CACHE_H_
