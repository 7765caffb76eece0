#include "engine/log/tail/copy.h"

#include <xxhash.h>

namespace foldlog {
namespace {

std::uint64_t HashOf(const TailClaim& claim, std::uint64_t number) {
  return XXH3_64bits_withSeed(&claim, sizeof claim, number);
}

}  // namespace

void SetClaim(CopyPage& page, std::uint64_t number, const TailClaim& claim) {
  page.claim = claim;
  page.hash = HashOf(claim, number);
}

std::optional<TailClaim> ReadClaim(const CopyPage& page, std::uint64_t number) {
  if (page.claim == TailClaim{} && page.hash == 0) return TailClaim{};
  const bool intact = page.hash == HashOf(page.claim, number) && page.claim.durable <= page.claim.flushing;
  return intact ? std::optional(page.claim) : std::nullopt;
}

}  // namespace foldlog
