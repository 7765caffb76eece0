// salvage: makes a new log of what is left of a damaged one, which is only read.

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/gaps.h"
#include "foldlog/salvage.h"
#include "replay/json_line.h"
#include "replay/report/json_sink.h"
#include "replay/report/objects.h"
#include "replay/report/text.h"
#include "tools/cli/app.h"
#include "tools/cli/arguments.h"
#include "tools/cli/command.h"
#include "tools/cli/index_progress.h"
#include "tools/cli/new_file.h"
#include "tools/cli/phrases.h"
#include "tools/cli/search_progress.h"
#include "tools/cli/time_format.h"

namespace foldlog::cli {
namespace {

constexpr const char* kStandardOutput = "-";

struct Options {
  std::optional<std::string> out;
  std::optional<std::string> beyond_gaps;
  std::optional<std::string> log_id;
  bool proven_only = false;
  bool dry_run = false;
  bool json = false;
};

std::string Events(std::uint64_t count) {
  return Grouped(static_cast<std::int64_t>(count)) + (count == 1 ? " event" : " events");
}

std::string GapText(const Gap& gap) {
  return absl::StrCat("missing: ", WhichAre(gap), " not found (", Events(gap.through - gap.from + 1), ")");
}

std::string StretchText(const SalvagedStretch& stretch) {
  return absl::StrCat("beyond: events ", stretch.before.sequence + 1, " to ", stretch.after.sequence, " (",
                      Events(stretch.count()), ") are intact, but are not in the new log");
}

void PrintText(const Options& options, const SalvageReport& report, Output& out) {
  for (const std::string& file : report.missing_files) out.Line(absl::StrCat("note: ", file, " is not there"));
  for (const std::string& file : report.given_up) {
    out.Line(
        absl::StrCat("note: ", file, " was not searched to its end: it is full of what looks like frames and is none"));
  }
  if (!report.lost_of_pruned.empty()) out.Line(absl::StrCat("note: ", report.lost_of_pruned));
  for (const Gap& gap : report.gaps()) out.Line(GapText(gap));
  for (const SalvagedStretch& stretch : report.beyond) out.Line(StretchText(stretch));
  if (report.others > 0) {
    out.Line(absl::StrCat("note: ", Events(report.others), ", the first of them event ", report.first_other,
                          ", contradict those that were taken: another history of the log"));
  }
  if (report.unproven > 0) {
    out.Line(absl::StrCat("note: nothing proves that the last ", Events(report.unproven), ", from event ",
                          report.proven_through + 1, " on, had been committed; they ",
                          options.proven_only ? "were left out" : "are in the new log"));
  }
  const std::uint64_t events = report.end.sequence - report.base.sequence;
  const std::string hash = absl::StrCat(Events(events), " up to hash ", report::HashText(report.end.hash));
  if (events == 0) {
    out.Line("salvaged: nothing, for the first event of the log was not found; no log was made");
  } else if (options.dry_run) {
    out.Line(absl::StrCat("to be salvaged: ", hash));
  } else {
    out.Line(absl::StrCat("salvaged: ", hash, " into ", *options.out));
  }
}

void PrintJson(const Options& options, const SalvageReport& report, double seconds, Output& out) {
  using report::JsonSink;
  for (const Gap& gap : report.gaps()) {
    JsonSink json;
    json.BeginObject();
    PutGap(json, gap);
    json.EndObject();
    out.Line(json.Take());
  }
  for (const SalvagedStretch& stretch : report.beyond) {
    JsonSink json;
    json.BeginObject();
    Put(json, "kind", std::string_view("beyond"));
    Put(json, "from", stretch.before.sequence + 1);
    Put(json, "through", stretch.after.sequence);
    json.EndObject();
    out.Line(json.Take());
  }
  JsonSink json;
  json.BeginObject();
  Put(json, "kind", std::string_view("summary"));
  Put(json, "complete", report.complete());
  Put(json, "out", options.out);
  Put(json, "log_id", HexOf(report.log_id));
  Put(json, "base_sequence", report.base.sequence);
  Put(json, "last_sequence", report.end.sequence);
  Put(json, "last_hash", report::HashText(report.end.hash));
  Put(json, "proven_through", report.proven_through);
  Put(json, "unproven", report.unproven);
  Put(json, "last_known", report.last_known);
  Put(json, "others", report.others);
  Put(json, "first_other", report.others > 0 ? std::optional(report.first_other) : std::nullopt);
  Put(json, "bytes", report.bytes);
  Put(json, "seconds", seconds);
  json.EndObject();
  out.Line(json.Take());
}

// The line on a terminal that says how far it is.
class Progress {
 public:
  explicit Progress(Output& messages)
      : messages_(&messages),
        renews_(ProgressDisplay::StyleFor(messages.fd(), /*quiet=*/false) == ProgressDisplay::Style::kTerminal) {}
  ~Progress() {
    if (!shown_) return;
    messages_->Raw("\r\x1b[K");
    messages_->Flush().IgnoreError();
  }

