#include "engine/log/recovery.h"

#include <algorithm>
#include <optional>

#include "engine/base/status_macros.h"

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

// Compares the end of the chain with what was durable. Events up to durable must be there. Events behind them that a
// flush was working on are in doubt: nobody knows whether it ended, and so whether anyone was told that they are
// durable.
absl::Status JudgeEnd(const RecoveryInput& input, Sequence end, RecoveryReport& report) {
  const TailFile& tail = input.tail;
  const TailClaim claim = tail.ReadClaim();
  const Sequence durable = std::max(claim.durable, input.durable_by_shared);
  if (end < durable) {
    if (!input.accept_loss) return tail.CheckNothingIsMissing(end, durable);
    report.events_lost = durable - end;
  }
  const Sequence in_doubt_from = std::max(end, durable);
  if (claim.flushing > in_doubt_from) report.events_in_doubt = claim.flushing - in_doubt_from;
  // A claim beyond the end would make the next opening report the same loss again, of events that this writer is about
  // to number anew.
  if (end < claim.durable || claim.flushing > claim.durable) tail.ResetClaim(std::min(end, claim.durable));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<RecoveredLog> Recover(const RecoveryInput& input) {
  ASSIGN_OR_RETURN(const CommitRecord commit, input.file.ReadCommit());
  RecoveredLog recovered{.base = commit.base, .stored = {commit.tail_position, commit.end}, .found = {}, .report = {}};
  RecoveryReport& report = recovered.report;
  report.last_writer = FateOfLastWriter(input.previous, input.self);
  const bool power_may_have_gone = PowerMayHaveGone(report.last_writer, input.previous, input.self);
  // After a power cut nothing is cached, and torn frames may lie before newer ones; after the mere death of a process
  // neither is so.
  if (power_may_have_gone) input.tail.ReadAhead();
  recovered.found = ScanTail(input.tail.ring(), recovered.stored, /*search_rest=*/power_may_have_gone);
  const ChainEnd& end = recovered.found.end.chain;
  report.events_from_tail = end.sequence - commit.end.sequence;
  report.frames_discarded = recovered.found.discarded;
  RETURN_IF_ERROR(input.file.CheckNothingIsMissing(end));
  RETURN_IF_ERROR(JudgeEnd(input, end.sequence, report));
  return recovered;
}

}  // namespace foldlog
