// The lines of an export, changed: what is imported gives the same lines again, or it is refused and leaves nothing.

#include <algorithm>
#include <filesystem>
#include <optional>
#include <utility>

#include "engine/codec/frame.h"
#include "engine/json/reader.h"
#include "foldlog/json_lines.h"
#include "foldlog/log_directory.h"
#include "foldlog/memory_log.h"
#include "replay/json_event.h"
#include "replay/json_line.h"
#include "replay/report/text.h"
#include "tests/fuzz/frames.h"
#include "tests/fuzz/sample.h"
#include "tests/fuzz/target.h"

namespace foldlog::fuzz {
namespace {

using Lines = std::vector<std::string>;

Lines SplitLines(std::string_view text) {
  Lines lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return lines;
}

std::string Joined(const Lines& lines) {
  std::string text;
  for (const std::string& line : lines) text.append(line).append("\n");
  return text;
}

NextLine Giving(const Lines& lines) {
  return [&lines, at = std::size_t{0}]() mutable -> absl::StatusOr<std::optional<std::string_view>> {
    if (at == lines.size()) return std::optional<std::string_view>();
    return std::optional<std::string_view>(lines[at++]);
  };
}

Lines Export(const EventLog& log, const LogId& id) {
  auto made = JsonLinesExport::Of(log, id);
  Require(made.ok(), "a log can be exported");
  Lines lines;
  while (true) {
    const auto line = made->Next();
    if (!line.ok() || !*line) return lines;
    lines.push_back(**line);
  }
}

// What a line says is the hash of its event; nothing for the first line and the last.
std::optional<std::string> HashIn(const std::string& line) {
  const auto object = ParseJson(line);
  Require(object.ok() && object->kind == JsonSlice::Kind::kObject, "a line is a JSON object");
  return JsonFields(*object).Text("hash");
}

void Run(std::string_view input) {
  const Lines lines = SplitLines(input);
  const std::string directory = ScratchDirectory() + "/imported";
  const auto imported = ImportJsonLines(Giving(lines), directory);
  Require(imported.ok() == std::filesystem::exists(directory), "there is a log if all of it was imported");
  if (!imported.ok()) return Require(!imported.status().message().empty(), "a refusal says why");
  {
    const auto log = OpenLogForReading(directory);
    Require(log.ok(), "an imported log can be opened");
    const absl::StatusOr<LogExtent> extent = (*log)->Extent();
    Require(extent.ok() && extent->end == ChainEnd{imported->events, imported->last_hash}, "all events are there");
    const Lines again = Export(**log, imported->id);
    Require(again.size() == lines.size() || again.size() == imported->events + 1,
            "an export has a line for each event");
    for (std::size_t i = 0; i < std::min(lines.size(), again.size()); ++i) {
      Require(i == 0 || HashIn(lines[i]) == HashIn(again[i]), "an event is imported with the hash that its line says");
    }
    FrameRun run;
    Require(extent->end.sequence == 0 || (*log)->ReadInto(1, 64, run).ok(), "an imported log can be read");
  }
  std::filesystem::remove_all(directory);
}

std::vector<std::string> Seeds() {
  std::vector<std::string> seeds;
  const auto& words = TheSample().run.words;
  std::size_t from = 0;
  for (const int count : {1, 3, 8, 8, 8}) {
    FrameRun run{.words = {}, .before = kStart, .after = kStart};
    for (int i = 0; i < count; ++i) {
      const FrameView frame = *FrameAtStartOf(std::span(words).subspan(from));
      Require(AppendPayload(frame.payload, run).ok(), "a payload fits into a frame");
      from += frame.size_words();
    }
    const WordsLog log(run.words, run.after.sequence, run.after.hash);
    seeds.push_back(Joined(Export(log, kSampleId)));
  }
  return seeds;
}

// Puts `value` in the place of the text member `name`, if it is there with as many characters.
void SetText(std::string& line, const std::string& name, const std::string& value) {
  const std::string head = "\"" + name + "\": \"";
  const std::size_t at = line.find(head);
  if (at != std::string::npos && at + head.size() + value.size() < line.size()) {
    line.replace(at + head.size(), value.size(), value);
  }
}

// The frame that a line tells of, at the end of the run.
bool AppendLine(const JsonFields& fields, FrameRun& run) {
  if (const std::optional<std::string> payload = fields.Text("payload")) {
    const auto words = WordsOf(*payload);
    return words && AppendPayload(*words, run).ok();
  }
  const auto event = EventFromJson(fields);
  return event.ok() && AppendFrame(*event, run).ok();
}

// The hashes of the frames, and those of the lines.
void Repair(std::string& input) {
  constexpr std::size_t kEndOfLine = 32;  // ", "line_hash": "…"}" has more characters
  Lines lines = SplitLines(input);
  FrameRun run{.words = {}, .before = kStart, .after = kStart};
  for (std::string& line : lines) {
    const std::size_t end = line.rfind(", \"line_hash\": \"");
    if (end == std::string::npos || line.size() - end < kEndOfLine) continue;
    line.resize(end);
    line.push_back('}');
    if (const auto object = ParseJson(line); object.ok() && object->kind == JsonSlice::Kind::kObject) {
      const JsonFields fields(*object);
      const std::string kind = fields.Text("kind").value_or("");
      if (kind == kEndKind) {
        SetText(line, "last_hash", report::HashText(run.after.hash));
      } else if (kind != kBeginKind && AppendLine(fields, run)) {
        SetText(line, "hash", report::HashText(run.after.hash));
      }
    }
    line = WithLineHash(line);
  }
  input = Joined(lines);
}

}  // namespace

const Target kJsonLinesTarget = {"json_lines", Run, Seeds, Repair};

}  // namespace foldlog::fuzz
