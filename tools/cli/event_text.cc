// The gist of each kind of event.

#include "tools/cli/event_text.h"

#include <string>
#include <string_view>
#include <variant>

#include "absl/strings/str_cat.h"
#include "tools/cli/phrases.h"
#include "tools/cli/printable.h"
#include "tools/cli/time_format.h"

namespace foldlog::cli {
namespace {

// Room for the sequence numbers and kinds of all but the longest logs.
constexpr std::size_t kSequenceColumns = 8;
constexpr std::size_t kKindColumns = 11;

// What an event says, in one line.
struct Gist {
  const absl::TimeZone& zone;

  std::string operator()(const Started& started) const {
    std::string text = started.operation_id;
    AppendPart(Name(started.type), text);
    if (started.total_files) AppendPart(Grouped(*started.total_files) + " files", text);
    AppendPart("by " + Describe(started.owner), text);
    return text;
  }

  std::string operator()(const Checkpoint& checkpoint) const {
    std::string text = Grouped(checkpoint.files_processed) + " files";
    if (checkpoint.batch_num) AppendPart("batch " + Grouped(*checkpoint.batch_num), text);
    if (checkpoint.current_path) AppendPart("at " + *checkpoint.current_path, text);
    if (checkpoint.last_processed_file) AppendPart("last " + *checkpoint.last_processed_file, text);
    if (checkpoint.error) {
      AppendPart("error: ", text);
      if (!checkpoint.error->path.empty()) text += checkpoint.error->path + ": ";
      text += checkpoint.error->message.empty() ? checkpoint.error->details : checkpoint.error->message;
    }
    return text;
  }

  std::string operator()(const Paused& paused) const { return paused.reason; }

  std::string operator()(const Resumed& resumed) const {
    std::string text = "by " + Describe(resumed.owner);
    if (!resumed.reason.empty()) text += ": " + resumed.reason;
    return text;
  }

  std::string operator()(const Recovered& recovered) const {
    std::string text = Words(Name(recovered.evidence)) + ", by " + Describe(recovered.owner);
    if (!recovered.reason.empty()) text += ": " + recovered.reason;
    return text;
  }

  std::string operator()(const Completed& completed) const {
    std::string text;
    for (const std::string& line : StatLines(completed.stats)) AppendPart(line, text);
    return text;
  }

  std::string operator()(const Failed& failed) const { return failed.error; }
  std::string operator()(const Cleared&) const { return ""; }
  std::string operator()(const Reset& reset) const { return reset.reason; }

  std::string operator()(const Imported& imported) const {
    std::string text = imported.operation_id;
    AppendPart(Name(imported.type), text);
    AppendPart(Words(Name(imported.status)), text);
    AppendPart(Grouped(imported.files_processed) + " files", text);
    if (!imported.errors.empty()) AppendPart(Grouped(imported.errors.size()) + " errors", text);
    if (imported.status == OperationStatus::kFailed) AppendPart("failure: " + imported.failure, text);
    AppendPart("started " + HumanTime(imported.started_at, zone), text);
    if (!imported.source.empty()) AppendPart("from " + imported.source, text);
    AppendPart("by " + Describe(imported.owner), text);
    return text;
  }
};

std::string Left(std::string text, std::size_t columns) {
  if (text.size() < columns) text.append(columns - text.size(), ' ');
  return text;
}

Tone ToneOf(const EventBody& body) {
  if (std::holds_alternative<Failed>(body)) return Tone::kBad;
  if (std::holds_alternative<Recovered>(body)) return Tone::kWarning;
  const auto* checkpoint = std::get_if<Checkpoint>(&body);
  return checkpoint != nullptr && checkpoint->error ? Tone::kBad : Tone::kPlain;
}

}  // namespace

StyledLine EventText(const ShownEvent& shown, const Look& look) {
  const RecordedEvent& event = shown.event;
  const std::string sequence = std::to_string(event.sequence);
  const std::size_t indent = kSequenceColumns > sequence.size() ? kSequenceColumns - sequence.size() : 0;
  StyledLine line(std::string(indent, ' ') + sequence + "  " + EventTime(event.event.time, look.zone) + "  ");
  if (shown.notes.with_hash) line.text += HashText(event.hash) + "  ";
  const std::string kind(KindName(event.event.body));
  if (const Tone tone = ToneOf(event.event.body); tone != Tone::kPlain) {
    line.tints.push_back({line.text.size(), kind.size(), tone});
  }
  const std::string gist = Printable(std::visit(Gist{look.zone}, event.event.body));
  line.text += gist.empty() ? kind : Left(kind, kKindColumns) + gist;
  if (shown.notes.clock_step_ns != 0) {
    line.text += " (the clock was " + ClockStep(shown.notes.clock_step_ns) + " before)";
  }
  return line;
}

}  // namespace foldlog::cli
