// Progress of an indexing run. Decides how often to show it; the indexer tells it as often as it likes.

#include "tools/cli/index_progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <string_view>
#include <utility>

#include "tools/cli/printable.h"
#include "tools/cli/time_format.h"

namespace foldlog::cli {
namespace {

using std::chrono::milliseconds;

// Quicker is not readable; and a log file should not fill up with progress.
constexpr milliseconds kRedrawInterval{100};
constexpr milliseconds kLineInterval{5000};

constexpr std::size_t kColumnsUnknown = 80;
constexpr std::size_t kColumnsOfLines = 200;  // where no terminal cuts a line off

constexpr std::string_view kClearLine = "\r\x1b[K";

std::size_t TerminalColumns(int fd) {
  winsize size = {};
  if (ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return kColumnsUnknown;
  return size.ws_col;
}

std::string Share(std::int64_t done, std::int64_t total) {
  if (total <= 0) return "";
  return " (" + OneDecimal(100.0 * static_cast<double>(done) / static_cast<double>(total)) + " %)";
}

std::string IndexingText(const indexer::Progress& progress) {
  std::string text = Grouped(progress.files_done);
  if (progress.files_total) text += " of " + Grouped(*progress.files_total);
  text += " files";
  if (progress.files_total) text += Share(progress.files_done, *progress.files_total);
  if (progress.files_per_s > 0) text += ", " + OneDecimal(progress.files_per_s) + " files/s";
  if (progress.files_total) {
    const std::optional<std::string> left = TimeLeft(*progress.files_total, progress.files_done, progress.files_per_s);
    if (left) text += ", " + *left + " left";
  }
  return text;
}

std::string StageText(const indexer::Progress& progress) {
  switch (progress.stage) {
    case indexer::Progress::Stage::kCounting:
      return "Counting: " + Grouped(progress.files_done) + " files";
    case indexer::Progress::Stage::kIndexing:
      return IndexingText(progress);
    case indexer::Progress::Stage::kSweeping:
      return "Looking for files that are gone";
    case indexer::Progress::Stage::kLookingAgain:
      return "Looking again at what changed meanwhile";
  }
  return "";
}

std::string Errors(std::int64_t count) { return Grouped(count) + (count == 1 ? " error" : " errors"); }

}  // namespace

std::string ProgressLine(const indexer::Progress& progress, std::size_t columns) {
  std::string text = StageText(progress);
  if (progress.errors > 0) text += ", " + Errors(progress.errors);
  if (!progress.current_path.empty()) text += "  " + Printable(progress.current_path);
  return std::string(TruncateToWidth(text, columns));
}

ProgressDisplay::Style ProgressDisplay::StyleFor(int fd, bool quiet) {
  if (quiet) return Style::kQuiet;
  const char* terminal = std::getenv("TERM");
  const bool obeys = terminal != nullptr && std::string_view(terminal) != "dumb";
  return obeys && isatty(fd) != 0 ? Style::kTerminal : Style::kLines;
}

ProgressDisplay::ProgressDisplay(Style style, Output& out, Clock clock)
    : style_(style), out_(out), clock_(std::move(clock)) {
  // Lines are for those who wait: a run that ends at once needs none.
  if (style_ == Style::kLines) shown_at_ = clock_();
}

void ProgressDisplay::Update(const indexer::Progress& progress) {
  if (style_ == Style::kQuiet) return;
  const auto now = clock_();
  if (shown_at_ && now - *shown_at_ < (style_ == Style::kTerminal ? kRedrawInterval : kLineInterval)) return;
  shown_at_ = now;
  if (style_ == Style::kTerminal) {
    // The last column stays empty: a character there makes some terminals wrap.
    out_.Raw(kClearLine);
    out_.Raw(ProgressLine(progress, TerminalColumns(out_.fd()) - 1));
    line_shown_ = true;
  } else {
    out_.Line(ProgressLine(progress, kColumnsOfLines));
  }
  out_.Flush().IgnoreError();  // nobody watches; the run goes on
}

void ProgressDisplay::Report(const std::string& line) {
  if (style_ == Style::kQuiet) return;
  Finish();
  out_.Line(line);
  out_.Flush().IgnoreError();
}

void ProgressDisplay::Finish() {
  if (!line_shown_) return;
  out_.Raw(kClearLine);
  out_.Flush().IgnoreError();
  line_shown_ = false;
}

}  // namespace foldlog::cli
