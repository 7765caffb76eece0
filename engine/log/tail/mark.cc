#include "engine/log/tail/mark.h"

#include <xxhash.h>

#include <algorithm>
#include <cstring>

namespace foldlog {
namespace {

// The page has two slots, one in each of its first two sectors. Put() writes them in turns, so a power cut tears one of
// them at most.
struct Slot {
  std::uint64_t version;  // the higher one counts
  std::uint64_t durable;
  std::uint64_t flushing;
  std::uint64_t hash;  // XXH3-64 of all before it
};
static_assert(sizeof(Slot) == 32);

constexpr std::size_t kSlots = 2;
constexpr std::size_t kSlotDistance = 512;

std::uint64_t HashOf(const Slot& slot) { return XXH3_64bits(&slot, offsetof(Slot, hash)); }

Slot ReadSlot(std::span<const std::byte, kTailMarkBytes> page, std::size_t number) {
  Slot slot = {};
  std::memcpy(&slot, &page[number * kSlotDistance], sizeof slot);
  return slot;
}

// The intact slot of the higher version; version 0 if neither is intact.
Slot NewestSlot(std::span<const std::byte, kTailMarkBytes> page) {
  Slot newest = {};
  for (std::size_t i = 0; i < kSlots; ++i) {
    const Slot slot = ReadSlot(page, i);
    if (slot.hash == HashOf(slot) && slot.version > newest.version) newest = slot;
  }
  return newest;
}

}  // namespace

TailClaim ReadTailClaim(std::span<const std::byte, kTailMarkBytes> page) {
  const Slot newest = NewestSlot(page);
  return {newest.durable, std::max(newest.durable, newest.flushing)};
}

std::size_t CountTornSlots(std::span<const std::byte, kTailMarkBytes> page) {
  std::size_t torn = 0;
  for (std::size_t i = 0; i < kSlots; ++i) {
    const Slot slot = ReadSlot(page, i);
    const bool written = slot.version != 0 || slot.durable != 0 || slot.flushing != 0 || slot.hash != 0;
    if (written && slot.hash != HashOf(slot)) ++torn;
  }
  return torn;
}

// The constructor only reads the page. Opening a log without appending to it must not dirty the page, or it would cost
// a write to the disk.
TailMark::TailMark(std::span<std::byte, kTailMarkBytes> page)
    : page_(page), version_(NewestSlot(page).version), claim_{.durable = ReadTailClaim(page).durable} {}

void TailMark::NoteFlushing(Sequence through) {
  const std::lock_guard lock(mutex_);
  // Two flushes may run at once and end in either order: neither may lower what the other has noted.
  claim_.flushing = std::max(claim_.flushing, through);
  Put();
}

void TailMark::NoteFlushed(Sequence through) {
  const std::lock_guard lock(mutex_);
  claim_.durable = std::max(claim_.durable, through);
  Put();
}

void TailMark::Reset(Sequence durable) {
  const std::lock_guard lock(mutex_);
  claim_ = {durable, durable};
  Put();
}

// Under mutex_. The other slot stays as it was: it counts if a power cut tears this one.
void TailMark::Put() {
  Slot slot{.version = ++version_, .durable = claim_.durable, .flushing = claim_.flushing, .hash = 0};
  slot.hash = HashOf(slot);
  std::memcpy(&page_[version_ % kSlots * kSlotDistance], &slot, sizeof slot);
}

}  // namespace foldlog
