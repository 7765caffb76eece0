// Looks through one batch: its pages, its packing, its frames and their hashes and links.

#ifndef FOLDLOG_VERIFY_BATCH_CHECK_H_
#define FOLDLOG_VERIFY_BATCH_CHECK_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/log/store/batch.h"
#include "engine/log/store/lmdb/check.h"
#include "engine/log/store/log_file.h"
#include "foldlog/event_log.h"
#include "replay/verify/findings.h"
#include "replay/verify/store_survey.h"

namespace foldlog::verify {

// Where the checks read. What is pointed to must outlive them.
struct StoreSource {
  int fd = -1;  // of log.mdb
  std::string path = {};
  std::string log = {};  // the directory
  const StoreSurvey* survey = nullptr;
  const LogFile* file = nullptr;  // null: what it says of itself is damaged
};

// Intact frames, each of which names the one before.
struct Run {
  ChainEnd before;
  ChainEnd after;
};

struct CheckedBatch {
  std::vector<Run> runs = {};                  // of events behind the log's base
  std::span<const std::uint64_t> frames = {};  // all of those, if they are whole; valid until the next call
  Findings findings = {};
  bool whole() const { return !findings.has_damage() && runs.size() == 1; }
};

// Threads: one. It keeps its buffers from batch to batch.
class BatchChecker {
 public:
  explicit BatchChecker(const StoreSource& source) : source_(&source) {}

  // `through` is the last event that the batch should hold; nothing if not known. An error is none of damage.
  absl::StatusOr<CheckedBatch> Check(const LmdbEntry& entry, std::optional<Sequence> through);

  // The words of an entry of a table, wherever they are by now. Those that are not as `is_sound` wants them are read
  // again: a page that was used again may hold another entry.
  absl::StatusOr<std::span<const std::uint64_t>> ReadValue(
      const char* table, const LmdbEntry& entry, const std::function<bool(std::span<const std::uint64_t>)>& is_sound);

 private:
  absl::StatusOr<std::span<const std::uint64_t>> ReadAt(const LmdbEntry& entry);
  absl::StatusOr<std::span<const std::uint64_t>> ReadAtMoment(const FileMoment& moment, const char* table,
                                                              std::uint64_t key);
  absl::StatusOr<std::optional<std::span<const std::uint64_t>>> ReadAgain(const char* table, std::uint64_t key);
  CheckedBatch Look(const LmdbEntry& entry, std::optional<Sequence> through,
                    const absl::StatusOr<std::span<const std::uint64_t>>& stored);
  void Walk(const LmdbEntry& entry, std::optional<Sequence> through, bool packed, CheckedBatch& checked) const;
  VerifyFinding Finding(VerifyPart part, std::uint64_t offset, Sequence from, std::optional<Sequence> through,
                        std::string message) const;

  const StoreSource* source_;
  std::vector<std::uint64_t> value_;
  BatchCodec codec_{BatchCodec::Buffer::kCleared};
};

}  // namespace foldlog::verify

#endif  // FOLDLOG_VERIFY_BATCH_CHECK_H_
