// Buffered writing to a file descriptor.

#include "tools/cli/output.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "tools/cli/printable.h"

namespace foldlog::cli {
namespace {

// Enough that a listing of millions of events costs few system calls.
constexpr std::size_t kBufferBytes = 64 * 1024;

}  // namespace

std::optional<std::size_t> Output::terminal_columns() const {
  winsize size = {};
  if (ioctl(fd_, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return std::nullopt;
  return size.ws_col;
}

Output::~Output() { Flush().IgnoreError(); }

void Output::Line(std::string_view text) {
  buffer_ += Printable(text);
  buffer_ += '\n';
  if (buffer_.size() >= kBufferBytes) Flush().IgnoreError();  // remembered in failure_
}

void Output::Raw(std::string_view bytes) { buffer_ += bytes; }

absl::Status Output::Flush() {
  std::string_view rest = buffer_;
  while (!rest.empty() && !closed_ && failure_.ok()) {
    const ssize_t written = write(fd_, rest.data(), rest.size());
    if (written >= 0) {
      rest.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno == EAGAIN) {  // somebody made the pipe or terminal that we share non-blocking
      pollfd writable{.fd = fd_, .events = POLLOUT, .revents = 0};
      poll(&writable, 1, -1);
    } else if (errno == EPIPE) {
      closed_ = true;
    } else if (errno != EINTR) {
      failure_ = absl::UnavailableError("the output cannot be written: " + std::system_category().message(errno));
    }
  }
  buffer_.clear();
  return failure_;
}

}  // namespace foldlog::cli
