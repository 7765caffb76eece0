// Buffered writing to a file descriptor.

#include "tools/cli/output.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <system_error>
#include <vector>

#include "absl/strings/numbers.h"
#include "tools/cli/csv.h"
#include "tools/cli/printable.h"

namespace foldlog::cli {
namespace {

// Enough that a listing of millions of events costs few system calls.
constexpr std::size_t kBufferBytes = 64 * 1024;

constexpr std::string_view kEndOfColour = "\x1b[m";

// Select Graphic Rendition. Bold besides the colour, which not everybody sees.
std::string_view BeginOf(Tone tone) {
  switch (tone) {
    case Tone::kPlain:
      return "";
    case Tone::kHeading:
      return "\x1b[1m";
    case Tone::kBad:
      return "\x1b[1;31m";
    case Tone::kWarning:
      return "\x1b[1;33m";
  }
  return "";
}

}  // namespace

Output::Output(int fd) : fd_(fd), terminal_fd_(fd), line_by_line_(isatty(fd) == 1) {}

bool Output::is_terminal() const { return isatty(terminal_fd_) == 1; }

std::optional<std::size_t> Output::terminal_columns() const {
  if (!is_terminal()) return std::nullopt;
  if (const char* const set = std::getenv("COLUMNS"); set != nullptr) {
    std::size_t columns = 0;
    if (absl::SimpleAtoi(set, &columns) && columns > 0) return columns;
  }
  winsize size = {};
  if (ioctl(terminal_fd_, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return std::nullopt;
  return size.ws_col;
}

Output::~Output() { Flush().IgnoreError(); }

void Output::Line(std::string_view text) {
  AppendPrintable(text, buffer_);
  EndLine();
}

void Output::Show(const Lines& lines) {
  for (const StyledLine& line : lines) Show(line);
}

void Output::Show(const StyledLine& line) {
  const std::string_view text = line.text;
  std::size_t done = 0;
  for (const Tint& tint : colours_ ? line.tints : std::vector<Tint>()) {
    AppendPrintable(text.substr(done, tint.begin - done), buffer_);
    buffer_ += BeginOf(tint.tone);
    AppendPrintable(text.substr(tint.begin, tint.size), buffer_);
    buffer_ += kEndOfColour;
    done = tint.begin + tint.size;
  }
  AppendPrintable(text.substr(done), buffer_);
  EndLine();
}

void Output::Csv(const std::vector<std::string>& fields) {
  if (is_terminal()) return Line(CsvRecord(fields));
  buffer_ += CsvRecord(fields);
  buffer_ += kCsvEnd;
  if (buffer_.size() >= kBufferBytes) Flush().IgnoreError();  // remembered in failure_
}

// A person sees each line as it comes: the next may be long in coming.
void Output::EndLine() {
  buffer_ += '\n';
  if (buffer_.size() >= kBufferBytes || line_by_line_) Flush().IgnoreError();  // remembered in failure_
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
