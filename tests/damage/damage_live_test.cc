// Damage that comes while a log is in use: a file is cut short under a reader, or taken away from under a writer.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "foldlog/engine.h"
#include "tests/damage/sample_logs.h"
#include "tests/damage/trial.h"
#include "tests/support/child_process.h"
#include "tests/support/test_support.h"
#include "tools/cli/app.h"

namespace foldlog::damage {
namespace {

namespace fs = std::filesystem;

constexpr unsigned kLimitS = 180;

// "foldlog events --json", which stands still because nobody takes what it prints: its pipe is full.
class StoppedReader {
 public:
  explicit StoppedReader(const std::string& log) {
    int ends[2] = {-1, -1};
    if (pipe2(ends, O_CLOEXEC) != 0) return;
    pid_ = fork();
    if (pid_ == 0) {
      alarm(kLimitS);
      dup2(ends[1], STDOUT_FILENO);
      const char* const arguments[] = {"foldlog", "events", "--json", "--log", log.c_str(), nullptr};
      _exit(cli::RunProgram(5, arguments));
    }
    close(ends[1]);
    out_ = ends[0];
    Take(1);
  }
  ~StoppedReader() { close(out_); }
  StoppedReader(const StoppedReader&) = delete;
  StoppedReader& operator=(const StoppedReader&) = delete;

  // Takes the rest. Returns the wait status.
  int Finish() {
    Take(~std::size_t{0});
    int status = 0;
    waitpid(pid_, &status, 0);
    return status;
  }
  const std::string& printed() const { return printed_; }

 private:
  void Take(std::size_t bytes) {
    char buffer[4096];
    for (ssize_t got = 1; bytes > 0 && got > 0; bytes -= static_cast<std::size_t>(got)) {
      got = read(out_, buffer, std::min(bytes, sizeof buffer));
      if (got > 0) printed_.append(buffer, static_cast<std::size_t>(got));
    }
  }

  pid_t pid_ = -1;
  int out_ = -1;
  std::string printed_;
};

class DamageUnderReaders : public testing::Test {
 protected:
  static const SampleLog& Large() {
    static const SampleLog large = [] {
      const TempDir directory;
      return MakeSampleLogs(directory.path()).back();
    }();
    return large;
  }

  // What "events" prints of a log while `file` gets so many bytes.
  void CutShort(const std::string& file, off_t bytes) {
    SCOPED_TRACE(file + " cut to " + std::to_string(bytes) + " bytes");
    const TempDir directory;
    const std::string log = directory / "log";
    WriteFiles(log, Large().files);
    StoppedReader reader(log);
    ASSERT_EQ(truncate((log + "/" + file).c_str(), bytes), 0);
    const int status = reader.Finish();
    ASSERT_TRUE(WIFEXITED(status)) << "killed by " << strsignal(WTERMSIG(status));
    std::string all;
    for (const std::string& event : Large().events) all += event + "\n";
    EXPECT_EQ(all.compare(0, reader.printed().size(), reader.printed()), 0) << "something else was printed";
    // It may have come to the end before.
    const bool whole = reader.printed().size() == all.size() && WEXITSTATUS(status) == cli::kDone;
    EXPECT_TRUE(whole || WEXITSTATUS(status) == cli::kCorrupt) << "exit " << WEXITSTATUS(status);
  }
};

TEST_F(DamageUnderReaders, FileCutShortEndsThemWithAnErrorAndNoSignal) {
  const auto size = static_cast<off_t>(Large().files.at("log.mdb").size());
  for (const off_t bytes : {off_t{0}, off_t{1}, off_t{4096}, off_t{8192}, size / 4, size / 2, size - 4096, size - 1}) {
    CutShort("log.mdb", bytes);
  }
  for (const off_t bytes : {0, 4096, 8192}) CutShort("tail", bytes);
  CutShort("snapshots", 0);
  CutShort("tail-shm", 0);
}

// A writer at full speed until its first error, or much later. Its exit status: 0 if there was one that names the log.
int WriteUntilRefused(const std::string& log, const Signal& at_work) {
  constexpr auto kLongEnough = std::chrono::seconds(60);
  auto engine = Engine::Open(log, SmallTailOptions());
  if (!engine.ok()) return 2;
  const auto handle = (*engine)->Start({});
  const auto deadline = std::chrono::steady_clock::now() + kLongEnough;
  for (std::int64_t files = 1; std::chrono::steady_clock::now() < deadline; ++files) {
    const absl::Status saved = (*engine)->Checkpoint(*handle, {.files_processed = files, .current_path = "/pictures"});
    if (files == 1000) at_work.Give();
    if (saved.ok()) continue;
    fprintf(stderr, "%s\n", saved.ToString().c_str());
    return saved.message().find(log) == std::string::npos ? 3 : 0;
  }
  return 1;
}

void ExpectAWriterStops(const std::string& what, const std::function<void(const std::string& log)>& damage) {
  SCOPED_TRACE(what);
  const TempDir directory;
  const std::string log = directory / "log";
  const Signal at_work;
  Helper writer([&] { return WriteUntilRefused(log, at_work); });
  ASSERT_TRUE(at_work.Await());
  damage(log);
  const int status = writer.Wait();
  ASSERT_TRUE(WIFEXITED(status)) << "killed by " << strsignal(WTERMSIG(status));
  EXPECT_EQ(WEXITSTATUS(status), 0) << "1: it went on, 2: it did not open, 3: its error names no log";
}

TEST(DamageUnderWriters, FileThatIsTakenAwayStopsThem) {
  for (const std::string file : {"log.mdb", "tail", "writer.lock"}) {
    ExpectAWriterStops(file + " removed", [&](const std::string& log) { fs::remove(log + "/" + file); });
    ExpectAWriterStops(file + " renamed",
                       [&](const std::string& log) { fs::rename(log + "/" + file, log + "/elsewhere"); });
    ExpectAWriterStops(file + " replaced by a copy", [&](const std::string& log) {
      fs::copy(log + "/" + file, log + "/copy");
      fs::rename(log + "/copy", log + "/" + file);
    });
  }
  ExpectAWriterStops("the whole log removed", [](const std::string& log) { fs::remove_all(log); });
}

// The control: a name more is no change.
TEST(DamageUnderWriters, NothingStopsThemThatIsNoDamage) {
  const TempDir directory;
  const std::string log = directory / "log";
  auto engine = Engine::Open(log, SmallTailOptions());
  ASSERT_OK(engine);
  const auto handle = (*engine)->Start({});
  for (const std::string file : {"log.mdb", "tail", "writer.lock"})
    fs::create_hard_link(log + "/" + file, log + "." + file);
  for (int files = 0; files < 5000; ++files) ASSERT_OK((*engine)->Checkpoint(*handle, {.files_processed = files}));
  EXPECT_OK((*engine)->Close());
}

}  // namespace
}  // namespace foldlog::damage
