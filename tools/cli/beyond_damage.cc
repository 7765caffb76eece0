#include "tools/cli/beyond_damage.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "engine/gaps.h"
#include "foldlog/beyond_damage.h"
#include "foldlog/log_directory.h"
#include "replay/report/json_sink.h"
#include "replay/report/objects.h"
#include "tools/cli/app.h"
#include "tools/cli/arguments.h"

namespace foldlog::cli {
namespace {

std::string GapJson(const Gap& gap) {
  report::JsonSink json;
  json.BeginObject();
  PutGap(json, gap);
  json.EndObject();
  return json.Take();
}

}  // namespace

CLI::Option* AddBeyondDamage(CLI::App& app, bool& target) {
  return AddFlag(app, "--beyond-damage", target, "Leave out what is damaged, say which events that are, and go on");
}

absl::StatusOr<std::unique_ptr<EventLog>> OpenToRead(const Context& context, bool beyond_damage) {
  return beyond_damage ? OpenBeyondDamage(context.log) : OpenLogForReading(context.log);
}

void TellOfGaps(const EventLog& log, bool json, Context& context, Sequence from, Sequence through) {
  std::vector<Gap> missing;
  for (const Gap& gap : log.gaps()) {
    if (gap.through >= from && gap.from <= through) missing.push_back(gap);
  }
  if (missing.empty()) return;
  for (const Gap& gap : missing) {
    if (json) context.out.Line(GapJson(gap));
  }
  context.out.Flush().IgnoreError();  // remembered there
  context.pager.reset();
  for (const Gap& gap : missing) {
    context.messages.Line(absl::StrCat("foldlog: ", WhichAre(gap), " missing: damaged"));
  }
  context.exit_status = kCorrupt;
}

}  // namespace foldlog::cli
