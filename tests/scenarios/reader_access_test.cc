// What a reader needs, and what it cannot be harmed by: it reads wherever the files can be read, beside a writer at
// full speed, too, leaves nothing behind, and says so when the disk or somebody takes the file away under it.

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <map>

#include "foldlog/history.h"
#include "foldlog/log_directory.h"
#include "tests/support/child_process.h"
#include "tests/support/file_bytes.h"
#include "tests/support/small_disk.h"
#include "tests/support/tail_bytes.h"
#include "tests/support/test_support.h"

// Reads of one file that touch a bad place fail as those of a disk do (the linker puts this in place of pread).
namespace {
std::atomic<ino_t> bad_inode = 0;
std::atomic<off_t> bad_offset = 0;
constexpr off_t kBadBytes = 4096;
}  // namespace

extern "C" {
ssize_t __real_pread(int fd, void* into, size_t bytes, off_t offset);
ssize_t __wrap_pread(int fd, void* into, size_t bytes, off_t offset) {
  struct stat info = {};
  const off_t bad = bad_offset;
  const bool touches = bad_inode != 0 && fstat(fd, &info) == 0 && info.st_ino == bad_inode &&
                       offset < bad + kBadBytes && offset + static_cast<off_t>(bytes) > bad;
  if (!touches) return __real_pread(fd, into, bytes, offset);
  if (offset < bad) return __real_pread(fd, into, static_cast<size_t>(bad - offset), offset);
  errno = EIO;
  return -1;
}
}

namespace foldlog {
namespace {

using absl::StatusCode;
using testing::HasSubstr;

constexpr uid_t kNobody = 65534;

void SetBad(const std::string& path, off_t offset) {
  struct stat info = {};
  EXPECT_EQ(stat(path.c_str(), &info), 0);
  bad_offset = offset;
  bad_inode = info.st_ino;
}

class ReaderAccessTest : public testing::Test {
 protected:
  ~ReaderAccessTest() override {
    bad_inode = 0;
    chmod(log_dir_.c_str(), 0755);
  }

