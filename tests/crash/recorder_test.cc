// The recorder on a small program that changes files in every way it knows. The program is this one, started with an
// argument.

#include "tests/crash/recorder.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <thread>

#include "tests/crash/enumerator.h"

namespace foldlog::power_cut {
namespace {

using testing::Contains;
using testing::ElementsAre;

namespace fs = std::filesystem;

// What the recorded program does, by name. Run with the watched directory as working directory.
const std::map<std::string, std::function<void()>>& Scenes() {
  static const std::map<std::string, std::function<void()>> scenes = {
      {"calls",
       [] {
         mkdir("d", 0777);
         const int fd = open("d/f", O_RDWR | O_CREAT | O_APPEND, 0666);
         if (write(fd, "abc", 3) != 3) abort();
         const iovec parts[2] = {{const_cast<char*>("de"), 2}, {const_cast<char*>("f"), 1}};
         if (writev(dup(fd), parts, 2) != 3) abort();
         fdatasync(fd);
         rename("d/f", "d/g");
         const int directory = open("d", O_RDONLY | O_DIRECTORY);
         fsync(directory);
         const int synchronous = openat(directory, "g", O_WRONLY | O_DSYNC);
         if (pwrite(synchronous, "X", 1, 1) != 1) abort();
         if (ftruncate(fd, 4) != 0) abort();
         MarkSubmitted(1);
         MarkAcknowledged(1);
         link("d/g", "h");
         unlink("d/g");
         lseek(synchronous, 2, SEEK_SET);
         if (write(synchronous, "Y", 1) != 1) abort();
       }},
      {"mapping",
       [] {
         const int fd = open("tail", O_RDWR | O_CREAT | O_CLOEXEC, 0666);
         posix_fallocate(fd, 0, 8192);
         fsync(fd);
         const int directory = open(".", O_RDONLY | O_DIRECTORY);
         fsync(directory);
         char* const map = static_cast<char*>(mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
         MarkSubmitted(1);
         std::memset(map, '1', 600);
         fdatasync(fd);
         MarkAcknowledged(1);
         MarkSubmitted(2);
         std::memset(map + 4096, '2', 600);
         msync(map + 4096, 4096, MS_SYNC);
         MarkAcknowledged(2);
         MarkSubmitted(3);
         std::memset(map + 600, '3', 8);
         munmap(map, 8192);
       }},
      {"careless",  // acknowledges a store that it never made durable
       [] {
         const int fd = open("tail", O_RDWR | O_CREAT | O_CLOEXEC, 0666);
         posix_fallocate(fd, 0, 8192);
         fsync(fd);
         fsync(open(".", O_RDONLY | O_DIRECTORY));
         char* const map = static_cast<char*>(mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
         map[0] = '1';
         msync(map + 4096, 4096, MS_SYNC);  // the wrong page
         MarkAcknowledged(1);
       }},
      {"streams",
       [] {
         std::ofstream("by_cpp") << "cpp";
         FILE* const file = fopen("by_c", "w");
         fputs("c", file);
         fclose(file);
       }},
      {"threads",
       [] {
         const int fd = open("f", O_RDWR | O_CREAT, 0666);
         const auto work = [fd](char letter) {
           for (int i = 0; i < 200; ++i) {
             if (pwrite(fd, &letter, 1, i) != 1) abort();
           }
         };
         std::thread other(work, 'a');
         work('b');
         other.join();
       }},
      {"stores",  // by one thread, while another makes calls
       [] {
         const int fd = open("tail", O_RDWR | O_CREAT | O_CLOEXEC, 0666);
         posix_fallocate(fd, 0, 65536);
         void* const map = mmap(nullptr, 65536, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
         std::thread storing([map] {
           for (std::uint64_t i = 0; i < 200'000; ++i) static_cast<volatile std::uint64_t*>(map)[i % 8192] = i;
         });
         for (int i = 0; i < 50; ++i) fdatasync(fd);
         storing.join();
         munmap(map, 65536);
       }},
      {"holes",  // the second of which ends behind the file
       [] {
         const int fd = open("f", O_RDWR | O_CREAT, 0666);
         const std::string bytes(20'000, 'x');
         if (write(fd, bytes.data(), bytes.size()) != 20'000) abort();
         fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 4096, 8192);
         fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 16'384, 8192);
       }},
      {"unknown",
       [] {
         const int fd = open("f", O_RDWR | O_CREAT, 0666);
         fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, 0, 4096);
       }},
  };
  return scenes;
}

class RecorderTest : public testing::Test {
 protected:
  RecorderTest() {
    std::string pattern = fs::current_path() / "recorder_test_XXXXXX";
    path_ = mkdtemp(pattern.data());
    fs::create_directory(Watched());
  }
  ~RecorderTest() override { fs::remove_all(path_); }

  std::string Watched() const { return path_ + "/watched"; }

  absl::StatusOr<Trace> RecordScene(const std::string& name) {
    const fs::path self = fs::canonical("/proc/self/exe");
    return Record({self, name, Watched()}, self.parent_path() / "libfoldlog_recorder.so", Watched(), path_ + "/trace");
  }

  // The files as the model has them once everything has arrived, and as they really are.
  static std::map<std::string, std::string> Modelled(const Trace& trace, bool all) {
    DiskModel model({});
    for (const Call& call : trace) {
      model.Begin(call);
      model.End(call);
    }
    return model.Build(std::vector<bool>(model.pending().size(), all)).files;
  }
  std::map<std::string, std::string> Real() const {
    std::map<std::string, std::string> files;
    for (const auto& entry : fs::recursive_directory_iterator(Watched())) {
      if (!entry.is_regular_file()) continue;
      std::ifstream file(entry.path(), std::ios::binary);
      files[fs::relative(entry.path(), Watched())] = {std::istreambuf_iterator<char>(file), {}};
    }
    return files;
  }

  std::string path_;
};

TEST_F(RecorderTest, ReplayingATraceGivesTheFilesThatTheProgramLeft) {
  for (const auto& [name, scene] : Scenes()) {
    if (name == "unknown") continue;
    fs::remove_all(Watched());
    fs::create_directory(Watched());
    fs::remove(path_ + "/trace");
    const auto trace = RecordScene(name);
    ASSERT_TRUE(trace.ok()) << name << ": " << trace.status();
    EXPECT_EQ(Modelled(*trace, true), Real()) << name;
    EXPECT_FALSE(Real().empty()) << name;
  }
}

TEST_F(RecorderTest, EachCallIsNotedOnceAndInOrder) {
  const auto trace = RecordScene("calls");
  ASSERT_TRUE(trace.ok()) << trace.status();
  std::vector<CallKind> kinds;
  for (const Call& call : *trace) kinds.push_back(call.kind);
  using enum CallKind;
  EXPECT_THAT(kinds, ElementsAre(kMakeDirectory, kCreate, kWrite, kWrite, kSyncFile, kRename, kSyncDirectory, kWrite,
                                 kResize, kMark, kMark, kLink, kRemove, kWrite));
  EXPECT_EQ((*trace)[3].offset, 3u);  // O_APPEND
  EXPECT_EQ((*trace)[3].data, "def");
  EXPECT_EQ((*trace)[7].flags, kDurableOnReturn);
  EXPECT_EQ((*trace)[13].offset, 2u);  // after lseek()
}

TEST_F(RecorderTest, StoresThroughAMappingArePendingUntilTheyAreFlushed) {
  const auto trace = RecordScene("mapping");
  ASSERT_TRUE(trace.ok()) << trace.status();
  const std::string durable = Modelled(*trace, false)["tail"];
  EXPECT_EQ(durable.substr(0, 600), std::string(600, '1'));     // by fdatasync
  EXPECT_EQ(durable.substr(4096, 600), std::string(600, '2'));  // by msync
  EXPECT_EQ(durable[600], '\0');                                // not at all
  EXPECT_EQ(Modelled(*trace, true)["tail"][600], '3');
  std::set<std::int64_t> acknowledged;
  Enumerate(*trace, {}, [&](const CrashImage& image) {
    acknowledged.insert(image.obligation.acknowledged);
    if (image.obligation.acknowledged >= 1) {
      EXPECT_EQ(image.disk.files.at("tail").substr(0, 600), std::string(600, '1'));
    }
    if (image.obligation.acknowledged >= 2) {
      EXPECT_EQ(image.disk.files.at("tail").substr(4096, 600), std::string(600, '2'));
    }
  });
  EXPECT_THAT(acknowledged, ElementsAre(kNoLog, 1, 2));
}

TEST_F(RecorderTest, AStoreAcknowledgedWithoutAFlushIsFoundLost) {
  const auto trace = RecordScene("careless");
  ASSERT_TRUE(trace.ok()) << trace.status();
  std::set<char> found;
  Enumerate(*trace, {}, [&](const CrashImage& image) {
    if (image.obligation.acknowledged == 1) found.insert(image.disk.files.at("tail")[0]);
  });
  EXPECT_THAT(found, Contains('\0'));
}

TEST_F(RecorderTest, ATraceGoesOnInTheNextProgram) {
  ASSERT_TRUE(RecordScene("calls").ok());
  const auto trace = RecordScene("streams");
  ASSERT_TRUE(trace.ok()) << trace.status();
  EXPECT_EQ(Modelled(*trace, true), Real());
  EXPECT_EQ(Real().size(), 3u);
}

TEST_F(RecorderTest, FilesThatWereThereAreDurable) {
  std::ofstream(Watched() + "/old") << "old";
  const auto trace = RecordScene("streams");
  ASSERT_TRUE(trace.ok()) << trace.status();
  EXPECT_THAT(Modelled(*trace, false), ElementsAre(testing::Pair("old", "old")));
}

TEST_F(RecorderTest, ACallThatCannotBeFollowedIsReported) {
  EXPECT_EQ(RecordScene("unknown").status().code(), absl::StatusCode::kUnimplemented);
}

}  // namespace
}  // namespace foldlog::power_cut

int main(int argc, char** argv) {
  if (argc == 3 && argv[1][0] != '-') {
    std::filesystem::current_path(argv[2]);
    foldlog::power_cut::Scenes().at(argv[1])();
    return 0;
  }
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
