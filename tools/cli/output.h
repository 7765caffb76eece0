// Lines to standard output or standard error, with nothing in them that a terminal would obey.

#ifndef FOLDLOG_CLI_OUTPUT_H_
#define FOLDLOG_CLI_OUTPUT_H_

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "tools/cli/styled.h"

namespace foldlog::cli {

class Output {
 public:
  // Writes to `fd`, which stays the caller's. SIGPIPE must be ignored.
  explicit Output(int fd);
  ~Output();
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  // Adds a line. Whatever should not reach a terminal is escaped here, for the last time (printable.h).
  void Line(std::string_view text);

  // The same for each of them; what stands out is in colour if this output has colours.
  void Show(const Lines& lines);
  void Show(const StyledLine& line);

  // Adds a record of comma-separated values (csv.h). Its bytes stay as they are, except on a terminal.
  void Csv(const std::vector<std::string>& fields);

  // Adds bytes as they are: for what this program itself composed, such as the sequences of the progress line.
  void Raw(std::string_view bytes);

  // Writes out what was added. An error other than a reader that went away is returned, and again by later calls.
  absl::Status Flush();

  // The reader went away (head, a closed pager): nothing more will be written, and there is nobody to complain to.
  bool closed() const { return closed_; }

  int fd() const { return fd_; }

  // What it goes to is a terminal, perhaps by way of a pager.
  bool is_terminal() const;

  // How many columns the terminal has that this goes to, or the environment variable COLUMNS allows; nothing if it goes
  // elsewhere.
  std::optional<std::size_t> terminal_columns() const;

  // From now on, lines are written with the colours that they ask for.
  void UseColours() { colours_ = true; }

  // Writes to `fd` instead, which belongs to a pager on the terminal that was written to before.
  void SendThrough(int fd) { fd_ = fd; }

 private:
  void EndLine();

  int fd_;
  int terminal_fd_;    // what `fd_` was at first
  bool line_by_line_;  // somebody looks on
  bool colours_ = false;
  bool closed_ = false;
  absl::Status failure_;
  std::string buffer_;
};

}  // namespace foldlog::cli

#endif  // FOLDLOG_CLI_OUTPUT_H_