  // `events` in all, those from `in_tail` on only in the tail, where a killed writer left them.
  void MakeLog(int events, int in_tail) {
    ASSERT_EQ(InChild([&] {
                LogDirectoryOptions options{.tail_bytes = std::uint64_t{1} << 20};
                auto engine = Engine::Open(log_dir_, {.directory = options, .snapshot_interval_events = 50});
                if (!engine.ok() || !(*engine)->Start({}).ok()) return 1;
                const OperationHandle handle = *(*engine)->current_handle();
                for (int i = 2; i <= events; ++i) {
                  const std::string path =
                      "/" + std::to_string(i * 7919) + std::string(i % 50 == 0 ? 20'000 : 100, 'p');
                  if (!(*engine)->Checkpoint(handle, {.files_processed = i, .current_path = path}).ok()) return 2;
                  if (i == in_tail - 1) {
                    if (!(*engine)->Close().ok()) return 3;
                    engine = Engine::Open(log_dir_);
                    if (!engine.ok()) return 4;
                  }
                }
                if (!(*engine)->Flush().ok()) return 5;
                raise(SIGKILL);
                return 6;
              }),
              -1);
  }

  // Every file's bytes, and when it was changed.
  std::map<std::string, std::string> Everything() const {
    std::map<std::string, std::string> files;
    for (const auto& entry : std::filesystem::directory_iterator(log_dir_)) {
      struct stat info = {};
      stat(entry.path().c_str(), &info);
      files[entry.path().filename()] =
          std::to_string(info.st_mtim.tv_sec) + "." + std::to_string(info.st_mtim.tv_nsec) + ReadFile(entry.path());
    }
    return files;
  }

  TempDir directory_;
  const std::string log_dir_ = directory_ / "log";
};

// The events that can be read, and what ends that.
struct Readable {
  Sequence last = 0;
  absl::Status end = {};
};

Readable ReadWhatCanBe(const EventLog& log) {
  Readable readable;
  EventReader reader(log, 1);
  auto event = reader.Next();
  for (; event.ok() && *event; event = reader.Next()) readable.last = (*event)->sequence;
  readable.end = event.status();
  return readable;
}

TEST_F(ReaderAccessTest, ReadingCreatesAndChangesNothing) {
  MakeLog(200, 150);
  const auto before = Everything();
  {
    ASSERT_OK_AND_ASSIGN(const auto log, OpenLogForReading(log_dir_));
    EXPECT_EQ(ReadWhatCanBe(*log).last, 200u);
    EXPECT_OK(log->FindSnapshot(200));
    EXPECT_OK(log->WaitForMore(200, std::chrono::milliseconds(1)));
  }
  EXPECT_EQ(Everything(), before);
}

TEST_F(ReaderAccessTest, LogIsReadOnAFileSystemMountedReadOnly) {
  MakeLog(200, 150);
  EXPECT_EQ(InChild([&] {
              const uid_t uid = getuid();
              if (unshare(uid == 0 ? CLONE_NEWNS : CLONE_NEWNS | CLONE_NEWUSER) != 0) return kNoNamespaces;
              mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
              REQUIRE(mount(log_dir_.c_str(), log_dir_.c_str(), nullptr, MS_BIND, nullptr) == 0);
              REQUIRE(mount(nullptr, log_dir_.c_str(), nullptr, MS_BIND | MS_REMOUNT | MS_RDONLY, nullptr) == 0);
              REQUIRE(open((log_dir_ + "/x").c_str(), O_WRONLY | O_CREAT, 0600) < 0 && errno == EROFS);
              const auto log = OpenLogForReading(log_dir_);
              REQUIRE(log.ok());
              REQUIRE(ReadWhatCanBe(**log).last == 200);
              REQUIRE((*log)->Extent()->durable_through == 200);
              return 0;
            }),
            0);
}

// Another user, who may read the files and enter the directory, and nothing else, in another process.
TEST_F(ReaderAccessTest, AnotherUserReadsEverythingBesideAWriterAtFullSpeed) {
  constexpr Sequence kEvents = 200'000;
  ASSERT_OK_AND_ASSIGN(auto engine, Engine::Open(log_dir_, SmallTailOptions()));
  ASSERT_OK_AND_ASSIGN(const OperationHandle handle, engine->Start({}));
  for (const auto& entry : std::filesystem::directory_iterator(log_dir_)) chmod(entry.path().c_str(), 0444);
  chmod(log_dir_.c_str(), 0555);
  chmod(directory_.path().c_str(), 0755);
  Helper reader([&] {
    if (chdir(directory_.path().c_str()) != 0) return 9;  // the way to it may be closed to others
    if (getuid() == 0 && (setgid(kNobody) != 0 || setuid(kNobody) != 0)) return 8;
    const auto log = OpenLogForReading("log");
    REQUIRE(log.ok());
    EventReader events(**log, 1);
    LogExtent before = {};
    for (Sequence last = 0; last < kEvents;) {
      const auto event = events.Next();
      if (!event.ok()) std::cerr << event.status() << "\n";
      REQUIRE(event.ok());
      if (!*event) {
        REQUIRE((*log)->WaitForMore(last, std::chrono::seconds(60)).ok());
        const auto extent = (*log)->Extent();
        REQUIRE(extent.ok() && extent->end.sequence >= before.end.sequence);
        REQUIRE(extent->durable_through >= before.durable_through);
        before = *extent;
        continue;
      }
      REQUIRE((*event)->sequence == last + 1);
      last = (*event)->sequence;
    }
    return 0;
  });
  for (Sequence i = 1; i < kEvents; ++i) {
    ASSERT_OK(engine->Checkpoint(handle, {.files_processed = static_cast<std::int64_t>(i), .current_path = "/p"}));
  }
  EXPECT_EQ(reader.Wait(), 0);
}

// Each page in turn: what lies before it is read, what needs it is reported with its place, and nobody is killed.
TEST_F(ReaderAccessTest, UnreadableSectorEndsTheEventsWhereItIs) {
  MakeLog(400, 350);
  for (const std::string name : {"/log.mdb", "/tail"}) {
    const std::string path = log_dir_ + name;
    int reported = 0;
    const auto bytes = static_cast<off_t>(std::filesystem::file_size(path));
    // Of the tail the ring, with a page of the header and of the copy before it.
    const off_t ring = name == "/tail" ? static_cast<off_t>(TailRingOffset(ReadFile(path))) : kBadBytes;
    for (off_t i = -1, offset = 0; offset < std::min(bytes, ring + (off_t{1} << 20)); offset = ring + i++ * kBadBytes) {
      SetBad(path, offset);
      const auto log = OpenLogForReading(log_dir_);
      const Readable readable = log.ok() ? ReadWhatCanBe(**log) : Readable{0, log.status()};
      if (readable.end.ok()) {
        EXPECT_EQ(readable.last, 400u) << path << " at " << offset;
        continue;
      }
      ++reported;
      EXPECT_THAT(readable.end, Fails(StatusCode::kDataLoss, testing::AllOf(HasSubstr(path), HasSubstr("offset"))));
      if (name == "/tail" && log.ok()) {
        EXPECT_GE(readable.last, 349u) << offset;
      }
    }
    EXPECT_GT(reported, 3) << path;
    bad_inode = 0;
  }
}

// A map of the file would end in SIGBUS.
TEST_F(ReaderAccessTest, FileThatIsCutShortUnderAReaderIsReported) {
  for (const std::string name : {"/log.mdb", "/tail", "/tail-shm", "/snapshots"}) {
    std::filesystem::remove_all(log_dir_);
    MakeLog(400, 350);
    EXPECT_EQ(InChild([&] {
                const auto log = OpenLogForReading(log_dir_);
                REQUIRE(log.ok());
                EventReader reader(**log, 1);
                for (int i = 0; i < 10; ++i) REQUIRE(reader.Next().ok());
                for (const off_t size : {12'288, 8192, 4096, 100, 0}) {
                  REQUIRE(truncate((log_dir_ + name).c_str(), size) == 0);
                  const Readable readable = ReadWhatCanBe(**log);
                  const bool needed = name == "/log.mdb" || name == "/tail";
                  REQUIRE(needed ? absl::IsDataLoss(readable.end) : readable.end.ok() && readable.last == 400);
                  static_cast<void>((*log)->WaitForMore(400, std::chrono::milliseconds(1)));
                  static_cast<void>((*log)->FindSnapshot(400));
                }
                return 0;
              }),
              0)
        << name;
  }
}

// LMDB's map is as large as the largest log; reading has no need of it.
TEST_F(ReaderAccessTest, LimitOnAddressSpaceStopsNobodyOrIsNamed) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "the address sanitizer takes terabytes of addresses for itself";
#endif
  MakeLog(200, 150);
  const auto with_limit = [&](std::uint64_t bytes, const std::function<int()>& body) {
    return InChild([&] {
      const rlimit limit = {bytes, bytes};
      REQUIRE(setrlimit(RLIMIT_AS, &limit) == 0);
      return body();
    });
  };
  // As much as this program has, sanitizers aside, and some.
  EXPECT_EQ(with_limit(std::uint64_t{1} << 30,
                       [&] {
                         auto engine = Engine::Open(log_dir_);
                         REQUIRE(engine.ok());
                         REQUIRE((*engine)->Reset().ok());
                         REQUIRE((*engine)->Close().ok());
                         return 0;
                       }),
            0);
  // Less and less of it: there comes a point at which the map alone has no room. Reading goes on long after that.
  constexpr int kRefused = 10;
  constexpr int kRefusedByName = 11;
  std::uint64_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  std::map<int, int> outcomes;
  for (std::uint64_t more = 60; more >= 4; more -= 2) {
    ++outcomes[with_limit(pages * 4096 + (more << 20), [&] {
      const auto log = OpenLogForReading(log_dir_);
      REQUIRE(log.ok() && ReadWhatCanBe(**log).last >= 201);
      auto engine = Engine::Open(log_dir_);
      const absl::Status status = engine.ok() ? (*engine)->Reset() : engine.status();
      if (status.ok()) return 0;
      REQUIRE(absl::IsResourceExhausted(status));
      return std::string(status.message()).find("ulimit -v") == std::string::npos ? kRefused : kRefusedByName;
    })];
  }
  EXPECT_GT(outcomes[kRefusedByName], 0);
  EXPECT_EQ(outcomes[0] + outcomes[kRefused] + outcomes[kRefusedByName], 29) << testing::PrintToString(outcomes);
}

}  // namespace
}  // namespace foldlog
