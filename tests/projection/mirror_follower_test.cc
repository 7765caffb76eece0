// The follower of a log that keeps an SQLite mirror: it heals, waits, tells what it did, and ends when it must.

#include "engine/projection/mirror_follower.h"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "tests/support/sqlite_mirror_support.h"
#include "tests/support/test_support.h"

namespace foldlog {
namespace {

using absl::StatusCode;
using testing::HasSubstr;

class MirrorFollowerTest : public SqliteMirrorTest {
 protected:
  MirrorFollowerTest() { Start(); }

  std::unique_ptr<MirrorFollower> Follower() {
    auto follower = MirrorFollower::Start(path_, engine_->log());
    EXPECT_OK(follower);
    return *std::move(follower);
  }

  template <typename Condition>
  static void WaitUntil(const Condition& condition) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (!condition()) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "waited in vain";
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }

  // Everything that it has told so far.
  std::string News(MirrorFollower& follower) {
    for (const std::string& sentence : follower.TakeNews()) news_ += sentence + "\n";
    return news_;
  }

  bool IsThere() { return std::filesystem::exists(path_) && std::filesystem::file_size(path_) > 0; }

  std::string news_;
};

TEST_F(MirrorFollowerTest, ADeletedFileComesBackWithoutAnotherEventAndThatIsTold) {
  const auto follower = Follower();
  std::filesystem::remove(path_);
  WaitUntil([&] { return IsThere() && InFile() == InLog(); });
  WaitUntil([&] { return News(*follower).find("renamed, deleted or replaced") != std::string::npos; });
  EXPECT_OK(follower->Stop());
}

TEST_F(MirrorFollowerTest, ALockAtTheStartIsToldOfAndWaitedFor) {
  ASSERT_OK(CatchUp(path_));
  ASSERT_OK(engine_->Checkpoint(handle_, {.files_processed = 1}));
  std::unique_ptr<MirrorFollower> follower;
  {
    const auto locker = *SqliteDatabase::Open(path_, "file");
    SqliteTransaction lock(*locker);
    ASSERT_OK(lock.Begin());
    follower = Follower();
    EXPECT_THAT(follower->status(), Fails(StatusCode::kUnavailable, HasSubstr("database is locked")));
    EXPECT_THAT(News(*follower), HasSubstr("database is locked; it is tried again every second"));
  }
  WaitUntil([&] { return follower->status().ok(); });
  EXPECT_THAT(News(*follower), HasSubstr("is up to date again"));
  EXPECT_EQ(InFile(), InLog());
}

TEST_F(MirrorFollowerTest, StoppingBesideALockThatIsNeverLetGoTakesAFewSeconds) {
  const auto follower = Follower();
  const auto locker = *SqliteDatabase::Open(path_, "file");
  SqliteTransaction lock(*locker);
  ASSERT_OK(lock.Begin());
  ASSERT_OK(engine_->Checkpoint(handle_, {.files_processed = 1}));
  WaitUntil([&] { return !follower->status().ok(); });
  const auto before = std::chrono::steady_clock::now();
  EXPECT_THAT(follower->Stop(), Fails(StatusCode::kUnavailable, HasSubstr("makes up for what it missed")));
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(30));  // a few, on a machine that is busy
}

TEST_F(MirrorFollowerTest, AForeignFileIsReportedUntilItIsGone) {
  const auto follower = Follower();
  {
    std::ofstream(path_ + ".text") << std::string(4096, 'x');
    std::filesystem::rename(path_ + ".text", path_);
  }
  WaitUntil([&] { return !follower->status().ok(); });
  EXPECT_THAT(follower->status(), Fails(StatusCode::kInvalidArgument, HasSubstr("give another file")));
  std::filesystem::remove(path_);
  WaitUntil([&] { return follower->status().ok(); });
  EXPECT_EQ(InFile(), InLog());
  EXPECT_FALSE(follower->ended());
}

TEST_F(MirrorFollowerTest, WhatCannotBeAMirrorIsRefusedAtTheStart) {
  std::ofstream(path_) << std::string(4096, 'x');
  EXPECT_THAT(MirrorFollower::Start(path_, engine_->log()), Fails(StatusCode::kInvalidArgument, testing::_));
}

TEST_F(MirrorFollowerTest, ALogThatCannotBeReadEndsIt) {
  const auto follower = Follower();
  ASSERT_OK(engine_->Close());
  WaitUntil([&] { return follower->ended(); });
  EXPECT_FALSE(follower->Stop().ok());
}

}  // namespace
}  // namespace foldlog
