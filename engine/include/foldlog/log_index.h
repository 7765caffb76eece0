// The index of a log: rows beside the events that say what is in them, so that questions need not read them all.
//
// It is derived: it can be made anew from the events, and whoever finds it damaged or incomplete answers from the
// events. To the log its rows are opaque. A LogIndexer makes them when events go into the log's store, in the same
// transaction; event_index.h has the one that foldlog uses.

#ifndef FOLDLOG_LOG_INDEX_H_
#define FOLDLOG_LOG_INDEX_H_

#include <cstdint>
#include <span>
#include <vector>

namespace foldlog {

class EventLog;

// One table has a row for each batch of events in the store, the other one for each operation that is over.
enum class IndexTable { kBatches, kOperations };

// Keys are sequence numbers, in rising order; the words are the indexer's.
struct IndexRow {
  std::uint64_t key = 0;
  std::vector<std::uint64_t> words = {};
  bool operator==(const IndexRow&) const = default;
};

struct IndexRows {
  std::vector<IndexRow> batches = {};
  std::vector<IndexRow> operations = {};
};

// Makes the rows of events that are about to be stored. It cannot fail: a row that it can't make is left out, and
// readers read the events instead. Threads: one at a time.
//
//   indexer.Begin(stored, at);                            // for each transaction …
//   for (const auto& batch : batches) {
//     for (const auto& frame : batch) indexer.Add(frame);
//     indexer.EndBatch(rows);
//   }
//   …                                                     // … the transaction
//   if (committed) indexer.Accept();
class LogIndexer {
 public:
  virtual ~LogIndexer() = default;
  LogIndexer(const LogIndexer&) = delete;
  LogIndexer& operator=(const LogIndexer&) = delete;

  // What follows continues event `at` of `stored`, the last one that is stored and indexed. If what was accepted last
  // ends there, nothing is read; else what is needed of `stored` is.
  virtual void Begin(const EventLog& stored, std::uint64_t at) = 0;

  // The next frame of a batch, one whole frame. Its words must stay until EndBatch().
  virtual void Add(std::span<const std::uint64_t> frame) = 0;

  // What was added since the last call is a batch: adds its rows.
  virtual void EndBatch(IndexRows& rows) = 0;

  // What was accepted, folded: the words of a snapshot of its last event. False if that is not known.
  virtual bool EncodeFold(std::vector<std::uint64_t>& words) { return words.clear(), false; }

  // All that was added since Begin() is stored. Without this call, the next Begin() goes back to what was.
  virtual void Accept() = 0;

 protected:
  LogIndexer() = default;
};

}  // namespace foldlog

#endif  // FOLDLOG_LOG_INDEX_H_
