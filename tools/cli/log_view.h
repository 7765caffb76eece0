// What a log, and the system around it, tell at one moment. Only reads; works while a writer goes on.

#ifndef FOLDLOG_CLI_LOG_VIEW_H_
#define FOLDLOG_CLI_LOG_VIEW_H_

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "foldlog/event_log.h"
#include "foldlog/owner.h"
#include "foldlog/state.h"

namespace foldlog::cli {

struct LogView {
  State state;
  LogExtent extent;
  WriterInfo writer;
  std::optional<OwnerFate> fate;  // of the owner of the operation in progress
  bool interrupted = false;       // that operation is in progress by the log only: nobody works on it any more

  // Whether `operation`, as found in the history, is the one on the row: the same use of the same id.
  bool IsAbout(const Operation& operation) const {
    return state.operation && state.operation->first_sequence == operation.first_sequence;
  }
};

// `log` is the log in `directory`, opened for reading. State and writer belong together: a verdict of "interrupted" is
// given only if the log stood still while it was found.
absl::StatusOr<LogView> ReadLogView(const EventLog& log, const std::string& directory);

// Whether an operation in progress was interrupted, given what AssessOwner() says of its owner.
//
// kUnknown is no proof, so it counts as "still at work", with one exception: an owner that lives as long as it holds
// the writer lock, while nobody holds it. Locks are seen across pid namespaces, and logs are on local disks only; so
// whoever the owner was, it works on this log no more. Resume() may still want proof, and RecoverByForce() is the way
// then.
bool IsInterrupted(const Owner& owner, OwnerFate fate, const WriterInfo& writer);

// "its process died", …: for people.
std::string_view Explain(OwnerFate fate);

}  // namespace foldlog::cli

#endif  // FOLDLOG_CLI_LOG_VIEW_H_
