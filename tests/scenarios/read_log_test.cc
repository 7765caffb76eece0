// tools/read_log.py, which knows a log by schema/FORMAT.md alone, reads what foldlog wrote: events of every kind, many
// laps of the ring, and a tail that nobody moved on. That it sees the same hashes means that it sees the same bytes.

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <tuple>
#include <vector>

#include "absl/strings/str_format.h"
#include "engine/base/status_macros.h"
#include "engine/codec/frame.h"
#include "foldlog/log_directory.h"
#include "tests/support/child_process.h"
#include "tests/support/file_bytes.h"
#include "tests/support/log_directory_fixture.h"
#include "tests/support/random_events.h"
#include "tests/support/tail_bytes.h"

namespace foldlog {
namespace {

using testing::HasSubstr;

class ReadLogTest : public LogDirectoryFixture {
 protected:
  // What the script prints of the log, a line each, standard error included.
  std::vector<std::string> Script() const {
    const std::string out = directory_ / "out";
    const std::string script = std::string(FOLDLOG_SOURCE_DIR) + "/tools/read_log.py";
    const std::string command = "/usr/bin/python3 -B " + script + " " + log_dir_ + " > " + out + " 2>&1";
    std::ignore = std::system(command.c_str());
    std::vector<std::string> lines;
    std::ifstream file(out);
    for (std::string line; std::getline(file, line);) lines.push_back(line);
    return lines;
  }

  // How each of its lines has to begin.
  std::vector<std::string> Expected() const {
    std::vector<std::string> heads;
    const auto log = OpenLogForReading(log_dir_);
    EXPECT_OK(log);
    for (const RecordedEvent& event : ReadAll(**log)) {
      heads.push_back(absl::StrFormat(R"({"sequence": %d, "hash": "%016x", "time": "%d", "epoch": "%d")",
                                      event.sequence, event.hash, event.event.time, event.event.epoch));
    }
    return heads;
  }

  void ExpectAllRead() const {
    const std::vector<std::string> expected = Expected();
    const std::vector<std::string> lines = Script();
    ASSERT_EQ(lines.size(), expected.size()) << (lines.empty() ? "" : lines.back());
    for (std::size_t i = 0; i < lines.size(); ++i) ASSERT_THAT(lines[i], testing::StartsWith(expected[i]));
  }

  std::mt19937_64 random_{TestSeed()};

  // Appends so many random events in small runs.
  absl::Status AppendRandom(EventLog& log, int runs) {
    for (int i = 0; i < runs; ++i) {
      ASSIGN_OR_RETURN(const LogExtent extent, log.Extent());
      FrameRun run{.before = extent.end, .after = extent.end};
      for (std::uint64_t events = 1 + random_() % 5; events > 0; --events) {
        RETURN_IF_ERROR(AppendFrame(RandomEvent(random_), run));
      }
      RETURN_IF_ERROR(log.Append(run, Space::kUnreserved));
    }
    return absl::OkStatus();
  }

  // A writer that dies after so many runs: its newest events are in the tail.
  void AppendAndDie(int runs) {
    ASSERT_EQ(InChild([&] {
                absl::StatusOr<WritableLog> written = OpenLogForWriting(log_dir_, SmallTail());
                if (!written.ok()) return 1;
                return AppendRandom(*written->log.release(), runs).ok() ? 0 : 2;
              }),
              0);
  }
};

TEST_F(ReadLogTest, LapsOfTheRingInTheTableOfEvents) {
  {
    ASSERT_OK_AND_ASSIGN(const WritableLog written, OpenLogForWriting(log_dir_, SmallTail()));
    ASSERT_OK(AppendRandom(*written.log, 400));
  }
  ExpectAllRead();
}

TEST_F(ReadLogTest, TailOfWritersThatDied) {
  for (const int runs : {1, 20, 150, 3}) {
    AppendAndDie(runs);
    ExpectAllRead();
  }
}

TEST_F(ReadLogTest, EmptyLog) {
  { ASSERT_OK(OpenLogForWriting(log_dir_, SmallTail())); }
  EXPECT_TRUE(Script().empty());
}

TEST_F(ReadLogTest, LeavesNothingInTheLog) {
  MakeLog(3);
  const auto entries = [&] {
    return std::distance(std::filesystem::directory_iterator(log_dir_), std::filesystem::directory_iterator());
  };
  const auto before = entries();
  EXPECT_EQ(Script().size(), 4u);
  EXPECT_EQ(entries(), before);
}

// The script is no judge if it takes everything.
TEST_F(ReadLogTest, DamagedEventIsNamed) {
  MakeLog(3);
  const std::string path = log_dir_ + "/log.mdb";
  std::string bytes = ReadFile(path);
  const std::size_t frame = bytes.find("FLG1");
  ASSERT_NE(frame, std::string::npos);
  bytes[frame + 60] ^= 1;  // of the payload, or of the block that it is packed in
  WriteFile(path, bytes);
  EXPECT_THAT(Script().back(), HasSubstr("event 1 is damaged"));
}

TEST_F(ReadLogTest, LostDurableEventsAreMissed) {
  ASSERT_EQ(InChild([&] {
              absl::StatusOr<WritableLog> written = OpenLogForWriting(log_dir_, SmallTail());
              if (!written.ok()) return 1;
              EventLog& log = *written->log.release();
              for (int i = 0; i < 2; ++i) {  // the second flush says that the first has ended
                if (!AppendRandom(log, 1).ok() || !log.Sync(log.Extent()->end.sequence).ok()) return 2;
              }
              return 0;
            }),
            0);
  const std::size_t events = Expected().size();
  ASSERT_EQ(Script().size(), events);
  const std::string path = log_dir_ + "/tail";
  std::string bytes = ReadFile(path);
  EXPECT_EQ(TearFrame(bytes, 1), 2);
  WriteFile(path, bytes);
  EXPECT_THAT(Script(), testing::ElementsAre(HasSubstr("later ones had been durable")));
}

}  // namespace
}  // namespace foldlog
