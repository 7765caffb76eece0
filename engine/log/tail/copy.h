// The durable copy of the ring, as it stands in the file `tail`: pages of the ring's words, each with a mark that says
// how far events were durable when it was written. Only the copy is ever flushed. The ring itself is in memory that all
// threads write to; flushing it would make the next store to each of its pages a page fault.
//
// After a power cut the marks separate the events that must be there, whose damage is a loss, from those that the power
// cut may have torn. schema/FORMAT.md has the layout.

#ifndef FOLDLOG_LOG_TAIL_COPY_H_
#define FOLDLOG_LOG_TAIL_COPY_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "foldlog/event.h"

namespace foldlog {

// What a mark says.
struct TailClaim {
  Sequence durable = 0;   // events up to this one were flushed by this writer or an earlier one
  Sequence flushing = 0;  // a flush of events up to this one had begun
  bool operator==(const TailClaim&) const = default;
};

inline constexpr std::size_t kCopyPageWords = 509;

// Aligned as a write that goes past the page cache wants it.
struct alignas(4096) CopyPage {
  std::array<std::uint64_t, kCopyPageWords> words;  // page n: those from n * kCopyPageWords on
  TailClaim claim;                                  // these stand in the page's last sector, so no power cut tears them
  std::uint64_t hash;                               // XXH3-64 of the claim, the page's number as seed
};
static_assert(sizeof(CopyPage) == 4096);

// The pages that the copy of a ring takes.
inline std::uint64_t CopyPages(std::uint64_t ring_words) { return (ring_words + kCopyPageWords - 1) / kCopyPageWords; }

// Makes the mark of page `number` say `claim`.
void SetClaim(CopyPage& page, std::uint64_t number, const TailClaim& claim);

// What the mark says; nothing if it is damaged. One that was never written claims nothing.
std::optional<TailClaim> ReadClaim(const CopyPage& page, std::uint64_t number);

}  // namespace foldlog

#endif  // FOLDLOG_LOG_TAIL_COPY_H_
