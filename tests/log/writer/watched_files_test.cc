// The files that a writer has open: gone, renamed or replaced ones are noticed, each by its name.

#include "engine/log/writer/watched_files.h"

#include "tests/support/file_bytes.h"
#include "tests/support/test_support.h"

namespace foldlog {
namespace {

using absl::StatusCode;
using testing::HasSubstr;

class WatchedFilesTest : public testing::TestWithParam<const char*> {
 protected:
  WatchedFilesTest() {
    std::filesystem::create_directory(log_);
    for (const char* name : {"log.mdb", "tail", "writer.lock"}) WriteFile(log_ + "/" + name, name);
  }

  const TempDir directory_;
  const std::string log_ = directory_ / "log";
  const std::string file_ = log_ + "/" + GetParam();
};

TEST_P(WatchedFilesTest, FileThatIsMissingFromTheStartIsNotWatched) {
  std::filesystem::remove(file_);
  EXPECT_THAT(WatchedFiles::In(log_), Fails(StatusCode::kNotFound, HasSubstr(file_)));
}

TEST_P(WatchedFilesTest, WritingToAFileIsNoHarmAndNeitherIsRenamingTheDirectory) {
  ASSERT_OK_AND_ASSIGN(const WatchedFiles watched, WatchedFiles::In(log_));
  WriteFile(file_, "other bytes in the same file");
  EXPECT_OK(watched.Check());
  std::filesystem::rename(log_, directory_ / "moved");
  EXPECT_OK(watched.Check());
}

TEST_P(WatchedFilesTest, RemovedRenamedAndReplacedFilesAreToldApart) {
  ASSERT_OK_AND_ASSIGN(const WatchedFiles watched, WatchedFiles::In(log_));
  const std::string aside = directory_ / "aside";
  std::filesystem::rename(file_, aside);
  const auto gone = Fails(StatusCode::kDataLoss, HasSubstr(file_ + " was removed or renamed"));
  EXPECT_THAT(watched.Check(), gone);
  WriteFile(file_, "another one of the same name");
  EXPECT_THAT(watched.Check(), Fails(StatusCode::kDataLoss, HasSubstr(file_ + " was replaced")));
  std::filesystem::rename(aside, file_);
  EXPECT_OK(watched.Check()) << "it is back";
  std::filesystem::remove_all(log_);
  EXPECT_THAT(watched.Check(), Fails(StatusCode::kDataLoss, HasSubstr("was removed or renamed")));
}

INSTANTIATE_TEST_SUITE_P(Files, WatchedFilesTest, testing::Values("log.mdb", "tail", "writer.lock"));

}  // namespace
}  // namespace foldlog
