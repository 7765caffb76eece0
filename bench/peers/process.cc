#include "bench/peers/process.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "absl/strings/str_cat.h"

namespace foldlog::peers {

absl::Status RunInChild(const std::function<absl::Status()>& work, Ending ending) { return Child(work, ending).Wait(); }

Child::Child(const std::function<absl::Status()>& work, Ending ending) : ending_(ending) {
  fflush(nullptr);
  pid_ = fork();
  if (pid_ != 0) return;
  const absl::Status status = work();
  message_->code = static_cast<int>(status.code());
  const std::string text(status.message());
  std::memcpy(message_->text, text.data(), std::min(text.size(), sizeof message_->text - 1));
  message_->done = true;
  if (ending_ == Ending::kSigkill && status.ok()) raise(SIGKILL);
  _exit(0);
}

Child::~Child() {
  if (pid_ > 0) waitpid(pid_, nullptr, 0);
}

absl::Status Child::Wait() {
  if (pid_ < 0) return absl::ErrnoToStatus(errno, "fork");
  int ended = 0;
  const bool waited = waitpid(pid_, &ended, 0) == pid_;
  pid_ = -1;
  if (!waited) return absl::ErrnoToStatus(errno, "waitpid");
  if (!message_->done) return absl::AbortedError(absl::StrCat("a child ended early, with status ", ended));
  if (message_->code != 0) return {static_cast<absl::StatusCode>(message_->code), message_->text};
  const bool killed = WIFSIGNALED(ended) && WTERMSIG(ended) == SIGKILL;
  if (killed != (ending_ == Ending::kSigkill)) {
    return absl::AbortedError(absl::StrCat("a child ended otherwise than it should, with status ", ended));
  }
  return absl::OkStatus();
}

std::uint64_t BytesWritten() {
  std::ifstream file("/proc/self/io");
  std::uint64_t written = 0;
  std::uint64_t cancelled = 0;
  std::string name;
  for (std::uint64_t value = 0; file >> name >> value;) {
    if (name == "write_bytes:") written = value;
    if (name == "cancelled_write_bytes:") cancelled = value;
  }
  return written - std::min(written, cancelled);
}

std::uint64_t DeviceBytesAfterSync(const std::string& path) {
  struct stat info = {};
  const int fd = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return 0;
  const bool synced = syncfs(fd) == 0 && fstat(fd, &info) == 0;
  close(fd);
  if (!synced) return 0;
  std::ifstream file(absl::StrCat("/sys/dev/block/", major(info.st_dev), ":", minor(info.st_dev), "/stat"));
  std::uint64_t value = 0;
  constexpr int kSectorsWritten = 7;  // Documentation/block/stat.rst
  constexpr std::uint64_t kSectorBytes = 512;
  for (int field = 1; field <= kSectorsWritten; ++field) file >> value;
  return file ? value * kSectorBytes : 0;
}

std::uint64_t BytesKept(const std::string& directory) {
  std::uint64_t bytes = 0;
  std::error_code ignored;  // a file may be gone meanwhile
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory, ignored)) {
    struct stat info = {};
    constexpr std::uint64_t kBlockBytes = 512;
    if (lstat(entry.path().c_str(), &info) != 0 || !S_ISREG(info.st_mode)) continue;
    bytes += static_cast<std::uint64_t>(info.st_blocks) * kBlockBytes;
  }
  return bytes;
}

ScratchPlace::ScratchPlace(const std::string& parent) : path_(parent + "/peer_XXXXXX") {
  if (mkdtemp(path_.data()) == nullptr) throw std::runtime_error("no directory can be made in " + parent);
}

ScratchPlace::~ScratchPlace() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace foldlog::peers
