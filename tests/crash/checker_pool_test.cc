// The pool's verdicts, with checks that crash, hang and lie.

#include "tests/crash/checker_pool.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace foldlog::power_cut {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

namespace fs = std::filesystem;

class CheckerPoolTest : public testing::Test {
 protected:
  CheckerPoolTest() {
    std::string pattern = fs::current_path() / "checker_pool_test_XXXXXX";
    options_.scratch = mkdtemp(pattern.data());
    options_.timeout_s = 1;
    options_.keep_failures_in = options_.scratch + "/kept";
  }
  ~CheckerPoolTest() override { fs::remove_all(options_.scratch); }

  // An image says what its check is to do.
  static CrashImage Image(const std::string& content, Obligation obligation = {.acknowledged = 3, .submitted = 5}) {
    CrashImage image{.obligation = obligation, .origin = "here"};
    image.disk.directories = {"d"};
    image.disk.files["d/f"] = content;
    image.hash = std::hash<std::string>()(content);
    return image;
  }

  static absl::StatusOr<std::int64_t> Obey(const std::string& directory) {
    std::ifstream file(directory + "/d/f", std::ios::binary);
    const std::string content{std::istreambuf_iterator<char>(file), {}};
    if (content == "die") raise(SIGKILL);
    if (content == "exit") _exit(9);
    if (content == "hang") pause();
    if (content == "refuse") return absl::DataLossError("damaged");
    if (content == "complain") return absl::InternalError("not so");
    return std::stoll(content);
  }

  Report Check(const std::vector<CrashImage>& images) {
    CheckerPool pool(options_, Obey);
    for (const CrashImage& image : images) pool.Add(image);
    return pool.Finish();
  }

  CheckerOptions options_;
};

TEST_F(CheckerPoolTest, AnImageThatHoldsWhatItMustIsSound) {
  const Report report = Check({Image("3"), Image("4"), Image("5")});
  EXPECT_EQ(report.sound, 3u);
  EXPECT_EQ(report.failed(), 0u);
  EXPECT_THAT(report.failures, IsEmpty());
}

TEST_F(CheckerPoolTest, AMissingItemIsLostAndOneTooManyInvented) {
  const Report report = Check({Image("2"), Image("6")});
  EXPECT_EQ(report.lost, 1u);
  EXPECT_EQ(report.invented, 1u);
}

TEST_F(CheckerPoolTest, ARefusalIsAnAnswerOnlyIfTheWriteWasTorn) {
  CrashImage torn = Image("refuse");
  torn.torn_write = true;
  EXPECT_EQ(Check({torn}).detected, 1u);
  EXPECT_EQ(Check({Image("refuse")}).corrupt, 1u);
  EXPECT_EQ(Check({torn, Image("refuse")}).corrupt, 1u);  // the same bytes, without tearing
  torn = Image("2");
  torn.torn_write = true;
  EXPECT_EQ(Check({torn}).lost, 1u);
}

TEST_F(CheckerPoolTest, WhatWasFoundMustMeetObligationsThatComeLater) {
  EXPECT_EQ(Check({Image("4"), Image("4", {.acknowledged = 5, .submitted = 5})}).lost, 1u);
  EXPECT_EQ(Check({Image("4"), Image("4", {.acknowledged = 3, .submitted = 3})}).invented, 1u);
  EXPECT_EQ(Check({Image("4"), Image("4", {.acknowledged = 4, .submitted = 4})}).sound, 1u);
}

TEST_F(CheckerPoolTest, ACheckThatDiesOrHangsCostsItsOwnImageOnly) {
  const Report report =
      Check({Image("3"), Image("die"), Image("4"), Image("hang"), Image("exit"), Image("complain"), Image("5")});
  EXPECT_EQ(report.images, 7u);
  EXPECT_EQ(report.sound, 3u);
  EXPECT_EQ(report.signals, 2u);
  EXPECT_EQ(report.hangs, 1u);
  EXPECT_EQ(report.corrupt, 1u);
  EXPECT_EQ(report.failures.size(), 4u);
}

TEST_F(CheckerPoolTest, AFailingImageIsKeptWithItsOrigin) {
  EXPECT_THAT(Check({Image("2"), Image("3")}).failures, ElementsAre(HasSubstr("from here")));
  std::vector<std::string> kept;
  for (const auto& entry : fs::directory_iterator(options_.keep_failures_in)) {
    std::ifstream file(entry.path() / "d/f");
    kept.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  EXPECT_THAT(kept, ElementsAre("2"));
}

}  // namespace
}  // namespace foldlog::power_cut
