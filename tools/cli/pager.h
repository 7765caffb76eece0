// Shows an answer on a terminal page by page, as `git log` does.
//
// The program is $FOLDLOG_PAGER, or $PAGER, or less; "cat", an empty text and TERM=dumb mean none. less is told to end
// at once where all fits on the screen, to let colours through, and to leave its last page there (LESS=FRX), unless
// LESS says what the user wants. One that cannot be started is done without.

#ifndef FOLDLOG_CLI_PAGER_H_
#define FOLDLOG_CLI_PAGER_H_

#include <sys/types.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>

#include "tools/cli/output.h"

namespace foldlog::cli {

// The command to run; empty: none. Pure but for the environment.
std::string PagerCommand();

// From its start on, the output goes to a pager. Only for commands that change nothing: when the user leaves the pager,
// the program ends at once, whatever it is doing. Until then an interrupt from the keyboard is for the pager.
//
// Threads: one besides the caller's, which waits for the pager to end. `finishing_` tells it whether anybody still
// needs the program then.
class Pager {
 public:
  // Null if `out` goes to no terminal, or there is no pager. `out` must outlive it.
  static std::unique_ptr<Pager> Start(Output& out);

  // Sends off what was written, and waits until the user has seen it.
  ~Pager();
  Pager(const Pager&) = delete;
  Pager& operator=(const Pager&) = delete;

 private:
  Pager(Output& out, pid_t pid, int fd);
  void Await();

  Output& out_;
  pid_t pid_;
  int fd_;
  std::atomic<bool> finishing_{false};
  std::thread waiter_;
};

}  // namespace foldlog::cli

#endif  // FOLDLOG_CLI_PAGER_H_
