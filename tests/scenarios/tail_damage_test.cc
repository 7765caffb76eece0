// Files `tail` and `tail-shm` with any bytes in them, of any kind and size: a clear error or passed over, for reading
// and for writing, and never the end of the process.

#include <sys/stat.h>
#include <xxhash.h>

#include <cstring>
#include <functional>
#include <iostream>

#include "engine/log/tail/walk.h"
#include "foldlog/history.h"
#include "foldlog/log_directory.h"
#include "tests/support/child_process.h"
#include "tests/support/file_bytes.h"
#include "tests/support/tail_bytes.h"
#include "tests/support/test_support.h"

namespace foldlog {
namespace {

using absl::StatusCode;
using testing::HasSubstr;

constexpr std::size_t kPageBytes = 4096;
constexpr std::size_t kHeaderBytes = 48;
constexpr Sequence kEvents = 11;

class TailDamageTest : public testing::Test {
 protected:
  // A log with some events in LMDB and the last ones in the tail.
  TailDamageTest() {
    EXPECT_EQ(InChild([&] {
                LogDirectoryOptions options = SmallTail();
                options.flush_interval = std::chrono::hours(1);
                auto engine = Engine::Open(log_dir_, {.directory = options});
                if (!engine.ok() || !(*engine)->Start({}).ok() || !(*engine)->Close().ok()) return 1;
                engine = Engine::Open(log_dir_, {.directory = options});
                for (int i = 1; i < static_cast<int>(kEvents); ++i) {
                  if (!(*engine)->Checkpoint(*(*engine)->current_handle(), {.files_processed = i}).ok()) return 2;
                }
                kill(getpid(), SIGKILL);
                return 3;
              }),
              -1);
    good_ = ReadFile(tail_);
  }

  // In a child: opens, reads everything, writes far enough to go round the ring, and reads again. The exit code says
  // how far it came: 0 all of it, 1 opening was refused with an error that names the file. A signal is -1.
  static int UseForWriting(const std::string& log, const std::string& file) {
    auto engine = Engine::Open(log);
    if (!engine.ok()) return Refused(engine.status(), file);
    if (ReadAll((*engine)->log()).size() != (*engine)->state().sequence) return 2;
    const auto handle = (*engine)->current_handle();
    if (!handle) return 3;
    for (int i = 0; i < 1000; ++i) {
      if (!(*engine)->Checkpoint(*handle, {.files_processed = i}).ok()) return 4;
    }
    if (ReadAll((*engine)->log()).size() != (*engine)->state().sequence) return 5;
    return (*engine)->Close().ok() ? 0 : 6;
  }

  static int UseForReading(const std::string& log, const std::string& file) {
    const auto reader = OpenLogForReading(log);
    if (!reader.ok()) return Refused(reader.status(), file);
    const auto extent = (*reader)->Extent();
    if (!extent.ok()) return 2;
    if (extent->end.sequence < 1 || extent->end.sequence > kEvents) return 3;
    if (extent->durable_through < extent->stored_through || extent->durable_through > extent->end.sequence) return 4;
    if (ReadAll(**reader).size() != extent->end.sequence) return 5;
    return ReadHistory(**reader).ok() && (*reader)->WaitForMore(kEvents, std::chrono::milliseconds(1)).ok() ? 0 : 6;
  }

  static int Refused(const absl::Status& status, const std::string& file) {
    std::cerr << status << "\n";
    return std::string(status.message()).find(file) == std::string::npos ? 9 : 1;
  }

  // What came of each.
  struct Outcome {
    int reading;
    int writing;
  };
  Outcome Try(const std::string& file) {
    Outcome outcome{};
    outcome.reading = InChild([&] { return UseForReading(log_dir_, file); });
    outcome.writing = InChild([&] { return UseForWriting(log_dir_, file); });
    return outcome;
  }

  void SetTail(const std::string& bytes) { WriteFile(tail_, bytes); }

  std::size_t RingOffset() const { return TailRingOffset(good_); }

  // The whole log as it was before it was used.
  void Restore() {
    std::filesystem::remove_all(log_dir_);
    std::filesystem::copy(backup_, log_dir_);
  }
  void KeepBackup() { std::filesystem::copy(log_dir_, backup_); }

