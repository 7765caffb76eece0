#include "replay/backup/streams.h"

#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <span>

#include "engine/base/file_system.h"

namespace foldlog::backup {

StreamWriter::Sink SinkOf(int fd) {
  return [fd](std::span<const std::byte> bytes) -> absl::Status {
    while (!bytes.empty()) {
      const ssize_t put = write(fd, bytes.data(), bytes.size());
      if (put < 0 && errno == EINTR) continue;
      if (put < 0) return ErrnoStatus(errno, "write the stream of the backup");
      bytes = bytes.subspan(static_cast<std::size_t>(put));
    }
    return absl::OkStatus();
  };
}

StreamReader::Source SourceOf(int fd) {
  return [fd](std::span<std::byte> into) -> absl::StatusOr<std::size_t> {
    while (true) {
      const ssize_t got = read(fd, into.data(), into.size());
      if (got >= 0) return static_cast<std::size_t>(got);
      if (errno != EINTR) return ErrnoStatus(errno, "read the stream of the backup");
    }
  };
}

std::int64_t NowNs() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(now).count();
}

}  // namespace foldlog::backup
