// A place in the past of a log, as people name it: an event or a time.

#ifndef FOLDLOG_CLI_PAST_H_
#define FOLDLOG_CLI_PAST_H_

#include <string>
#include <variant>

#include "absl/status/statusor.h"
#include "foldlog/event_log.h"
#include "foldlog/state.h"
#include "tools/cli/command.h"

namespace foldlog::cli {

struct AtTime {
  TimeNs time = 0;
};
using Place = std::variant<Sequence, AtTime>;

// Digits are a sequence number; all else is a moment (time_words.h). Wrong usage, naming `name`, if it is neither.
absl::StatusOr<Place> ParsePlace(const std::string& name, const std::string& text, const Context& context);

// Errors as StateAt() and StateAtTime() have them.
absl::StatusOr<State> StateAtPlace(const EventLog& log, const Place& place);

}  // namespace foldlog::cli

#endif  // FOLDLOG_CLI_PAST_H_