  void At(const SalvageProgress& progress) {
    constexpr std::chrono::milliseconds kInterval{100};
    const auto now = std::chrono::steady_clock::now();
    if (!renews_ || now - told_ < kInterval) return;
    told_ = now;
    shown_ = true;
    const bool searching = progress.bytes < progress.bytes_total;
    const double share = 100.0 * static_cast<double>(progress.bytes) / static_cast<double>(progress.bytes_total + 1);
    messages_->Raw(absl::StrCat(
        "\r\x1b[K", searching ? "Searching: " + OneDecimal(share) + " %" : "Writing: " + Events(progress.events)));
    messages_->Flush().IgnoreError();
  }

 private:
  Output* messages_;
  const bool renews_;
  bool shown_ = false;
  std::chrono::steady_clock::time_point told_ = {};
};

absl::Status RunSalvage(const Options& options, Context& context) {
  SalvageOptions how{.proven_only = options.proven_only};
  if (options.log_id) how.log_id = LogIdOf(*options.log_id);
  const bool to_output = options.beyond_gaps == kStandardOutput;
  std::optional<NewFile> file;
  if (options.beyond_gaps && !to_output) {
    ASSIGN_OR_RETURN(NewFile made, NewFile::Create(*options.beyond_gaps));
    file.emplace(std::move(made));
  }
  if (options.beyond_gaps) {
    how.beyond_gaps = [&](const std::string& line) -> absl::Status {
      if (file) return file->Write(line + "\n");
      context.out.Line(line);
      return absl::OkStatus();
    };
  }
  const auto begin = std::chrono::steady_clock::now();
  std::optional<Progress> progress(context.messages);
  how.progress = [&](const SalvageProgress& at) { progress->At(at); };
  ASSIGN_OR_RETURN(const SalvageReport report, Salvage(context.log, options.out.value_or(""), how));
  progress.reset();
  if (file) RETURN_IF_ERROR(file->Commit());
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  Output& out = to_output ? context.messages : context.out;
  if (options.json) {
    PrintJson(options, report, took.count(), out);
  } else {
    PrintText(options, report, out);
  }
  if (!report.complete()) context.exit_status = kCorrupt;
  return absl::OkStatus();
}

}  // namespace

void AddSalvageCommand(CLI::App& app, Command& chosen) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = AddCommand(app, "salvage", "Make a new log of what is left of a damaged one");
  CLI::Option* out = AddText(*command, "--out", options->out, "The directory of the new log; nothing may be there yet")
                         ->type_name("NEW");
  AddFlag(*command, "--dry-run", options->dry_run, "Make no log, only say what it would hold")->excludes(out);
  AddText(*command, "--beyond-gaps", options->beyond_gaps,
          "Also write the intact events behind gaps as lines of JSON; \"-\" is standard output")
      ->type_name("FILE");
  AddFlag(*command, "--proven-only", options->proven_only,
          "Leave out what follows the last event that is proven to have been committed");
  AddText(*command, "--log-id", options->log_id, "The id of the log, if its files have lost it: 32 hexadecimal digits")
      ->type_name("HEX");
  AddFlag(*command, "--json", options->json,
          "Print JSON: one object a gap and a stretch behind one, one for the whole");
  command->footer(
      "log.mdb and tail are searched for events, whatever is left of their structure; the chain of hashes\n"
      "puts them in order. The new log holds the longest chain from the first event on, with the same\n"
      "numbers and hashes. Nothing is invented, and the damaged log is only read. Exit status 3 if events\n"
      "are missing.\n"
      "Examples:\n"
      "  foldlog salvage --log photos.log --out photos.new\n"
      "  foldlog salvage --log photos.log --out photos.new --beyond-gaps rest.jsonl");
  command->callback([options, &chosen] {
    if (!options->out && !options->dry_run) throw CLI::ValidationError("--out NEW names the new log");
    if (options->log_id && !LogIdOf(*options->log_id)) {
      throw CLI::ValidationError("--log-id takes 32 hexadecimal digits");
    }
    chosen = [options](Context& context) { return RunSalvage(*options, context); };
  });
}

}  // namespace foldlog::cli
