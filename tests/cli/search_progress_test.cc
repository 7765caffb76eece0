#include "tools/cli/search_progress.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <string>

namespace foldlog::cli {
namespace {

using testing::HasSubstr;

class SearchProgressTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(pipe(ends_.data()), 0); }
  void TearDown() override {
    close(ends_[0]);
    close(ends_[1]);
  }

  // What was drawn since the last call.
  std::string Drawn() {
    EXPECT_EQ(write(ends_[1], ".", 1), 1);
    std::array<char, 1000> bytes = {};
    const ssize_t size = read(ends_[0], bytes.data(), bytes.size());
    std::string drawn(bytes.data(), static_cast<std::size_t>(size));
    drawn.pop_back();
    return drawn;
  }

  std::array<int, 2> ends_ = {};
  std::chrono::steady_clock::time_point now_ = {};
};

TEST_F(SearchProgressTest, ALineComesAfterAWhileAndIsTakenOff) {
  Output messages(ends_[1]);
  SearchProgress progress(2000, messages, /*shown=*/true, [this] { return now_; });
  progress.At(1);
  EXPECT_EQ(Drawn(), "");
  now_ += std::chrono::seconds(1);
  progress.At(500);
  EXPECT_THAT(Drawn(), HasSubstr("event 500 of 2,000, 25.0 %"));
  progress.At(600);
  EXPECT_EQ(Drawn(), "") << "so soon it is not drawn again";
  progress.Clear();
  EXPECT_EQ(Drawn(), "\r\x1b[K");
  progress.Clear();
  EXPECT_EQ(Drawn(), "") << "there is nothing to take off";
  now_ += std::chrono::seconds(1);
  progress.At(700);
  EXPECT_THAT(Drawn(), HasSubstr("event 700"));
}

TEST_F(SearchProgressTest, NothingIsDrawnOverAPager) {
  Output messages(ends_[1]);
  SearchProgress progress(2000, messages, /*shown=*/true, [this] { return now_; });
  progress.EndWhenCleared();
  now_ += std::chrono::seconds(1);
  progress.At(500);
  progress.Clear();
  EXPECT_NE(Drawn(), "");
  now_ += std::chrono::seconds(1);
  progress.At(600);
  EXPECT_EQ(Drawn(), "");
}

TEST_F(SearchProgressTest, NothingIsDrawnWhereNobodyLooks) {
  Output messages(ends_[1]);
  SearchProgress progress(2000, messages, /*shown=*/false, [this] { return now_; });
  now_ += std::chrono::seconds(1);
  progress.At(500);
  progress.Clear();
  EXPECT_EQ(Drawn(), "");
}

}  // namespace
}  // namespace foldlog::cli
