#include "replay/verify/base_check.h"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/codec/frame.h"
#include "engine/codec/state_codec.h"
#include "engine/index/index_reader.h"
#include "engine/log/store/log_file.h"
#include "engine/log/store/stored_log.h"
#include "replay/verify/store_survey.h"

namespace foldlog::verify {
namespace {

class BaseCheck {
 public:
  BaseCheck(const StoreSource& source, const ChainEnd& base) : source_(source), base_(base) {}

  absl::StatusOr<Findings> Run() {
    absl::StatusOr<std::vector<PrunedRange>> ranges = source_.file->ReadPruned();
    if (absl::IsDataLoss(ranges.status())) {
      Add(VerifyPart::kRecord, Sentence(ranges.status(), source_.path));
      return std::move(findings_);
    }
    RETURN_IF_ERROR(ranges.status());
    CheckSeams(*ranges);
    RETURN_IF_ERROR(CheckState());
    RETURN_IF_ERROR(CheckRows(ranges->back().operations));
    return std::move(findings_);
  }

 private:
  void Add(VerifyPart part, std::string message) {
    findings_.Add({.part = part, .file = source_.path, .message = std::move(message), .next = Restore(source_.log)});
  }

  // Each range begins where the one before ends, and the first where the log began.
  void CheckSeams(const std::vector<PrunedRange>& ranges) {
    ChainEnd at = {0,
                   source_.survey->format ? GenesisHash(source_.survey->format->log_id) : ranges.front().before.hash};
    for (const PrunedRange& range : ranges) {
      if (range.before != at) {
        Add(VerifyPart::kRecord, absl::StrCat("the record of what was pruned up to event ", range.behind.sequence,
                                              " does not continue what was pruned before, up to event ", at.sequence));
      }
      at = range.behind;
    }
  }

  absl::Status CheckState() {
    const absl::StatusOr<std::optional<Snapshot>> found = source_.file->ReadBase();
    if (!found.ok() && !absl::IsDataLoss(found.status())) return found.status();
    absl::Status why = found.status();
    if (found.ok() && *found) {
      const absl::StatusOr<State> state = DecodeState((*found)->words);
      why = state.status();
      if (state.ok() && state->sequence != (*found)->at.sequence) why = absl::DataLossError("it is of another event");
    }
    if (why.ok()) return absl::OkStatus();
    Add(VerifyPart::kRecord,
        absl::StrCat("the state at the base, event ", base_.sequence,
                     ", from which all later ones are folded, can't be read: ", Sentence(why, source_.path)));
    return absl::OkStatus();
  }

  absl::Status CheckRows(std::uint64_t operations) {
    const StoredLog log(*source_.file, source_.log);
    OperationRows rows(log, 0, IndexOrder::kRising);
    std::uint64_t found = 0;
    while (found < operations) {
      const absl::StatusOr<std::optional<OperationRow>> row = rows.Next();
      if (!row.ok() && !absl::IsDataLoss(row.status())) return row.status();
      if (!row.ok() || !*row || (*row)->ordinal != found + 1) break;
      ++found;
    }
    if (found == operations) return absl::OkStatus();
    Add(VerifyPart::kIndex,
        absl::StrCat("of the ", operations, " operations whose events were pruned, the history has only the first ",
                     found, ": a row is damaged or missing, and can't be made anew"));
    return absl::OkStatus();
  }

  const StoreSource& source_;
  const ChainEnd base_;
  Findings findings_;
};

}  // namespace

absl::StatusOr<Findings> CheckBase(const StoreSource& source) {
  if (source.file == nullptr) return Findings();
  ASSIGN_OR_RETURN(const CommitRecord commit, source.file->ReadCommit());
  if (commit.base.sequence == 0) return Findings();
  return BaseCheck(source, commit.base).Run();
}

}  // namespace foldlog::verify