  TempDir directory_;
  const std::string log_dir_ = directory_ / "log";
  const std::string backup_ = directory_ / "backup";
  const std::string tail_ = log_dir_ + "/tail";
  const std::string shared_ = log_dir_ + "/tail-shm";
  std::string good_;
};

constexpr int kDone = 0;
constexpr int kRefused = 1;

#define EXPECT_OUTCOME(reading_code, writing_code, outcome) \
  do {                                                      \
    const auto result = (outcome);                          \
    EXPECT_EQ(result.reading, reading_code);                \
    EXPECT_EQ(result.writing, writing_code);                \
  } while (false)

TEST_F(TailDamageTest, UnharmedTailIsReadWhole) {
  EXPECT_EQ(OpenLogForReading(log_dir_).value()->Extent()->end.sequence, kEvents);
  EXPECT_OUTCOME(kDone, kDone, Try("tail"));
}

TEST_F(TailDamageTest, TailOfAnyOtherSizeIsRefused) {
  for (const std::size_t bytes :
       {std::size_t{0}, std::size_t{1}, kHeaderBytes - 1, kHeaderBytes, kPageBytes, good_.size() / 2,
        good_.size() - kPageBytes, good_.size() - 1, good_.size() + 1, good_.size() + kPageBytes}) {
    std::string bytes_of_tail = good_;
    bytes_of_tail.resize(bytes);
    SetTail(bytes_of_tail);
    SCOPED_TRACE(bytes);
    const std::string what = bytes < kPageBytes ? " is cut short" : " does not have the size";
    EXPECT_THAT(OpenLogForReading(log_dir_), Fails(StatusCode::kDataLoss, HasSubstr(tail_ + what)));
    EXPECT_OUTCOME(kRefused, kRefused, Try("tail"));
  }
}

TEST_F(TailDamageTest, MissingTailIsRefused) {
  std::filesystem::remove(tail_);
  EXPECT_THAT(OpenLogForReading(log_dir_), Fails(StatusCode::kDataLoss, HasSubstr("has lost its file \"tail\"")));
  EXPECT_OUTCOME(kRefused, kRefused, Try("tail"));
  EXPECT_FALSE(std::filesystem::exists(tail_));
}

TEST_F(TailDamageTest, EveryBitOfTheHeaderIsGuarded) {
  for (std::size_t bit = 0; bit < kHeaderBytes * 8; ++bit) {
    std::string bytes = good_;
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ 1 << bit % 8);
    SetTail(bytes);
    EXPECT_THAT(OpenLogForReading(log_dir_), Fails(StatusCode::kDataLoss, HasSubstr("damaged header"))) << bit;
    EXPECT_THAT(OpenLogForWriting(log_dir_), Fails(StatusCode::kDataLoss, HasSubstr("damaged header"))) << bit;
  }
  SetTail(good_);
  EXPECT_OUTCOME(kDone, kDone, Try("tail"));
}

// The header of `bytes` with the value at `offset` changed, and with the right hash all the same.
template <typename T>
std::string WithHeaderField(std::string bytes, std::size_t offset, T value) {
  std::memcpy(bytes.data() + offset, &value, sizeof value);
  const std::uint64_t hash = XXH3_64bits(bytes.data(), kHeaderBytes - sizeof hash);
  std::memcpy(bytes.data() + kHeaderBytes - sizeof hash, &hash, sizeof hash);
  return bytes;
}

TEST_F(TailDamageTest, HeaderOfAnotherLogSizeOrVersionIsRefusedThoughItsHashIsRight) {
  constexpr std::size_t kVersionAt = 8;
  constexpr std::size_t kHeaderBytesAt = 12;
  constexpr std::size_t kLogIdAt = 16;
  constexpr std::size_t kRingBytesAt = 32;
  EXPECT_EQ(WithHeaderField(good_, kVersionAt, std::uint32_t{3}), good_);

  SetTail(WithHeaderField(good_, kVersionAt, std::uint32_t{4}));
  EXPECT_THAT(OpenLogForReading(log_dir_), Fails(StatusCode::kFailedPrecondition, HasSubstr("use a newer foldlog")));
  EXPECT_OUTCOME(kRefused, kRefused, Try("tail"));
  SetTail(WithHeaderField(good_, kHeaderBytesAt, std::uint32_t{4096}));
  EXPECT_OUTCOME(kRefused, kRefused, Try("tail"));
  SetTail(WithHeaderField(good_, kLogIdAt, std::uint64_t{7}));
  EXPECT_THAT(OpenLogForReading(log_dir_), Fails(StatusCode::kDataLoss, HasSubstr("belongs to another log")));
  EXPECT_OUTCOME(kRefused, kRefused, Try("tail"));
  for (const std::uint64_t ring_bytes : {std::uint64_t{0}, std::uint64_t{4096}, std::uint64_t{65'528},
                                         std::uint64_t{1} << 40, ~std::uint64_t{0}, ~std::uint64_t{0} - 4095}) {
    SetTail(WithHeaderField(good_, kRingBytesAt, ring_bytes));
    EXPECT_THAT(OpenLogForReading(log_dir_), Fails(StatusCode::kDataLoss, HasSubstr("does not have the size")));
    EXPECT_OUTCOME(kRefused, kRefused, Try("tail"));
  }
}

TEST_F(TailDamageTest, TailOfAnotherLogIsRefused) {
  { ASSERT_OK(OpenLogForWriting(directory_ / "other", SmallTail())); }
  std::filesystem::copy_file(directory_ / "other/tail", tail_, std::filesystem::copy_options::overwrite_existing);
  EXPECT_THAT(OpenLogForWriting(log_dir_), Fails(StatusCode::kDataLoss, HasSubstr("belongs to another log")));
  EXPECT_OUTCOME(kRefused, kRefused, Try("tail"));
}

TEST_F(TailDamageTest, WhatIsNoFileIsRefused) {
  std::filesystem::rename(tail_, directory_ / "kept");
  const std::vector<std::function<void()>> something_else = {
      [&] { std::filesystem::create_directory(tail_); },
      [&] { std::filesystem::create_symlink(directory_ / "kept", tail_); },
      [&] { ASSERT_EQ(mkfifo(tail_.c_str(), 0600), 0); },
  };
  for (const auto& put_there : something_else) {
    put_there();
    const auto refused = Fails(StatusCode::kFailedPrecondition, HasSubstr(tail_ + " is not a regular file"));
    EXPECT_THAT(OpenLogForReading(log_dir_), refused);
    EXPECT_THAT(OpenLogForWriting(log_dir_), refused);
    EXPECT_OUTCOME(kRefused, kRefused, Try("tail"));
    std::filesystem::remove(tail_);
  }
  std::filesystem::rename(directory_ / "kept", tail_);
  EXPECT_OUTCOME(kDone, kDone, Try("tail"));
}

// As a copy may be that leaves zeros out: storing into a hole would need room that a full disk does not have.
TEST_F(TailDamageTest, SparseTailIsReadAndFilledBeforeItIsWrittenTo) {
  std::filesystem::remove(tail_);
  { std::ofstream(tail_).write(good_.data(), static_cast<std::streamsize>(RingOffset() + kPageBytes)); }
  ASSERT_EQ(truncate(tail_.c_str(), static_cast<off_t>(good_.size())), 0);
  ASSERT_EQ(ReadFile(tail_), good_);
  struct stat info = {};
  ASSERT_EQ(stat(tail_.c_str(), &info), 0);
  ASSERT_LT(info.st_blocks * 512, info.st_size) << "this file system keeps no holes";
  EXPECT_EQ(InChild([&] { return UseForReading(log_dir_, "tail"); }), kDone);
  { EXPECT_OK(OpenLogForWriting(log_dir_)); }
  ASSERT_EQ(stat(tail_.c_str(), &info), 0);
  EXPECT_GE(info.st_blocks * 512, info.st_size);
  EXPECT_EQ(OpenLogForReading(log_dir_).value()->Extent()->end.sequence, kEvents);
}

TEST_F(TailDamageTest, AnyWordsInTheRingEndTheChainAndNothingElse) {
  KeepBackup();
  std::mt19937_64 random(TestSeed());
  const std::vector<std::uint64_t> likely = {kSkipMark,
                                             kFrameMagic,
                                             kFrameMagic | (std::uint64_t{64} << 32),
                                             kFrameMagic | (std::uint64_t{4 << 20} << 32),
                                             ~std::uint64_t{0},
                                             0};
  for (int i = 0; i < 60; ++i) {
    std::string bytes = good_;
    const std::size_t within = i % 2 == 0 ? 2048 : bytes.size() - RingOffset();  // mostly where the events are
    for (std::uint64_t hits = 1 + random() % 8; hits > 0; --hits) {
      const std::uint64_t word = random() % 2 == 0 ? random() : likely[random() % likely.size()];
      std::memcpy(bytes.data() + RingOffset() + random() % (within / 8) * 8, &word, sizeof word);
    }
    Restore();
    SetTail(bytes);
    SCOPED_TRACE(i);
    EXPECT_OUTCOME(kDone, kDone, Try("tail"));
  }
}

TEST_F(TailDamageTest, RingOfNoiseHoldsNoEvents) {
  std::mt19937_64 random(TestSeed());
  std::string bytes = good_;
  for (std::size_t at = RingOffset(); at < bytes.size(); ++at) bytes[at] = static_cast<char>(random());
  SetTail(bytes);
  EXPECT_EQ(OpenLogForReading(log_dir_).value()->Extent()->end.sequence, 1u);
  EXPECT_OUTCOME(kDone, kDone, Try("tail"));
}

// The shared page is only ever help: readers do without it, and what it claims is kept within what there is.
TEST_F(TailDamageTest, AnyBytesInTheSharedPageAreHarmless) {
  KeepBackup();
  std::mt19937_64 random(TestSeed());
  const std::string page = ReadFile(shared_);
  ASSERT_EQ(page.size(), kPageBytes);
  std::vector<std::string> pages = {
      "",         "x", page.substr(0, 80), page.substr(0, 4095), std::string(4096, '\xff'), std::string(4096, '\0'),
      page + page};
  for (int i = 0; i < 30; ++i) {
    std::string bytes = page;
    // Not the claim itself: a greater one says that the log has lost events.
    for (int hits = 0; hits < 3; ++hits) bytes[(24 + random() % 72) % 80] = static_cast<char>(random());
    pages.push_back(bytes);
  }
  for (const std::string& bytes : pages) {
    Restore();
    WriteFile(shared_, bytes);
    EXPECT_OUTCOME(kDone, kDone, Try("tail-shm"));
  }
}

// What was durable on a running machine cannot be gone by itself.
TEST_F(TailDamageTest, TailThatEndsBeforeWhatWasDurableIsRefusedUntilTheClaimIsRemoved) {
  std::string page = ReadFile(shared_);
  const auto claim = [&](std::uint64_t durable) {
    constexpr std::size_t kDurableAt = 16;
    std::memcpy(page.data() + kDurableAt, &durable, sizeof durable);
    WriteFile(shared_, page);
  };
  claim(5);
  EXPECT_EQ(OpenLogForReading(log_dir_).value()->Extent()->durable_through, 5u);
  claim(kEvents);
  std::string damaged = good_;
  const std::size_t frame = damaged.rfind("FLG1");  // the last
  ASSERT_NE(frame, std::string::npos);
  damaged[frame + 40] = static_cast<char>(damaged[frame + 40] ^ 1);
  SetTail(damaged);
  const auto refused =
      Fails(StatusCode::kDataLoss,
            testing::AllOf(HasSubstr(tail_), HasSubstr("events 11 to 11 were durable"), HasSubstr("--accept-loss")));
  EXPECT_EQ(OpenLogForReading(log_dir_).value()->Extent()->missing_through, kEvents);
  EXPECT_THAT(OpenLogForReading(log_dir_).value()->Read(kEvents, 1), refused);
  EXPECT_THAT(OpenLogForWriting(log_dir_), refused);
  EXPECT_EQ(ReadFile(tail_), damaged);
  std::filesystem::remove(shared_);
  EXPECT_EQ(OpenLogForReading(log_dir_).value()->Extent()->end.sequence, kEvents - 1);
  EXPECT_OUTCOME(kDone, kDone, Try("tail"));
}

// A copy has its own tail, which may be older than what the page was copied from.
TEST_F(TailDamageTest, SharedPageThatWasCopiedIsNotBelieved) {
  std::string page = ReadFile(shared_);
  constexpr std::size_t kDurableAt = 16;
  constexpr std::uint64_t kClaim = kEvents + 7;
  std::memcpy(page.data() + kDurableAt, &kClaim, sizeof kClaim);
  WriteFile(shared_, page);
  EXPECT_EQ(OpenLogForReading(log_dir_).value()->Extent()->missing_through, kClaim);
  KeepBackup();
  EXPECT_EQ(OpenLogForReading(backup_).value()->Extent()->missing_through, 0u);
  EXPECT_OK(OpenLogForWriting(backup_));
}

TEST_F(TailDamageTest, SharedPageOfAnotherBootOrLogIsNotBelieved) {
  const std::string page = ReadFile(shared_);
  constexpr std::size_t kDurableAt = 16;
  constexpr std::size_t kLogIdAt = 24;
  constexpr std::size_t kBootIdAt = 40;
  for (const std::size_t other : {std::size_t{0}, kLogIdAt, kBootIdAt}) {
    std::string bytes = page;
    bytes[kDurableAt] = 5;
    WriteFile(shared_, bytes);
    EXPECT_EQ(OpenLogForReading(log_dir_).value()->Extent()->durable_through, 5u);
    bytes[other] = static_cast<char>(bytes[other] ^ 1);
    WriteFile(shared_, bytes);
    EXPECT_EQ(OpenLogForReading(log_dir_).value()->Extent()->durable_through, 1u) << other;
  }
}

TEST_F(TailDamageTest, SharedPageThatIsNoFileIsPassedOverByReadersAndRefusedByWriters) {
  std::filesystem::remove(shared_);
  EXPECT_EQ(InChild([&] { return UseForReading(log_dir_, "tail-shm"); }), kDone);
  std::filesystem::create_directory(shared_);
  EXPECT_OUTCOME(kDone, kRefused, Try("tail-shm"));
  std::filesystem::remove(shared_);
  std::filesystem::create_symlink(tail_, shared_);
  EXPECT_OUTCOME(kDone, kRefused, Try("tail-shm"));
  std::filesystem::remove(shared_);
  ASSERT_EQ(mkfifo(shared_.c_str(), 0600), 0);
  EXPECT_OUTCOME(kDone, kRefused, Try("tail-shm"));
  std::filesystem::remove(shared_);
  EXPECT_OUTCOME(kDone, kDone, Try("tail-shm"));
}

}  // namespace
}  // namespace foldlog
