// What a log tells at one moment (replay/report/log_view.h), in words.

#ifndef FOLDLOG_CLI_LOG_VIEW_H_
#define FOLDLOG_CLI_LOG_VIEW_H_

#include <string_view>

#include "absl/status/status.h"
#include "foldlog/event_log.h"
#include "foldlog/owner.h"
#include "foldlog/state.h"
#include "replay/report/log_view.h"
#include "tools/cli/output.h"

namespace foldlog::cli {

using report::FileErrors;
using report::LogView;
using report::ReadLogView;

// Where the log stops making sense, for standard error and the exit code.
absl::Status CheckNoMisfit(const State& state, const EventLog& log);

// What is wrong with the log's index, as far as that shows at once: in its rows of batches, and of the latest
// operations.
absl::Status FindIndexDamage(const EventLog& log, const LogExtent& extent);

// Says on `messages` what is wrong with the log's index, if anything: the answer is that of the events all the same.
void TellOfIndexDamage(const absl::Status& damage, Output& messages);

// "its process died", …: for people.
std::string_view Explain(OwnerFate fate);

}  // namespace foldlog::cli

#endif  // FOLDLOG_CLI_LOG_VIEW_H_
