// What render_text, event_text and history_table share.

#include "tools/cli/phrases.h"

#include <algorithm>
#include <variant>

#include "absl/strings/str_cat.h"
#include "engine/json/writer.h"
#include "tools/cli/time_format.h"

namespace foldlog::cli {
namespace {

std::string StatText(const StatValue& value) {
  if (const auto* integer = std::get_if<std::int64_t>(&value)) return Grouped(*integer);
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  std::string real;
  AppendPythonFloat(std::get<double>(value), real);
  return real;
}

}  // namespace

std::string Words(std::string_view name) {
  std::string words(name);
  std::replace(words.begin(), words.end(), '_', ' ');
  return words;
}

void AppendPart(std::string_view part, std::string& text) {
  if (!text.empty()) text += ", ";
  text += part;
}

std::vector<std::string> StatLines(const Stats& stats) {
  std::vector<std::string> lines;
  for (const auto& [name, value] : stats) lines.push_back(absl::StrCat(name, " = ", StatText(value)));
  return lines;
}

std::vector<std::string> MetadataLines(const Metadata& metadata) {
  std::vector<std::string> lines;
  for (const auto& [name, value] : metadata) lines.push_back(absl::StrCat(name, " = ", value));
  return lines;
}

std::string FilesText(const Operation& operation) {
  std::string text = Grouped(operation.files_processed);
  if (operation.total_files) text += " of " + Grouped(*operation.total_files);
  return text;
}

Tone ToneOf(OperationStatus status) { return status == OperationStatus::kFailed ? Tone::kBad : Tone::kPlain; }

std::string SizeText(std::uint64_t bytes) {
  constexpr double kMegabyte = 1e6;
  const double size = static_cast<double>(bytes) / kMegabyte;
  return size < 10 ? OneDecimal(size) + " MB" : Grouped(static_cast<std::int64_t>(size + 0.5)) + " MB";
}

std::string TookText(double seconds) {
  constexpr double kMsPerSecond = 1e3;
  return seconds < 1 ? OneDecimal(seconds * kMsPerSecond) + " ms" : OneDecimal(seconds) + " s";
}

}  // namespace foldlog::cli
