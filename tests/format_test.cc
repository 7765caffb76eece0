// FORMAT.md's worked example, and the layouts it describes, against the code.

#include <algorithm>
#include <array>
#include <fstream>
#include <sstream>

#include "engine/frame.h"
#include "engine/log/lmdb_env.h"
#include "tests/test_support.h"

namespace foldlog {
namespace {

// The words in the block that starts with ```frame.
std::vector<std::uint64_t> ExampleInFormatMd() {
  std::ifstream file(FOLDLOG_SOURCE_DIR "/schema/FORMAT.md");
  std::string line;
  while (std::getline(file, line) && line != "```frame") {
  }
  std::vector<std::uint64_t> words;
  while (std::getline(file, line) && line != "```") {
    std::istringstream numbers(line);
    for (std::string number; numbers >> number;) words.push_back(std::stoull(number, nullptr, 16));
  }
  return words;
}

TEST(Format, WorkedExampleIsWhatTheCodeWrites) {
  const std::array<std::uint8_t, 16> log_id = {};
  FrameRun run{.words = {}, .before = {0, GenesisHash(log_id)}, .after = {0, GenesisHash(log_id)}};
  ASSERT_OK(AppendFrame(
      {5, 7, Checkpoint{.files_processed = 42, .current_path = "a", .last_processed_file = "b", .batch_num = 3}}, run));
  std::ostringstream actual;
  for (const std::uint64_t word : run.words) actual << std::hex << word << "\n";
  EXPECT_EQ(run.words, ExampleInFormatMd()) << "the code writes:\n" << actual.str();
}

TEST(Format, MagicNumbersAreTheBytesInTheTables) {
  const auto bytes = [](const auto& number) {
    return std::string(reinterpret_cast<const char*>(&number), sizeof number);
  };
  EXPECT_EQ(bytes(kFrameMagic), "FLG1");
  EXPECT_EQ(bytes(kFormatMagic), std::string("FOLDLOG\0", 8));
  EXPECT_EQ(kMaxPayloadBytes, 4'194'304u);
}

}  // namespace
}  // namespace foldlog
