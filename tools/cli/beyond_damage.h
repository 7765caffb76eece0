// --beyond-damage: what is damaged is left out of an answer, and said.

#ifndef FOLDLOG_CLI_BEYOND_DAMAGE_H_
#define FOLDLOG_CLI_BEYOND_DAMAGE_H_

#include <limits>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "foldlog/event_log.h"
#include "tools/cli/command.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace foldlog::cli {

CLI::Option* AddBeyondDamage(CLI::App& app, bool& target);

// The log of the context, for reading; beyond its damage if that is wanted.
absl::StatusOr<std::unique_ptr<EventLog>> OpenToRead(const Context& context, bool beyond_damage);

// Which events of such a range are missing, and what they mean for the exit status. To be called when all else was
// printed.
void TellOfGaps(const EventLog& log, bool json, Context& context, Sequence from = 1,
                Sequence through = std::numeric_limits<Sequence>::max());

}  // namespace foldlog::cli

#endif  // FOLDLOG_CLI_BEYOND_DAMAGE_H_
