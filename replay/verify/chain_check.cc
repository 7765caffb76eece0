#include "replay/verify/chain_check.h"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <limits>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/codec/frame.h"
#include "engine/log/store/records.h"

namespace foldlog::verify {
namespace {

struct Range {
  Sequence from = 0;
  Sequence through = 0;
};

// Where the chain begins; nothing if no record tells.
std::optional<ChainEnd> BaseOf(const StoreSurvey& survey) {
  if (survey.commit) return survey.commit->base;
  if (survey.format) return ChainEnd{0, GenesisHash(survey.format->log_id)};
  return std::nullopt;
}

// Of the events from `from` to before `until`, those that are in no run: from the first of them to the last.
std::optional<Range> Hidden(const StoreSurvey& survey, const std::vector<Run>& runs, Sequence from,
                            std::optional<Sequence> until) {
  const std::optional<ChainEnd> base = BaseOf(survey);
  const Sequence last = survey.commit ? survey.commit->end.sequence : runs.empty() ? 0 : runs.back().after.sequence;
  Range range{std::max(from, base ? base->sequence + 1 : 1), until ? std::min(*until - 1, last) : last};
  for (const Run& run : runs) {
    if (run.before.sequence < range.from && range.from <= run.after.sequence) range.from = run.after.sequence + 1;
  }
  for (auto run = runs.rbegin(); run != runs.rend(); ++run) {
    if (run->before.sequence < range.through && range.through <= run->after.sequence) {
      range.through = run->before.sequence;
    }
  }
  return range.from <= range.through ? std::optional(range) : std::nullopt;
}

VerifyFinding OfPage(const StoreSource& source, const LmdbDamage& damage) {
  VerifyFinding finding{.part = VerifyPart::kPage,
                        .file = source.path,
                        .page = damage.page,
                        .message = Sentence(damage.problem, source.path),
                        .next = Restore(source.log)};
  if (damage.page) finding.offset = *damage.page * source.survey->page_bytes;
  if (damage.table == kBatchesTable || damage.table == kOperationsTable) finding.part = VerifyPart::kIndex;
  if (damage.table == kSnapshotsTable) finding.part = VerifyPart::kSnapshot;
  // The next writer empties what can be made anew.
  if (finding.part != VerifyPart::kPage || damage.table == kLmdbFreeList) finding.next = MakeIndexAnew(source.log);
  return finding;
}

// The page that holds the event.
void Locate(const StoreSource& source, Sequence sequence, VerifyFinding& finding) {
  const auto& batches = source.survey->batches;
  const auto behind = std::upper_bound(batches.begin(), batches.end(), sequence,
                                       [](Sequence at, const LmdbEntry& entry) { return at < entry.key; });
  if (behind == batches.begin()) return;
  finding.page = std::prev(behind)->page;
  finding.offset = std::prev(behind)->offset;
}

// The check of the links.
class Links {
 public:
  Links(const StoreSource& source, const Findings& known) : source_(&source), known_(&known) {}

  // What is between two runs; `before` is the end of the first, whose hash may not be known.
  void Between(Sequence before, std::optional<std::uint64_t> hash, const ChainEnd& after, const std::string& who) {
    if (after.sequence > before) {
      Gap({before + 1, after.sequence});
    } else if (after.sequence < before) {
      Add(after.sequence + 1, {}, absl::StrCat("event ", after.sequence + 1, " is in two batches"));
    } else if (hash && *hash != after.hash) {
      Add(after.sequence + 1, {}, absl::StrCat("the chain is broken: ", who));
    }
  }

  void Gap(const Range& missing) {
    const auto& list = known_->list();
    const bool told = std::any_of(list.begin(), list.end(), [&](const VerifyFinding& finding) {
      return finding.hides_from && *finding.hides_from <= missing.through && *finding.hides_through >= missing.from;
    });
    if (told) return;
    const std::string which = missing.from == missing.through
                                  ? absl::StrCat("event ", missing.from, " is")
                                  : absl::StrCat("events ", missing.from, " to ", missing.through, " are");
    Add(missing.from, missing, which + " missing: no batch holds them");
  }

  void Add(Sequence at, std::optional<Range> hides, std::string message) {
    VerifyFinding finding{.part = VerifyPart::kChain,
                          .file = source_->path,
                          .message = std::move(message),
                          .next = Restore(source_->log)};
    if (hides) finding.hides_from = hides->from, finding.hides_through = hides->through;
    if (hides) finding.next = ReadBehind(source_->log, hides->through);
    Locate(*source_, at, finding);
    found_.Add(std::move(finding));
  }

