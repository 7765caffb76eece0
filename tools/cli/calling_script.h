// The process that answers for an operation which a script keeps, one command a step.
//
// This program is gone after every step, so the owner is who called it. But the caller may be gone at once as well: a
// subshell of op=$(foldlog start | jq …), a wrapper such as timeout. So the chain of ancestors is climbed to the
// process that goes on. Where that can't be told, the caller is asked to name it; a wrong owner is never recorded.

#ifndef FOLDLOG_CLI_CALLING_SCRIPT_H_
#define FOLDLOG_CLI_CALLING_SCRIPT_H_

#include <cstdint>
#include <optional>
#include <string_view>

#include "absl/status/statusor.h"
#include "foldlog/owner.h"

namespace foldlog::cli {

// The script as the owner of an operation: the process `pid` if it is named, else the one that this program finds.
absl::StatusOr<Owner> ScriptAsOwner(std::optional<std::int64_t> pid);

// Whether this process was started, through any number of others, by `owner`; or is the owner itself: a shell starts
// the last command of a text in its own place.
bool DescendsFrom(const Owner& owner);

// What the text behind a shell's -c tells of the process that ran `foldlog start` in it.
enum class ShellText {
  kGoesOn,            // it ends the operation, too: the shell is the script
  kEndsAtOnce,        // nothing follows, except in case of failure
  kEndsWithPipeline,  // the same, but the output goes into a pipeline, whose end may be what goes on
  kUnclear,
};
ShellText JudgeShellText(std::string_view text);

}  // namespace foldlog::cli

#endif  // FOLDLOG_CLI_CALLING_SCRIPT_H_
