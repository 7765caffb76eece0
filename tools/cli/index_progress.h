// What a person sees of an indexing run: a line on the terminal that renews itself, or now and then a line in a file.

#ifndef FOLDLOG_CLI_INDEX_PROGRESS_H_
#define FOLDLOG_CLI_INDEX_PROGRESS_H_

#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>

#include "tools/cli/output.h"
#include "tools/indexer/indexer.h"

namespace foldlog::cli {

// One line of at most `columns` columns. Pure.
std::string ProgressLine(const indexer::Progress& progress, std::size_t columns);

class ProgressDisplay : public indexer::ProgressSink {
 public:
  enum class Style { kTerminal, kLines, kQuiet };
  using Clock = std::function<std::chrono::steady_clock::time_point()>;

  // A terminal gets a line that renews itself, anything else whole lines; `quiet` silences both.
  static Style StyleFor(int fd, bool quiet);

  ProgressDisplay(Style style, Output& out, Clock clock = std::chrono::steady_clock::now);
  ~ProgressDisplay() override { Finish(); }

  void Update(const indexer::Progress& progress) override;
  void Report(const std::string& line) override;

  // Takes the line off the terminal.
  void Finish();

 private:
  Style style_;
  Output& out_;
  Clock clock_;
  std::optional<std::chrono::steady_clock::time_point> shown_at_;
  bool line_shown_ = false;
};

}  // namespace foldlog::cli

#endif  // FOLDLOG_CLI_INDEX_PROGRESS_H_
