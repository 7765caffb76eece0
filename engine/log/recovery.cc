#include "engine/log/recovery.h"

#include <algorithm>
#include <optional>
#include <span>

#include "engine/base/status_macros.h"
#include "engine/log/tail/window.h"

namespace foldlog {
namespace {

// How the last writer ended; nothing if the log had none, or its record is lost.
std::optional<OwnerFate> FateOfLastWriter(const WriterInfo& previous, const Owner& self) {
  if (!previous.writer) return std::nullopt;
  return AssessOwner(*previous.writer, previous, self);
}

// A process that dies leaves the page cache as it is. Only a death that is proven to have been one, within this boot,
// rules out a power cut.
bool PowerMayHaveGone(std::optional<OwnerFate> last_writer, const WriterInfo& previous, const Owner& self) {
  const bool same_boot = previous.writer && !self.boot_id.empty() && previous.writer->boot_id == self.boot_id;
  return !same_boot || (last_writer != OwnerFate::kProcessDied && last_writer != OwnerFate::kClosedWithoutEnd);
}

// Puts the frames that continue the chain from `at` in the copy into the ring, as far as they go; gives where that is.
// What can't be read is not put back.
TailPosition PutBack(TailWindow& copy, std::span<std::uint64_t> ring, const TailPosition& stored, TailPosition at) {
  while (true) {
    const absl::StatusOr<std::optional<TailWindow::Step>> step = copy.FrameBehind(at);
    if (!step.ok() || !step->has_value()) return at;
    const auto& [frame, behind] = **step;
    if (behind.position - stored.position > ring.size()) return at;
    const std::uint64_t place = behind.position - frame.size();
    const auto there = ring.subspan(place % ring.size(), frame.size());
    if (place != at.position) ring[at.position % ring.size()] = kSkipMark;
    if (!std::equal(frame.begin(), frame.end(), there.begin())) std::copy(frame.begin(), frame.end(), there.begin());
    at = behind;
  }
}

// Makes the ring hold what a power cut left. The copy comes first: what was durable is whole there. In the ring a frame
// of an earlier writer, which an earlier power cut tore apart, may have become whole since: by the first sectors as
// they were and the last ones as another frame of the same length has them. The chain would end with it.
void RestoreRing(const TailFile& tail, const TailPosition& stored) {
  const std::span<std::uint64_t> ring = tail.ring();
  TailWindow copy(tail, TailWindow::Sources::kCopy);
  TailPosition at = stored;
  TailPosition before;
  do {
    before = at;
    at = PutBack(copy, ring, stored, at);
    at = ScanTail(ring, at, /*search_rest=*/false).end;
  } while (at != before);
}

// Whether the ring may lack what the copy has. The death of a process leaves the ring as it was.
bool MayLackWords(const RecoveryInput& input, Sequence end, bool power_may_have_gone) {
  return power_may_have_gone || input.durable_by_shared == 0 || end < input.durable_by_shared;
}

// Compares the end of the chain with what was durable. Events up to durable must be there. Events behind them that a
// flush was working on are in doubt: nobody knows whether it ended, and so whether anyone was told that they are
// durable.
absl::Status JudgeEnd(const RecoveryInput& input, const TailClaim& claim, RecoveredLog& recovered) {
  const Sequence end = recovered.found.end.chain.sequence;
  const Sequence durable = std::max({claim.durable, input.durable_by_shared, recovered.stored.chain.sequence});
  if (end < durable) {
    if (!input.accept_loss) return input.tail.CheckNothingIsMissing(end, durable);
    recovered.report.events_lost = durable - end;
  }
  const Sequence in_doubt_from = std::max(end, durable);
  if (claim.flushing > in_doubt_from) recovered.report.events_in_doubt = claim.flushing - in_doubt_from;
  recovered.durable = std::min(end, durable);
  // A claim beyond the end would make the next opening report the same loss again, of events that this writer is about
  // to number anew.
  return claim.flushing > end ? input.tail.LowerClaims(end) : absl::OkStatus();
}

}  // namespace

absl::StatusOr<RecoveredLog> Recover(const RecoveryInput& input) {
  ASSIGN_OR_RETURN(const CommitRecord commit, input.file.ReadCommit());
  RecoveredLog recovered{
      .base = commit.base, .stored = {commit.tail_position, commit.end}, .found = {}, .durable = 0, .report = {}};
  RecoveryReport& report = recovered.report;
  report.last_writer = FateOfLastWriter(input.previous, input.self);
  const bool power_may_have_gone = !input.is_new && PowerMayHaveGone(report.last_writer, input.previous, input.self);
  // After a power cut nothing is cached, and torn frames may lie before newer ones; after the mere death of a process
  // neither is so.
  if (power_may_have_gone) input.tail.ReadAhead();
  recovered.found = ScanTail(input.tail.ring(), recovered.stored, /*search_rest=*/false);
  TailClaim claim;
  if (!input.is_new && MayLackWords(input, recovered.found.end.chain.sequence, power_may_have_gone)) {
    claim = input.tail.ReadClaims().claim;
    RETURN_IF_ERROR(input.tail.MakeDurable());
    RestoreRing(input.tail, recovered.stored);
    recovered.found = ScanTail(input.tail.ring(), recovered.stored, /*search_rest=*/power_may_have_gone);
  }
  const ChainEnd& end = recovered.found.end.chain;
  report.events_from_tail = end.sequence - commit.end.sequence;
  report.frames_discarded = recovered.found.discarded;
  RETURN_IF_ERROR(input.file.CheckNothingIsMissing(end));
  RETURN_IF_ERROR(JudgeEnd(input, claim, recovered));
  return recovered;
}

}  // namespace foldlog
