#include "tools/cli/verify_report.h"

#include <cstdint>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "engine/base/text.h"
#include "replay/report/json_sink.h"
#include "tools/cli/phrases.h"
#include "tools/cli/time_format.h"

namespace foldlog::cli {
namespace {

using report::JsonSink;

std::string Count(std::uint64_t number) { return Grouped(number); }

std::string Counted(std::uint64_t number, const char* one, const char* many) {
  return Count(number) + " " + (number == 1 ? one : many);
}

std::string Place(const VerifyFinding& finding) {
  std::string place = finding.file;
  if (finding.page) absl::StrAppend(&place, ", page ", *finding.page);
  if (finding.offset) absl::StrAppend(&place, ", byte ", *finding.offset);
  return place;
}

std::string Hidden(const VerifyFinding& finding) {
  if (!finding.hides_from || !finding.hides_through) return "";
  if (*finding.hides_from == *finding.hides_through) return absl::StrCat("; hides event ", *finding.hides_from);
  const std::uint64_t events = *finding.hides_through - *finding.hides_from + 1;
  return absl::StrCat("; hides events ", *finding.hides_from, " to ", *finding.hides_through, " (", Count(events), ")");
}

// How many findings are damage, and how many are notes, those that were left out included.
struct Numbers {
  std::uint64_t damages = 0;
  std::uint64_t notes = 0;
};

Numbers CountFindings(const VerifyReport& report) {
  Numbers numbers{.damages = report.damages_left_out, .notes = report.findings_left_out - report.damages_left_out};
  for (const VerifyFinding& finding : report.findings) ++(finding.is_note ? numbers.notes : numbers.damages);
  return numbers;
}

}  // namespace

std::string FindingText(const VerifyFinding& finding) {
  std::string text = absl::StrCat(finding.is_note ? "note: " : "damaged: ", ToAbsl(Name(finding.part)), ": ",
                                  finding.message, Hidden(finding), " [", Place(finding), "]");
  if (!finding.next.empty()) absl::StrAppend(&text, "; next: ", finding.next);
  return text;
}

std::string FindingJson(const VerifyFinding& finding) {
  JsonSink json;
  json.BeginObject();
  Put(json, "kind", std::string_view(finding.is_note ? "note" : "damage"));
  Put(json, "part", Name(finding.part));
  Put(json, "file", finding.file);
  Put(json, "page", finding.page);
  Put(json, "offset", finding.offset);
  Put(json, "hides_from", finding.hides_from);
  Put(json, "hides_through", finding.hides_through);
  Put(json, "message", finding.message);
  json.Key("next");
  finding.next.empty() ? json.Null() : json.Text(finding.next);
  json.EndObject();
  return json.Take();
}

std::string SummaryText(const VerifyReport& report, bool quick, double seconds) {
  const Numbers numbers = CountFindings(report);
  std::string text = "sound: ";
  if (numbers.damages > 0) text = "damaged in " + Counted(numbers.damages, "place", "places") + ": ";
  text += Counted(report.events, "event", "events");
  if (!quick && numbers.damages > 0) text += " whole";
  text += " in " + Counted(report.batches, "batch", "batches") + " and the tail, " + SizeText(report.file_bytes);
  text += (quick ? ", looked at quickly in " : ", verified in ") + TookText(seconds);
  if (numbers.notes > 0) text += "; " + Counted(numbers.notes, "note", "notes");
  return text;
}

std::string SummaryJson(const VerifyReport& report, bool quick, double seconds) {
  const Numbers numbers = CountFindings(report);
  JsonSink json;
  json.BeginObject();
  Put(json, "kind", std::string_view("summary"));
  Put(json, "sound", report.sound());
  Put(json, "depth", std::string_view(quick ? "quick" : "full"));
  Put(json, "damages", numbers.damages);
  Put(json, "notes", numbers.notes);
  Put(json, "left_out", report.findings_left_out);
  Put(json, "base_sequence", report.base.sequence);
  Put(json, "last_sequence", report.end.sequence);
  Put(json, "last_hash", absl::StrCat(absl::Hex(report.end.hash, absl::kZeroPad16)));
  Put(json, "events", report.events);
  Put(json, "batches", report.batches);
  Put(json, "bytes", report.file_bytes);
  Put(json, "seconds", seconds);
  json.EndObject();
  return json.Take();
}

std::string VerifyProgressLine(const VerifyProgress& progress) {
  std::string text = "Verifying: " + Count(progress.events) + " events";
  if (progress.batches_total > 0) {
    const double share = 100.0 * static_cast<double>(progress.batches) / static_cast<double>(progress.batches_total);
    text += " (" + OneDecimal(share) + " %)";
  }
  return text;
}

}  // namespace foldlog::cli
