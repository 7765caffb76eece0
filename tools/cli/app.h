// The foldlog program: arguments in, exit status out.

#ifndef FOLDLOG_CLI_APP_H_
#define FOLDLOG_CLI_APP_H_

#include "absl/status/status.h"

namespace foldlog::cli {

// Exit status.
inline constexpr int kDone = 0;
inline constexpr int kRefused = 1;  // refused or failed; standard error says what to do next
inline constexpr int kWrongUsage = 2;
inline constexpr int kCorrupt = 3;     // stored bytes are damaged
inline constexpr int kFileErrors = 4;  // done, but files had errors (index --strict)
inline constexpr int kPaused = 5;      // index was stopped before the end, and goes on when run again
inline constexpr int kStalled = 6;     // status --stalled-after: no progress for longer than that

int ExitStatus(const absl::Status& status);

// Parses the arguments and runs the command that they name. Everything it has to say goes to standard output and error.
int RunProgram(int argc, const char* const* argv);

}  // namespace foldlog::cli

#endif  // FOLDLOG_CLI_APP_H_
