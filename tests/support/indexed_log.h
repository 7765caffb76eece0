// A log on disk with an index of many batches.

#ifndef FOLDLOG_TESTS_SUPPORT_INDEXED_LOG_H_
#define FOLDLOG_TESTS_SUPPORT_INDEXED_LOG_H_

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "foldlog/event_index.h"
#include "foldlog/log_directory.h"
#include "tests/support/test_support.h"

namespace foldlog {

class IndexedLog {
 public:
  // Appends events and closes the log: they go into the store, as batches of their own.
  void Store(const std::vector<Event>& events) {
    Append(events);
    ASSERT_OK(writer_.log->Close());
    writer_.log.reset();
  }

  // Appends events and leaves the log open: they stay in the tail, for the index knows nothing of them.
  void Append(const std::vector<Event>& events) {
    if (!writer_.log) {
      LogDirectoryOptions options = SmallTail();
      options.indexer = NewEventIndexer();
      ASSERT_OK_AND_ASSIGN(writer_, OpenLogForWriting(path(), options));
    }
    ASSERT_OK_AND_ASSIGN(const LogExtent extent, writer_.log->Extent());
    ASSERT_OK(writer_.log->Append(RunAfter(extent.end, events), Space::kUnreserved));
  }

  std::unique_ptr<EventLog> Read() const {
    auto log = OpenLogForReading(path());
    EXPECT_OK(log);
    return log.ok() ? *std::move(log) : nullptr;
  }

 private:
  std::string path() const { return directory_ / "log"; }

  TempDir directory_;
  WritableLog writer_;
};

}  // namespace foldlog

#endif  // FOLDLOG_TESTS_SUPPORT_INDEXED_LOG_H_
