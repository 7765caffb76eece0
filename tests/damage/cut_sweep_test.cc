// Logs whose files end at any sector, and random files in their place: readers, verify and salvage say what is wrong
// with a next step, or give the events that were there. FOLDLOG_SWEEP_STRIDE says of how many sectors one is tried; 1
// is all.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "tests/damage/judge.h"
#include "tests/damage/sample_logs.h"
#include "tests/damage/trial.h"
#include "tests/support/file_bytes.h"
#include "tests/support/test_support.h"

namespace foldlog::damage {
namespace {

constexpr std::size_t kSectorBytes = 512;
constexpr std::size_t kStrideDefault = 64;

std::size_t Stride() {
  const char* const given = std::getenv("FOLDLOG_SWEEP_STRIDE");
  return given == nullptr ? kStrideDefault : std::max<std::size_t>(1, std::strtoull(given, nullptr, 10));
}

class CutSweepTest : public testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::create_directories(directory_);
    samples_ = MakeSampleLogs(directory_);
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  // What the commands make of the sample with `bytes` in the place of `file`. How many ended with something to say is
  // added to `told_`. Nothing is demanded: what was lost with a file may have been the only proof of it.
  void Try(const SampleLog& sample, const std::string& file, const std::string& bytes, const std::string& what) {
    SCOPED_TRACE(sample.name + ": " + file + " " + what);
    const std::string log = directory_ + "/log";
    const std::string out = directory_ + "/salvaged";
    Files files = sample.files;
    files[file] = bytes;
    WriteFiles(log, files);
    Judge judge(sample, log, /*demanded=*/0, /*forged=*/false);
    const Arguments read = {"events", "--json", "--log", log};
    const Outcome events = RunProgramInChild(read);
    judge.OnAnyEnd(read, events);
    judge.OnEvents(read, events, /*appended=*/false);
    const Arguments verify = {"verify", "--log", log};
    judge.OnVerify(verify, RunProgramInChild(verify), events);
    const Arguments salvage = {"salvage", "--log", log, "--out", out};
    judge.OnEnd(salvage, RunProgramInChild(salvage));
    if (std::filesystem::exists(out)) {
      const Arguments saved = {"events", "--json", "--log", out};
      const Outcome salvaged = RunProgramInChild(saved);
      EXPECT_EQ(salvaged.exit_status, 0) << salvaged.messages;
      judge.OnEvents(saved, salvaged, /*appended=*/false);
      std::filesystem::remove_all(out);
    }
    for (const Failure& failure : judge.failures()) {
      ADD_FAILURE() << failure.command << ": NOT SO: " << failure.rule << ": " << failure.detail;
    }
    told_ += events.exit_status == 0 ? 0 : 1;
    ++tried_;
  }

  const std::string directory_ = testing::TempDir() + "/cut_sweep_" + std::to_string(getpid());
  std::vector<SampleLog> samples_;
  int tried_ = 0;
  int told_ = 0;
};

TEST_F(CutSweepTest, FilesCutAtAnySectorAreReadRightOrRefusedWithANextStep) {
  const std::size_t stride = Stride();
  std::size_t sector = TestSeed() % stride;
  for (const SampleLog& sample : samples_) {
    for (const std::string file : {"log.mdb", "tail"}) {
      const std::string& bytes = sample.files.at(file);
      const std::size_t sectors = bytes.size() / kSectorBytes;
      for (; sector <= sectors; sector += stride) {
        const std::size_t size = sector * kSectorBytes;
        Try(sample, file, bytes.substr(0, size), "cut to " + std::to_string(size) + " bytes");
      }
      sector -= sectors + 1;
    }
  }
  EXPECT_GT(told_, tried_ / 4);
}

TEST_F(CutSweepTest, RandomFilesAreRefusedWithANextStep) {
  std::mt19937_64 random(TestSeed());
  for (std::size_t i = 0; i < samples_.size(); ++i) {
    if (i % 4 != random() % 4 && Stride() > 1) continue;
    for (const std::string file : {"log.mdb", "tail", "snapshots"}) {
      for (const std::size_t size : {1, 511, 4096, 12288, 70000}) {
        std::string bytes(size, '\0');
        for (char& byte : bytes) byte = static_cast<char>(random());
        Try(samples_[i], file, bytes, "of " + std::to_string(size) + " random bytes");
      }
    }
  }
}

}  // namespace
}  // namespace foldlog::damage
