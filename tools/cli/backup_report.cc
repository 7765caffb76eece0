#include "tools/cli/backup_report.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "replay/report/json_sink.h"
#include "replay/report/objects.h"
#include "tools/cli/phrases.h"
#include "tools/cli/time_format.h"

namespace foldlog::cli {
namespace {

using report::JsonSink;

std::string Hex(const LogId& id) {
  return std::string(absl::BytesToHexString({reinterpret_cast<const char*>(id.data()), id.size()}));
}

std::string EventsText(std::uint64_t events) { return Grouped(events) + (events == 1 ? " event" : " events"); }

std::string RateText(std::uint64_t bytes, double seconds) { return SizeText(bytes) + " in " + TookText(seconds); }

}  // namespace

std::string BackupText(const BackupReport& report, double seconds) {
  const std::string end = "ends with event " + Grouped(report.end.sequence) + ", hash " + HashText(report.end.hash);
  std::string text = "nothing new: the backup " + end;
  if (report.events() > 0) {
    text = "copied " + EventsText(report.events()) + ", " + RateText(report.bytes, seconds) + ": the backup " + end;
  }
  if (report.not_durable > 0) {
    text += "; " + EventsText(report.not_durable) + " behind that not durable yet, for the next backup";
  }
  return text;
}

std::string BackupJson(const BackupReport& report, double seconds) {
  JsonSink json;
  json.BeginObject();
  Put(json, "log_id", Hex(report.log_id));
  Put(json, "created", report.created);
  Put(json, "base_sequence", report.base.sequence);
  Put(json, "previous_sequence", report.before.sequence);
  Put(json, "last_sequence", report.end.sequence);
  Put(json, "last_hash", HashText(report.end.hash));
  Put(json, "events", report.events());
  Put(json, "bytes", report.bytes);
  Put(json, "not_durable", report.not_durable);
  Put(json, "seconds", seconds);
  json.EndObject();
  return json.Take();
}

std::string RestoreText(const RestoreReport& report, double seconds) {
  return "restored " + EventsText(report.events()) + ", " + RateText(report.bytes, seconds) +
         ": the log ends with event " + Grouped(report.end.sequence) + ", hash " + HashText(report.end.hash);
}

std::string RestoreJson(const RestoreReport& report, double seconds) {
  JsonSink json;
  json.BeginObject();
  Put(json, "log_id", Hex(report.log_id));
  Put(json, "base_sequence", report.base.sequence);
  Put(json, "last_sequence", report.end.sequence);
  Put(json, "last_hash", HashText(report.end.hash));
  Put(json, "events", report.events());
  Put(json, "bytes", report.bytes);
  Put(json, "seconds", seconds);
  json.EndObject();
  return json.Take();
}

std::string CopyProgressLine(std::string_view doing, const CopyProgress& progress) {
  std::string text = std::string(doing) + ": " + EventsText(progress.events);
  if (progress.events_total > 0) {
    const double share = 100.0 * static_cast<double>(progress.events) / static_cast<double>(progress.events_total);
    text += " (" + OneDecimal(share) + " %)";
  }
  return text;
}

}  // namespace foldlog::cli
