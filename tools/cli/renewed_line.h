// A line on a terminal that renews itself while something goes on.

#ifndef FOLDLOG_CLI_RENEWED_LINE_H_
#define FOLDLOG_CLI_RENEWED_LINE_H_

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

#include "tools/cli/output.h"

namespace foldlog::cli {

// Threads: one at a time.
class RenewedLine {
 public:
  // `out` must go to a terminal.
  explicit RenewedLine(Output& out) : out_(&out) {}
  ~RenewedLine() { Finish(); }
  RenewedLine(const RenewedLine&) = delete;
  RenewedLine& operator=(const RenewedLine&) = delete;

  // What it says from now on, cut to the terminal's width.
  void Show(std::string_view text);

  // Whether so much time has passed that a new text is worth its making.
  bool IsDue() const;

  // Takes the line off the terminal.
  void Finish();

 private:
  using Clock = std::chrono::steady_clock;

  Output* out_;
  bool shown_ = false;
  Clock::time_point shown_at_ = {};
};

}  // namespace foldlog::cli

#endif  // FOLDLOG_CLI_RENEWED_LINE_H_
