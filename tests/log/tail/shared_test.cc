// The page that a writer and its readers share: what it says is durable is believed of this tail and this boot alone,
// and without it a reader does no worse than look for itself.

#include "engine/log/tail/shared.h"

#include <filesystem>
#include <thread>

#include "tests/support/file_bytes.h"
#include "tests/support/test_support.h"

namespace foldlog {
namespace {

constexpr LogId kId = {7};

class TailSharedTest : public testing::Test {
 protected:
  static std::unique_ptr<TailFile> NewTail(const std::string& directory) {
    EXPECT_OK(TailFile::Create(directory, kId, kTailBytesMin));
    return Tail(directory);
  }
  static std::unique_ptr<TailFile> Tail(const std::string& directory) {
    return *TailFile::Open(directory, kId, TailFile::Access::kRead);
  }
  TailShared Writer(Sequence durable) { return *TailShared::OpenForWriting(directory_.path(), *tail_, durable); }
  TailShared Reader() { return TailShared::OpenForReading(directory_.path()); }

  const TempDir directory_;
  const std::string path_ = directory_ / "tail-shm";
  const std::unique_ptr<TailFile> tail_ = NewTail(directory_.path());
};

TEST_F(TailSharedTest, ReadersSeeWhatTheWriterSays) {
  TailShared writer = Writer(3);
  const TailShared reader = Reader();
  EXPECT_EQ(reader.durable(*tail_), 3u);
  writer.SetDurable(9);
  EXPECT_EQ(reader.durable(*tail_), 9u);
}

TEST_F(TailSharedTest, NextWriterBeginsWithWhatItKnowsItself) {
  Writer(3).SetDurable(9);
  EXPECT_EQ(Reader().durable(*tail_), 9u) << "it outlives its writer";
  const TailShared reader = Reader();
  const std::uint32_t before = reader.wake_count();
  const TailShared writer = Writer(5);
  EXPECT_EQ(reader.durable(*tail_), 5u);
  EXPECT_GT(reader.wake_count(), before) << "who waits looks anew";
}

TEST_F(TailSharedTest, CopyOfALogIsToldNothing) {
  const TailShared writer = Writer(9);
  const std::string copy = directory_ / "copy";
  std::filesystem::create_directory(copy);
  for (const char* name : {"/tail", "/tail-shm"}) std::filesystem::copy_file(directory_.path() + name, copy + name);
  EXPECT_EQ(TailShared::OpenForReading(copy).durable(*Tail(copy)), 0u);
  EXPECT_EQ(TailShared::OpenForReading(copy).durable(*tail_), 9u) << "the page itself is sound";
}

// The magic, the log, the boot and the tail have to be the same, so a changed byte of them says nothing. The layout is
// that of schema/FORMAT.md.
TEST_F(TailSharedTest, PageOfAnotherLogBootOrTailSaysNothing) {
  { const TailShared writer = Writer(9); }
  const std::string sound = ReadFile(path_);
  for (const std::size_t at : {0u, 24u, 39u, 40u, 75u, 80u}) {
    std::string other = sound;
    other[at] = static_cast<char>(other[at] ^ 1);
    WriteFile(path_, other);
    EXPECT_EQ(Reader().durable(*tail_), 0u) << at;
  }
  WriteFile(path_, sound);
  EXPECT_EQ(Reader().durable(*tail_), 9u);
}

TEST_F(TailSharedTest, FileThatIsMissingOrCutShortSaysNothingAndHarmsNobody) {
  const TailShared missing = Reader();
  { const TailShared writer = Writer(9); }
  const TailShared cut = Reader();
  std::filesystem::resize_file(path_, 0);
  for (const TailShared* reader : {&missing, &cut}) {
    EXPECT_EQ(reader->durable(*tail_), 0u);
    EXPECT_EQ(reader->wake_count(), 0u);
    EXPECT_TRUE(reader->Wait(0, std::chrono::hours(1))) << "it looks again soon";
    reader->WakeWaiting();
  }
}

TEST_F(TailSharedTest, WakingIsSeenByWhoWaitsAndByWhoIsAboutTo) {
  TailShared writer = Writer(0);
  const TailShared reader = Reader();
  const std::uint32_t seen = reader.wake_count();
  std::thread waiting([&] {
    while (reader.wake_count() == seen) reader.Wait(seen, std::chrono::hours(1));
  });
  writer.Wake();
  waiting.join();
  EXPECT_TRUE(reader.Wait(seen, std::chrono::hours(1))) << "it has been woken since";
}

}  // namespace
}  // namespace foldlog
