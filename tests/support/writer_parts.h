// What the parts of a log's writer stand on: the files of a new log, opened for writing, and a ring that nobody drains
// or flushes unless the test lets somebody.

#ifndef FOLDLOG_TESTS_SUPPORT_WRITER_PARTS_H_
#define FOLDLOG_TESTS_SUPPORT_WRITER_PARTS_H_

#include <chrono>
#include <cstdint>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "engine/log/store/records.h"
#include "engine/log/store/store.h"
#include "engine/log/tail/file.h"
#include "engine/log/tail/ring.h"
#include "engine/log/tail/shared.h"
#include "engine/log/writer/progress.h"
#include "engine/log/writer/watched_files.h"
#include "tests/support/test_support.h"

namespace foldlog {

class WriterParts {
 public:
  explicit WriterParts(std::string directory)
      : directory_(Populated(std::move(directory))),
        tail_(TailFile::Open(directory_, kId, TailFile::Access::kWrite).value()),
        store_(Store::Open(LogFile::Open(PathOfLogFile(directory_), directory_).value(), directory_).value()),
        watched_(WatchedFiles::In(directory_).value()),
        shared_(TailShared::OpenForWriting(directory_, *tail_, 0).value()),
        progress_(directory_, shared_, 0),
        ring_(tail_->ring(), Start(), {.end = Start()}) {}

  const std::string& directory() const { return directory_; }
  TailFile& tail() const { return *tail_; }
  Store& store() { return *store_; }
  const WatchedFiles& watched() const { return watched_; }
  TailShared& shared() { return shared_; }
  WriterProgress& progress() { return progress_; }
  TailRing& ring() { return ring_; }

  // The next events as a run that continues the ring.
  FrameRun NextRun(int count, std::size_t path_bytes = 0) const {
    const std::string path(path_bytes, 'p');
    std::vector<Event> events;
    for (int i = 0; i < count; ++i) events.push_back({i, 1, Checkpoint{.files_processed = i, .current_path = path}});
    return RunAfter(ring_.end().chain, events);
  }
  void Append(int count, std::size_t path_bytes = 0) { ring_.Append(SpanOf(NextRun(count, path_bytes))); }

  // What log.mdb ends with.
  ChainEnd StoredEnd() const { return store_->file().ReadCommit().value().end; }

 private:
  static constexpr LogId kId = {7};

  static std::string Populated(std::string directory) {
    EXPECT_THAT(TailFile::Create(directory, kId, kTailBytesMin), IsOk());
    EXPECT_THAT(Store::Create(directory, kId), IsOk());
    std::ofstream(directory + "/writer.lock") << "nobody\n";
    return directory;
  }
  TailPosition Start() const { return {.position = 0, .chain = StoredEnd()}; }

  const std::string directory_;
  const std::unique_ptr<TailFile> tail_;
  const std::unique_ptr<Store> store_;
  const WatchedFiles watched_;
  TailShared shared_;
  WriterProgress progress_;
  TailRing ring_;
};

// For what has to happen soon, on any machine.
inline constexpr std::chrono::seconds kLongWait{60};

// Whether it comes to that within a long time.
template <typename Condition>
bool Eventually(const Condition& condition) {
  for (const auto end = std::chrono::steady_clock::now() + kLongWait; std::chrono::steady_clock::now() < end;) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return false;
}

}  // namespace foldlog

#endif  // FOLDLOG_TESTS_SUPPORT_WRITER_PARTS_H_
