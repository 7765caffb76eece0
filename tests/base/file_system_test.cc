// Files and directories: what is opened and what is refused, and what an error tells the caller to do next.

#include "engine/base/file_system.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "tests/support/child_process.h"
#include "tests/support/file_bytes.h"
#include "tests/support/test_support.h"

namespace foldlog {
namespace {

using absl::StatusCode;
using testing::AllOf;
using testing::HasSubstr;

class FileSystemTest : public testing::Test {
 protected:
  const TempDir directory_;
  const std::string path_ = directory_ / "file";
};

TEST_F(FileSystemTest, NetworkFileSystemsAreRefusedByName) {
  EXPECT_EQ(UnsupportedFileSystem(0x6969), "NFS");
  EXPECT_EQ(UnsupportedFileSystem(static_cast<int>(0xff534d42)), "SMB");  // f_type may be sign-extended
  EXPECT_EQ(UnsupportedFileSystem(0x65735546), "FUSE");
  for (const long local : {0xef53L, 0x58465342L, 0x9123683eL, 0x01021994L, 0x794c7630L}) {
    EXPECT_FALSE(UnsupportedFileSystem(local).has_value());
  }
  for (const long remote :
       {0x5346414fL, 0x73757245L, 0x00c36400L, 0x01021997L, 0x0bd00bd0L, 0x01161970L, 0x7461636fL}) {
    EXPECT_TRUE(UnsupportedFileSystem(remote).has_value());
  }
  EXPECT_THAT(CheckFileSystem(path_), Fails(StatusCode::kNotFound, testing::_));
}

TEST_F(FileSystemTest, ErrnosSayWhatToDoNext) {
  EXPECT_THAT(ErrnoStatus(ENOSPC, "write"), Fails(StatusCode::kResourceExhausted, HasSubstr("cannot write: No space")));
  EXPECT_THAT(ErrnoStatus(EFBIG, "write"), Fails(StatusCode::kResourceExhausted, HasSubstr("ulimit -f")));
  EXPECT_THAT(ErrnoStatus(EDQUOT, "write"), Fails(StatusCode::kResourceExhausted, HasSubstr("quota")));
  EXPECT_THAT(ErrnoStatus(EIO, "write"), Fails(StatusCode::kUnavailable, testing::_));
  EXPECT_THAT(ErrnoStatus(EACCES, "write"), Fails(StatusCode::kPermissionDenied, testing::_));
  EXPECT_THAT(ErrnoStatus(ENOENT, "write"), Fails(StatusCode::kNotFound, testing::_));
}

TEST_F(FileSystemTest, PathsAreTakenApartWithoutLookingAtThem) {
  EXPECT_EQ(ParentOf("a/b"), "a");
  EXPECT_EQ(ParentOf("b"), ".");
  EXPECT_EQ(ParentOf("/b"), "/");
  EXPECT_EQ(ParentOf("a//b"), "a");
  EXPECT_EQ(WithoutTrailingSlashes("a/b///"), "a/b");
  EXPECT_EQ(WithoutTrailingSlashes("/"), "/");
  EXPECT_EQ(WithoutTrailingSlashes("///"), "/");
}

TEST_F(FileSystemTest, DescriptorIsClosedOnceByItsLastOwner) {
  FileDescriptor first(open("/dev/null", O_RDONLY | O_CLOEXEC));
  const int fd = first.get();
  FileDescriptor second = std::move(first);
  EXPECT_FALSE(first.valid());  // NOLINT(bugprone-use-after-move): that is the claim
  EXPECT_EQ(second.get(), fd);
  EXPECT_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
  errno = 77;
  second.Close();
  EXPECT_EQ(errno, 77);
  EXPECT_EQ(fcntl(fd, F_GETFD), -1);
}

TEST_F(FileSystemTest, OnlyRegularFilesAreOpened) {
  EXPECT_THAT(OpenRegularFile(path_, O_RDONLY), Fails(StatusCode::kNotFound, HasSubstr(path_)));
  ASSERT_OK_AND_ASSIGN(const FileDescriptor file, OpenRegularFile(path_, O_RDWR | O_CREAT));
  EXPECT_NE(fcntl(file.get(), F_GETFD) & FD_CLOEXEC, 0);
  std::filesystem::create_symlink(path_, directory_ / "link");
  ASSERT_EQ(mkfifo((directory_ / "pipe").c_str(), 0600), 0);
  for (const std::string& other : {directory_ / "link", directory_ / "pipe", directory_.path()}) {
    for (const int flags : {O_RDONLY, O_WRONLY}) {  // a pipe would wait for its other end
      EXPECT_THAT(OpenRegularFile(other, flags),
                  Fails(StatusCode::kFailedPrecondition, HasSubstr("not a regular file")))
          << other;
    }
  }
}

TEST_F(FileSystemTest, SecondNameIsRefused) {
  ASSERT_OK_AND_ASSIGN(const FileDescriptor file, OpenRegularFile(path_, O_RDWR | O_CREAT));
  EXPECT_OK(RefuseHardLinks(file.get(), path_));
  std::filesystem::create_hard_link(path_, directory_ / "second");
  EXPECT_THAT(RefuseHardLinks(file.get(), path_), Fails(StatusCode::kFailedPrecondition, HasSubstr("2 names")));
}

TEST_F(FileSystemTest, FileThatHasLeftItsPathIsNoticed) {
  ASSERT_OK_AND_ASSIGN(const FileDescriptor file, OpenRegularFile(path_, O_RDWR | O_CREAT));
  EXPECT_OK(CheckIsAtPath(file.get(), path_));
  std::filesystem::rename(path_, directory_ / "aside");
  EXPECT_THAT(CheckIsAtPath(file.get(), path_), Fails(StatusCode::kDataLoss, HasSubstr("was removed or renamed")));
  WriteFile(path_, "another");
  EXPECT_THAT(CheckIsAtPath(file.get(), path_), Fails(StatusCode::kDataLoss, HasSubstr("was replaced")));
}

TEST_F(FileSystemTest, WhatIsReadIsWhatWasWrittenOrNothing) {
  ASSERT_OK_AND_ASSIGN(const FileDescriptor file, OpenRegularFile(path_, O_RDWR | O_CREAT));
  const std::string text = "0123456789";
  ASSERT_OK(WriteFully(file.get(), std::as_bytes(std::span(text)), 5, path_));
  std::string read(text.size(), '\0');
  ASSERT_OK(ReadFully(file.get(), std::as_writable_bytes(std::span(read)), 5, path_));
  EXPECT_EQ(read, text);
  EXPECT_THAT(ReadFully(file.get(), std::as_writable_bytes(std::span(read)), 6, path_),
              Fails(StatusCode::kDataLoss, HasSubstr(path_)));
}

// By a limit that only the child has; a signal would end it.
TEST_F(FileSystemTest, LimitOnFileSizesIsAnErrorAndNoSignal) {
  EXPECT_EQ(InChild([&] {
              const auto file = OpenRegularFile(path_, O_RDWR | O_CREAT);
              const rlimit limit{.rlim_cur = 4096, .rlim_max = 4096};
              if (!file.ok() || setrlimit(RLIMIT_FSIZE, &limit) != 0) return 1;
              const std::vector<std::byte> bytes(8192);
              const absl::Status written = WriteFully(file->get(), bytes, 0, path_);
              if (!absl::IsResourceExhausted(written)) return 2;
              return ErrnoOfWritingTo(path_) == EFBIG ? 0 : 3;
            }),
            0);
  EXPECT_EQ(ErrnoOfWritingTo(path_), 0);
  EXPECT_EQ(std::filesystem::file_size(path_), 4096u) << "what was tried is taken away again";
}

}  // namespace
}  // namespace foldlog
