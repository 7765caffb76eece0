// The structure of log.mdb at one moment, as far as it can be read: where every batch and snapshot is, what the records
// say, and which pages are damaged.

#ifndef FOLDLOG_VERIFY_STORE_SURVEY_H_
#define FOLDLOG_VERIFY_STORE_SURVEY_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/log/store/lmdb/check.h"
#include "engine/log/store/lmdb/file.h"
#include "engine/log/store/records.h"
#include "foldlog/event.h"
#include "replay/verify/findings.h"

namespace foldlog::verify {

struct StoreSurvey {
  std::uint64_t file_bytes = 0;
  std::uint64_t page_bytes = 4096;
  std::uint64_t txn_id = 0;  // of the transaction that was walked
  bool walked = false;       // false: no meta page shows one

  // What the records say, if their hashes are right.
  std::optional<FormatRecord> format = {};
  std::optional<CommitRecord> commit = {};
  std::optional<CommitRecord> beyond = {};  // a later commit that the older meta page leads to

  // By their keys, rising. Empty in a survey of branches.
  std::vector<LmdbEntry> batches = {};
  std::vector<LmdbEntry> snapshots = {};
  std::vector<Sequence> batch_rows = {};
  std::vector<Sequence> operation_rows = {};
  std::vector<Sequence> rows_kept = {};  // of operations whose events were pruned

  std::vector<LmdbDamage> damages = {};  // of pages
  Findings findings = {};                // of all else

  // Whether the log's base lies in the first of `batches`.
  bool IsCutByBase(const LmdbEntry& entry) const { return entry.key <= base(); }
  Sequence base() const { return commit ? commit->base.sequence : 0; }
  bool IsDamaged(const char* table) const;
};

// `fd` is the open file at `path`, `log` its directory. Begins anew if a writer has changed the file so that pages may
// have been used again. Errors: FailedPrecondition, it is no file of a log or has another format; Unavailable.
absl::StatusOr<StoreSurvey> SurveyStore(int fd, const std::string& path, const std::string& log, LmdbDepth depth);

}  // namespace foldlog::verify

#endif  // FOLDLOG_VERIFY_STORE_SURVEY_H_
