// Each target over its seeds and some mutations of them: so that none rots where libFuzzer does not run. An input that
// ends the program is left in the file fuzz_failed_TARGET; FOLDLOG_FUZZ_RUNS says how many mutations there are.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <string>

#include "tests/fuzz/mutator.h"
#include "tests/fuzz/target.h"
#include "tests/support/test_support.h"

namespace foldlog::fuzz {
namespace {

constexpr std::uint64_t kRunsDefault = 1500;
// Of targets that write whole logs.
constexpr std::uint64_t kCostly = 10;

const std::string* current_input = nullptr;
std::string current_file;

// Keeps the input, and lets the signal do what it does.
void KeepInput(int number) {
  std::signal(number, SIG_DFL);
  const int fd = open(current_file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd >= 0 && current_input != nullptr) {
    const ssize_t written = write(fd, current_input->data(), current_input->size());
    static_cast<void>(written);
  }
  raise(number);
}

std::uint64_t RunsOf(const Target& target) {
  const char* given = std::getenv("FOLDLOG_FUZZ_RUNS");
  const std::uint64_t runs = given != nullptr ? std::strtoull(given, nullptr, 10) : kRunsDefault;
  const std::string name = target.name;
  return name == "log" || name == "json_lines" || name == "salvage" ? runs / kCostly : runs;
}

class FuzzTest : public testing::TestWithParam<const Target*> {
 protected:
  static void RunOn(const std::string& input) {
    current_input = &input;
    GetParam()->run(input);
  }
};

TEST_P(FuzzTest, PropertiesHoldForSeedsAndTheirMutations) {
  current_file = std::string("fuzz_failed_") + GetParam()->name;
  const auto before = std::signal(SIGABRT, KeepInput);
  const std::vector<std::string> seeds = GetParam()->seeds();
  ASSERT_FALSE(seeds.empty());
  for (const std::string& seed : seeds) RunOn(seed);
  Mutator mutator(TestSeed());
  for (std::uint64_t run = RunsOf(*GetParam()); run > 0; --run) {
    std::string input = mutator.Next(seeds);
    if (GetParam()->repair != nullptr && mutator.Below(8) != 0) GetParam()->repair(input);
    RunOn(input);
  }
  std::signal(SIGABRT, before);
}

// What is right stays as it is; otherwise the repair puts in what it takes for wrong.
TEST_P(FuzzTest, RepairEndsWithTheFirstTime) {
  if (GetParam()->repair == nullptr) GTEST_SKIP() << "nothing to repair";
  for (const std::string& seed : GetParam()->seeds()) {
    std::string repaired = seed;
    GetParam()->repair(repaired);
    std::string twice = repaired;
    GetParam()->repair(twice);
    EXPECT_EQ(twice, repaired);
  }
}

INSTANTIATE_TEST_SUITE_P(Targets, FuzzTest, testing::ValuesIn(AllTargets()),
                         [](const auto& instance) { return std::string(instance.param->name); });

}  // namespace
}  // namespace foldlog::fuzz