  Findings Take() { return std::move(found_); }

 private:
  const StoreSource* source_;
  const Findings* known_;
  Findings found_;
};

// How many of `some`, which are sorted, are not among `all`.
std::uint64_t CountMissing(const std::vector<Sequence>& some, const std::vector<Sequence>& all, Sequence& first) {
  std::vector<Sequence> missing;
  std::set_difference(some.begin(), some.end(), all.begin(), all.end(), std::back_inserter(missing));
  if (!missing.empty()) first = missing.front();
  return missing.size();
}

}  // namespace

Findings ToFindings(const StoreSource& source, const std::vector<Run>& runs, bool complete) {
  Findings findings;
  for (const LmdbDamage& damage : source.survey->damages) {
    VerifyFinding finding = OfPage(source, damage);
    if (damage.table == kEventsTable) {
      // Of a tree of which only the branches were read, nothing is known to be whole.
      const auto hidden =
          Hidden(*source.survey, complete ? runs : std::vector<Run>(), damage.key_from, damage.key_until);
      if (hidden && damage.page) {
        finding.hides_from = hidden->from;
        finding.hides_through = hidden->through;
        finding.next = ReadBehind(source.log, hidden->through);
      }
    }
    findings.Add(std::move(finding));
  }
  return findings;
}

Findings CheckChain(const StoreSource& source, const std::vector<Run>& runs, bool complete, const Findings& known) {
  const StoreSurvey& survey = *source.survey;
  Links links(source, known);
  const std::optional<ChainEnd> base = BaseOf(survey);
  Sequence at = base ? base->sequence : 0;
  std::optional<std::uint64_t> hash;
  if (base) hash = base->hash;
  for (const Run& run : runs) {
    const bool first = &run == &runs.front();
    const std::string who =
        at == 0 || (base && at == base->sequence)
            ? "the first event does not name where the log begins"
            : absl::StrCat("event ", run.before.sequence + 1, " does not name the event before as its predecessor");
    if (complete || !first) links.Between(at, hash, run.before, who);
    at = run.after.sequence;
    hash = run.after.hash;
  }
  if (!survey.commit || (!complete && runs.empty())) return links.Take();
  const ChainEnd& end = survey.commit->end;
  if (at < end.sequence) links.Gap({at + 1, end.sequence});
  if (at > end.sequence) {
    links.Add(
        end.sequence + 1, {},
        absl::StrCat("there are batches up to event ", at, ", but the commit record ends with event ", end.sequence));
  }
  if (at == end.sequence && hash && *hash != end.hash) {
    links.Add(at, {}, absl::StrCat("event ", at, " is another than the one that the commit record ends with"));
  }
  return links.Take();
}

Findings CheckRowKeys(const StoreSource& source, const PartsResult& parts) {
  Findings findings;
  const StoreSurvey& survey = *source.survey;
  const auto add = [&](bool is_note, std::string message) {
    findings.Add({.part = VerifyPart::kIndex,
                  .is_note = is_note,
                  .file = source.path,
                  .message = std::move(message),
                  .next = MakeIndexAnew(source.log)});
  };
  const auto compare = [&](const char* table, const char* what, const std::vector<Sequence>& wanted,
                           const std::vector<Sequence>& stored) {
    if (survey.IsDamaged(table)) return;
    Sequence first = 0;
    const std::uint64_t missing = CountMissing(wanted, stored, first);
    if (missing > 0) {
      add(true,
          absl::StrCat(missing, " of ", wanted.size(), " rows of ", what, " are missing, the first that of event ",
                       first, ": questions about them read the events"));
    }
    // Which rows there should be is known only where all batches are.
    const std::uint64_t stray =
        parts.all_derived && !survey.IsDamaged(kEventsTable) ? CountMissing(stored, wanted, first) : 0;
    if (stray > 0) add(false, absl::StrCat(stray, " rows of ", what, " are of none, the first that of event ", first));
  };
  compare(kBatchesTable, "batches", parts.derived.batch_rows, survey.batch_rows);
  compare(kOperationsTable, "operations", parts.derived.operation_rows, survey.operation_rows);
  if (parts.derived.uncounted > 0) {
    add(true, absl::StrCat(parts.derived.uncounted, " rows of batches do not tell how many operations were over"));
  }
  if (!parts.all_derived && !survey.batches.empty()) {
    add(true, "rows and snapshots behind damaged events could not all be compared with a fold");
  }
  return findings;
}

}  // namespace foldlog::verify
