// Compares what a log derives from its events, the rows of its index and its snapshots, with what its events give.

#ifndef FOLDLOG_VERIFY_DERIVED_CHECK_H_
#define FOLDLOG_VERIFY_DERIVED_CHECK_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/index/event_indexer.h"
#include "engine/log/store/lmdb/check.h"
#include "foldlog/event_log.h"
#include "foldlog/log_index.h"
#include "replay/verify/batch_check.h"
#include "replay/verify/findings.h"

namespace foldlog::verify {

// A snapshot that is to be compared: one of the file `snapshots`, or where it is in log.mdb.
struct SnapshotPlace {
  Sequence at = 0;
  LmdbEntry entry = {};
  std::optional<Snapshot> cached = {};
  std::string file = {};
  std::uint64_t offset = 0;
};

// What a part of the log gave.
struct DerivedResult {
  Findings findings = {};
  std::uint64_t uncounted = 0;                // rows of batches that do not know how many operations were over
  std::vector<Sequence> operation_rows = {};  // the keys that there should be
  std::vector<Sequence> batch_rows = {};
};

// Compares the snapshot with the state behind the event that it was taken after. Adds a finding if they differ, or if
// it can't be read.
void CompareSnapshot(const StoreSource& source, BatchChecker& reader, const SnapshotPlace& place, const ChainEnd& at,
                     const State& state, Findings& findings);

// The batches behind one event, in order. Threads: one.
class Derivation {
 public:
  // `snapshots` are those of the events to come, rising. All that is given must outlive it.
  Derivation(const StoreSource& source, EventIndexer::Progress start, std::span<const SnapshotPlace> snapshots);

  // The frames of the next batch, whole and intact. An error is none of damage.
  // Where the batch is not whole, its own row is not compared.
  absl::Status Add(std::span<const std::uint64_t> frames, bool compare_row = true);

  // What is left to compare; the result is then complete.
  absl::Status Finish();

  DerivedResult& result() { return result_; }
  const EventIndexer::Progress& progress() const { return indexer_.progress(); }

 private:
  absl::Status CompareRows();
  absl::Status CompareTable(IndexTable table, const std::vector<IndexRow>& expected);
  absl::StatusOr<std::map<std::uint64_t, IndexRow>> ReadRows(IndexTable table, const std::vector<IndexRow>& expected);
  void CompareRow(IndexTable table, const IndexRow& stored, const IndexRow& expected);

  const StoreSource* source_;
  EventIndexer indexer_;
  std::span<const SnapshotPlace> snapshots_;
  BatchChecker reader_;
  IndexRows rows_;
  DerivedResult result_;
};

}  // namespace foldlog::verify

#endif  // FOLDLOG_VERIFY_DERIVED_CHECK_H_
