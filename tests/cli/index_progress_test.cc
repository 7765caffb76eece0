// How far an indexing run says it has come, and how often.

#include "tools/cli/index_progress.h"

#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tools/cli/output.h"

namespace foldlog::cli {
namespace {

indexer::Progress SomeProgress() {
  indexer::Progress progress;
  progress.files_done = 1000;
  progress.files_total = 4000;
  progress.files_per_s = 100.0;
  progress.current_path = "/photos/\x1b]0;x\x07\u6570.jpg";
  return progress;
}

TEST(ProgressTest, TheLineIsEscapedAndFits) {
  EXPECT_EQ(ProgressLine(SomeProgress(), 200),
            "1,000 of 4,000 files (25.0 %), 100.0 files/s, 30.0 s left  /photos/\\x1b]0;x\\x07\u6570.jpg");
  EXPECT_EQ(ProgressLine(SomeProgress(), 20), "1,000 of 4,000 files");
  indexer::Progress progress = SomeProgress();
  progress.errors = 1;
  progress.files_total.reset();
  progress.current_path = "";
  EXPECT_EQ(ProgressLine(progress, 200), "1,000 files, 100.0 files/s, 1 error");
  progress.stage = indexer::Progress::Stage::kCounting;
  EXPECT_EQ(ProgressLine(progress, 200), "Counting: 1,000 files, 1 error");
}

// Runs a display on a file, with a clock that the test sets, and says what it wrote.
class DisplayTest : public testing::Test {
 protected:
  void SetUp() override {
    path_ = testing::TempDir() + "display_test." + std::to_string(getpid());
    fd_ = open(path_.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ASSERT_GE(fd_, 0);
  }

  void TearDown() override {
    close(fd_);
    unlink(path_.c_str());
  }

  std::string Run(ProgressDisplay::Style style, const std::vector<int>& update_times_ms) {
    Output out(fd_);
    std::chrono::steady_clock::time_point now;
    ProgressDisplay display(style, out, [&] { return now; });
    for (const int time_ms : update_times_ms) {
      now = std::chrono::steady_clock::time_point(std::chrono::milliseconds(time_ms));
      indexer::Progress progress;
      progress.files_done = time_ms;
      display.Update(progress);
    }
    display.Report("found\x1b");
    std::stringstream text;
    text << std::ifstream(path_).rdbuf();
    return text.str();
  }

 private:
  std::string path_;
  int fd_ = -1;
};

TEST_F(DisplayTest, ATerminalLineIsRenewedAtMostTenTimesASecond) {
  EXPECT_EQ(Run(ProgressDisplay::Style::kTerminal, {0, 50, 99, 100, 150, 250}),
            "\r\x1b[K0 files\r\x1b[K100 files\r\x1b[K250 files\r\x1b[Kfound\\x1b\n");
}

TEST_F(DisplayTest, ElsewhereThereIsALineEveryFewSeconds) {
  EXPECT_EQ(Run(ProgressDisplay::Style::kLines, {0, 100, 4999, 5000, 9000, 10000}),
            "5,000 files\n10,000 files\nfound\\x1b\n");
}

TEST_F(DisplayTest, QuietSaysNothing) { EXPECT_EQ(Run(ProgressDisplay::Style::kQuiet, {0, 1000, 100000}), ""); }

}  // namespace
}  // namespace foldlog::cli
