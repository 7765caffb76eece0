#include "engine/log/store/snapshot_cache.h"

#include <fcntl.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "engine/base/word_hash.h"

namespace foldlog {
namespace {

// The head of a slot; the encoded state follows. FORMAT.md has the table.
struct SlotHeader {
  std::uint64_t hash;  // XXH3-64 of all that follows, the state included
  std::uint64_t words;
  std::uint64_t sequence;
  std::uint64_t event_hash;
};
static_assert(sizeof(SlotHeader) == 32);

constexpr std::size_t kWordBytes = sizeof(std::uint64_t);
constexpr std::size_t kHeaderWords = sizeof(SlotHeader) / kWordBytes;
// A state with its paths is far smaller; a larger one is left to the table in log.mdb.
constexpr std::size_t kSlotBytes = std::size_t{64} << 10;
constexpr std::size_t kStateWordsMax = kSlotBytes / kWordBytes - kHeaderWords;

// What the file takes of the disk from the start: both slots, and more, for GiveUp(). A pruning changes some 30 pages
// of log.mdb before it frees any.
constexpr off_t kReservedBytes = off_t{256} << 10;

// Where less is free, the log itself needs it more.
constexpr std::uint64_t kPlentyBytes = std::uint64_t{4} << 20;

off_t OffsetOf(std::size_t slot) { return static_cast<off_t>(slot * kSlotBytes); }

}  // namespace

SnapshotCache::SnapshotCache(const std::string& directory, Access access) {
  const int flags = access == Access::kWrite ? O_RDWR | O_CREAT : O_RDONLY;
  absl::StatusOr<FileDescriptor> file = OpenRegularFile(directory + "/snapshots", flags);
  if (file.ok()) file_ = *std::move(file);
  if (access == Access::kWrite) TakeReserve();
  const auto sequence_in = [this](std::size_t slot) {
    const std::optional<Snapshot> snapshot = ReadSlot(slot);
    return snapshot ? snapshot->at.sequence : 0;
  };
  oldest_ = sequence_in(0) <= sequence_in(1) ? 0 : 1;
}

// Without a flush: it is called on the engine's thread, which must not wait for the disk.
void SnapshotCache::Put(const Snapshot& snapshot) {
  if (!file_.valid() || snapshot.words.size() > kStateWordsMax) return;
  SlotHeader header{
      .hash = 0, .words = snapshot.words.size(), .sequence = snapshot.at.sequence, .event_hash = snapshot.at.hash};
  std::vector<std::uint64_t> slot(kHeaderWords);
  slot.insert(slot.end(), snapshot.words.begin(), snapshot.words.end());
  std::memcpy(slot.data(), &header, sizeof header);
  slot[0] = HashBehindFirstWord(slot);
  const auto bytes = static_cast<ssize_t>(slot.size() * kWordBytes);
  // A write that comes short leaves a slot whose hash is wrong, and the other slot intact.
  const FileSizeSignalBlocked blocked;
  if (pwrite(file_.get(), slot.data(), slot.size() * kWordBytes, OffsetOf(oldest_)) != bytes) return;
  oldest_ = (oldest_ + 1) % kSlots;
}

// The file keeps its length: what is not written holds no snapshot.
void SnapshotCache::TakeReserve() const {
  struct statfs disk = {};
  if (!file_.valid() || fstatfs(file_.get(), &disk) != 0) return;
  if (static_cast<std::uint64_t>(disk.f_bavail) * static_cast<std::uint64_t>(disk.f_bsize) < kPlentyBytes) return;
  if (fallocate(file_.get(), FALLOC_FL_KEEP_SIZE, 0, kReservedBytes) != 0) return;
}

void SnapshotCache::GiveUp() {
  if (file_.valid() && ftruncate(file_.get(), 0) != 0) return;  // then it stays
}

std::optional<Snapshot> SnapshotCache::Find(Sequence at_most) const {
  std::optional<Snapshot> newest;
  for (std::size_t slot = 0; slot < kSlots; ++slot) {
    std::optional<Snapshot> snapshot = ReadSlot(slot);
    if (snapshot && snapshot->at.sequence <= at_most) newest = Newer(std::move(newest), std::move(snapshot));
  }
  return newest;
}

std::vector<SnapshotCache::Slot> SnapshotCache::Slots() const {
  std::vector<Slot> slots;
  for (std::size_t slot = 0; file_.valid() && slot < kSlots; ++slot) {
    SlotHeader header = {};
    const bool read = pread(file_.get(), &header, sizeof header, OffsetOf(slot)) == sizeof header;
    const bool zeros = header.hash == 0 && header.words == 0 && header.sequence == 0 && header.event_hash == 0;
    slots.push_back({static_cast<std::uint64_t>(OffsetOf(slot)), !read || zeros, ReadSlot(slot)});
  }
  return slots;
}

std::optional<Snapshot> SnapshotCache::ReadSlot(std::size_t slot) const {
  SlotHeader header = {};
  if (!file_.valid() || pread(file_.get(), &header, sizeof header, OffsetOf(slot)) != sizeof header ||
      header.words > kStateWordsMax) {
    return std::nullopt;
  }
  std::vector<std::uint64_t> words(kHeaderWords + header.words);
  const auto bytes = static_cast<ssize_t>(words.size() * kWordBytes);
  // Header and state are read again together: the writer may replace the slot between the two reads.
  if (pread(file_.get(), words.data(), words.size() * kWordBytes, OffsetOf(slot)) != bytes) return std::nullopt;
  std::memcpy(&header, words.data(), sizeof header);  // the one that was read with the state
  if (header.hash != HashBehindFirstWord(words)) return std::nullopt;
  return Snapshot{{header.sequence, header.event_hash}, {words.begin() + kHeaderWords, words.end()}};
}

}  // namespace foldlog
