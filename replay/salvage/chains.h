// Puts pieces in order: which of them follow each other, and which chain of them is the log.

#ifndef FOLDLOG_SALVAGE_CHAINS_H_
#define FOLDLOG_SALVAGE_CHAINS_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "foldlog/event_log.h"
#include "replay/salvage/search.h"

namespace foldlog::salvage {

// Pieces that follow each other.
struct Chain {
  ChainEnd before = {};
  ChainEnd after = {};
  std::vector<std::uint32_t> pieces = {};
};

// Where several ways lead on, the one that leads through the newest commit is taken, else the longest. Threads: one.
class Chains {
 public:
  // Pieces that overlap are cut where others begin or end, and what is there twice is forgotten; so are events up to
  // `base`, which were pruned. `commit`: the end of the newest commit, if it is known.
  static absl::StatusOr<Chains> Of(std::vector<Piece> pieces, Sequence base, std::optional<ChainEnd> commit,
                                   PieceReader& reader);

  const Piece& piece(std::uint32_t number) const { return pieces_[number]; }
  bool empty() const { return pieces_.empty(); }

  // The chain that begins behind `before`, perhaps an empty one. Its pieces are taken.
  Chain Behind(const ChainEnd& before);

  // The chain that begins with the first event behind event `sequence` that is left. The number must not fall from call
  // to call.
  std::optional<Chain> NextBehind(Sequence sequence);

  // Events in pieces that were not taken, and the first of them.
  std::uint64_t CountOthers(Sequence& first) const;

 private:
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};

  // What a piece leads to.
  struct Way {
    Sequence through = 0;
    std::uint32_t next = kNone;
    bool committed = false;
  };

  Chains(std::vector<Piece> pieces, std::optional<ChainEnd> commit);
  std::uint32_t Best(Sequence first, std::uint64_t before) const;
  bool IsBetter(std::uint32_t a, std::uint32_t b) const;
  Chain Take(std::uint32_t first);

  std::vector<Piece> pieces_;  // by their first event, then by the hash that it names
  std::vector<Way> ways_;
  std::vector<std::uint32_t> best_;  // of the pieces with the same beginning, at the first of them
  std::vector<bool> taken_;
  std::uint32_t next_ = 0;  // no piece before it is left behind the event that was asked for last
};

}  // namespace foldlog::salvage

#endif  // FOLDLOG_SALVAGE_CHAINS_H_
