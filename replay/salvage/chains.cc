#include "replay/salvage/chains.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "engine/base/status_macros.h"
#include "engine/codec/frame.h"

namespace foldlog::salvage {
namespace {

auto Begin(const Piece& piece) { return std::tuple(piece.first, piece.before); }
auto Whole(const Piece& piece) { return std::tuple(piece.first, piece.before, piece.last, piece.after); }

// The copies of a page are many, and all but one of them are of no use.
void ForgetCopies(std::vector<Piece>& pieces) {
  std::sort(pieces.begin(), pieces.end(), [](const Piece& a, const Piece& b) { return Whole(a) < Whole(b); });
  const auto same = [](const Piece& a, const Piece& b) { return Whole(a) == Whole(b); };
  pieces.erase(std::unique(pieces.begin(), pieces.end(), same), pieces.end());
  pieces.shrink_to_fit();
}

// Adds the parts of a piece between those events at which others end.
absl::Status Cut(const Piece& piece, const std::vector<Sequence>& ends, PieceReader& reader,
                 std::vector<Piece>& parts) {
  auto end = std::lower_bound(ends.begin(), ends.end(), piece.first);
  if (end == ends.end() || *end >= piece.last) {
    parts.push_back(piece);
    return absl::OkStatus();
  }
  const absl::StatusOr<std::span<const std::uint64_t>> frames = reader.Load(piece);
  if (absl::IsDataLoss(frames.status())) return absl::OkStatus();  // has changed since it was found
  RETURN_IF_ERROR(frames.status());
  Piece part = piece;
  part.frame_words = 0;
  for (std::span<const std::uint64_t> rest = *frames; !rest.empty();) {
    const std::optional<FrameView> frame = FrameAtStartOf(rest);
    if (!frame) return absl::DataLossError("a piece has changed while it was salvaged");
    part.last = frame->header.sequence;
    part.after = frame->header.hash;
    part.frame_words += static_cast<std::uint32_t>(frame->size_words());
    rest = rest.subspan(frame->size_words());
    while (end != ends.end() && *end < part.last) ++end;
    if (!rest.empty() && (end == ends.end() || *end != part.last)) continue;
    parts.push_back(part);
    part.first = part.last + 1;
    part.before = part.after;
    part.at += part.frame_words;
    part.frame_words = 0;
  }
  return absl::OkStatus();
}

// Pieces that overlap none of the others are as they are.
absl::StatusOr<std::vector<Piece>> CutOverlapping(std::vector<Piece> pieces, Sequence base,
                                                  const std::optional<ChainEnd>& commit, PieceReader& reader) {
  std::vector<Piece> parts;
  for (std::size_t from = 0; from < pieces.size();) {
    std::size_t until = from;
    std::vector<Sequence> ends;
    for (Sequence last = 0; until < pieces.size() && (until == from || pieces[until].first <= last); ++until) {
      last = std::max(last, pieces[until].last);
      ends.push_back(pieces[until].first - 1);
      ends.push_back(pieces[until].last);
    }
    if (commit) ends.push_back(commit->sequence);
    ends.push_back(base);
    std::sort(ends.begin(), ends.end());
    ends.erase(std::unique(ends.begin(), ends.end()), ends.end());
    for (; from < until; ++from) RETURN_IF_ERROR(Cut(pieces[from], ends, reader, parts));
  }
  return parts;
}

}  // namespace

absl::StatusOr<Chains> Chains::Of(std::vector<Piece> pieces, Sequence base, std::optional<ChainEnd> commit,
                                  PieceReader& reader) {
  ForgetCopies(pieces);
  ASSIGN_OR_RETURN(std::vector<Piece> parts, CutOverlapping(std::move(pieces), base, commit, reader));
  std::erase_if(parts, [base](const Piece& part) { return part.last <= base; });
  ForgetCopies(parts);
  return Chains(std::move(parts), commit);
}

// From the last to the first, so that what a piece leads to is known.
Chains::Chains(std::vector<Piece> pieces, std::optional<ChainEnd> commit)
    : pieces_(std::move(pieces)), ways_(pieces_.size()), best_(pieces_.size(), kNone), taken_(pieces_.size()) {
  for (std::size_t i = pieces_.size(); i-- > 0;) {
    const Piece& piece = pieces_[i];
    Way& way = ways_[i];
    way.through = piece.last;
    way.committed = commit && *commit == ChainEnd{piece.last, piece.after};
    way.next = Best(piece.last + 1, piece.after);
    if (way.next != kNone) {
      way.through = ways_[way.next].through;
      way.committed = way.committed || ways_[way.next].committed;
    }
    // Those with the same beginning are neighbours: the best so far goes on to the first of them.
    best_[i] = static_cast<std::uint32_t>(i);
    const bool has_equal = i + 1 < pieces_.size() && Begin(pieces_[i + 1]) == Begin(piece);
    if (has_equal && IsBetter(best_[i + 1], best_[i])) best_[i] = best_[i + 1];
  }
}

bool Chains::IsBetter(std::uint32_t a, std::uint32_t b) const {
  return std::tuple(ways_[a].committed, ways_[a].through) > std::tuple(ways_[b].committed, ways_[b].through);
}

std::uint32_t Chains::Best(Sequence first, std::uint64_t before) const {
  const auto found = std::lower_bound(pieces_.begin(), pieces_.end(), std::tuple(first, before),
                                      [](const Piece& piece, const auto& wanted) { return Begin(piece) < wanted; });
  if (found == pieces_.end() || Begin(*found) != std::tuple(first, before)) return kNone;
  return best_[static_cast<std::size_t>(found - pieces_.begin())];
}

Chain Chains::Take(std::uint32_t first) {
  Chain chain;
  for (std::uint32_t at = first; at != kNone; at = ways_[at].next) {
    if (taken_[at]) break;
    taken_[at] = true;
    chain.pieces.push_back(at);
    chain.after = {pieces_[at].last, pieces_[at].after};
  }
  return chain;
}

Chain Chains::Behind(const ChainEnd& before) {
  Chain chain = Take(Best(before.sequence + 1, before.hash));
  chain.before = before;
  if (chain.pieces.empty()) chain.after = before;
  return chain;
}

std::optional<Chain> Chains::NextBehind(Sequence sequence) {
  while (next_ < pieces_.size() && (taken_[next_] || pieces_[next_].first <= sequence)) ++next_;
  if (next_ == pieces_.size()) return std::nullopt;
  std::uint32_t best = next_;
  for (std::uint32_t at = next_; at < pieces_.size() && pieces_[at].first == pieces_[next_].first; ++at) {
    if (!taken_[at] && IsBetter(at, best)) best = at;
  }
  const Piece& piece = pieces_[best];
  Chain chain = Take(best);
  chain.before = {piece.first - 1, piece.before};
  return chain;
}

std::uint64_t Chains::CountOthers(Sequence& first) const {
  std::uint64_t count = 0;
  for (std::size_t i = 0; i < pieces_.size(); ++i) {
    if (taken_[i]) continue;
    if (count == 0) first = pieces_[i].first;
    count += pieces_[i].count();
  }
  return count;
}

}  // namespace foldlog::salvage
