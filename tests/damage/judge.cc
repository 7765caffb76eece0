#include "tests/damage/judge.h"

#include <algorithm>
#include <csignal>
#include <cstring>
#include <nlohmann/json.hpp>
#include <regex>
#include <sstream>

#include "tools/cli/app.h"

namespace foldlog::damage {
namespace {

using Json = nlohmann::json;

// The words by which a message says what to do.
const std::regex& NextStep() {
  static const std::regex words(
      "restore|keep a copy|stop working on it|foldlog [a-z]+|events --from|read on|remove|wait|repeat|try again|put "
      ".*back|resume|finish|"
      "complete or fail|start a new|by hand|newer foldlog|older foldlog|ends with event|holds events|history lists",
      std::regex::icase | std::regex::optimize);
  return words;
}

// What of a state is neither time nor guess.
const char* const kFacts[] = {"operation_id", "operation_type", "status",      "total_files", "files_processed",
                              "current_path", "batch_num",      "error_count", "epoch",       "roots"};

std::string Shortened(std::string text) {
  constexpr std::size_t kMost = 400;
  if (text.size() > kMost) text = text.substr(0, kMost) + "…";
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

// The JSON library refuses the half characters that stand for bytes that are not UTF-8.
Json Parsed(std::string text) {
  for (std::size_t at = 0; (at = text.find("\\udc", at)) != std::string::npos;) text.replace(at, 4, "dc");
  return Json::parse(text, nullptr, /*allow_exceptions=*/false);
}

bool IsKnown(int exit_status) {
  return exit_status == cli::kDone || exit_status == cli::kRefused || exit_status == cli::kCorrupt;
}

}  // namespace

void Judge::Blame(const std::string& rule, const Arguments& command, const std::string& detail) {
  failures_.push_back({rule, command.front(), Shortened(detail)});
}

void Judge::OnEnd(const Arguments& command, const Outcome& outcome) {
  hangs_ = outcome.signal == SIGALRM || outcome.signal == SIGXCPU;
  if (hangs_) return Blame("ends in time", command, outcome.messages);
  if (outcome.signal != 0)
    return Blame("is not killed", command, strsignal(outcome.signal) + (": " + outcome.messages));
  if (IsKnown(outcome.exit_status)) return;
  Blame("has a known exit status", command, "exit " + std::to_string(outcome.exit_status) + ": " + outcome.messages);
}

void Judge::OnAnyEnd(const Arguments& command, const Outcome& outcome) {
  OnEnd(command, outcome);
  if (outcome.exit_status == cli::kDone || !IsKnown(outcome.exit_status)) return;
  const std::string ended = "exit " + std::to_string(outcome.exit_status) + ": " + outcome.messages;
  // A refusal that has to do with the operation alone names that.
  const bool of_operation =
      outcome.exit_status == cli::kRefused && outcome.messages.find("operation") != std::string::npos;
  if (!of_operation && outcome.messages.find(log_) == std::string::npos) Blame("names the log", command, ended);
  if (!forged_ && !std::regex_search(outcome.messages, NextStep())) Blame("names the next step", command, ended);
}

void Judge::OnVerify(const Arguments& command, const Outcome& outcome, const Outcome& events) {
  Outcome told = outcome;
  told.messages += outcome.out;
  OnAnyEnd(command, told);
  if (outcome.exit_status == cli::kDone && events.exit_status != cli::kDone) {
    Blame("finds what a reader meets", command, outcome.out + " beside " + events.messages);
  }
}

void Judge::OnEvents(const Arguments& command, const Outcome& outcome, bool appended) {
  if (forged_ || outcome.signal != 0) return;
  const std::vector<std::string> lines = Lines(outcome.out);
  const std::size_t known = std::min(lines.size(), sample_.events.size());
  for (std::size_t i = 0; i < known; ++i) {
    if (lines[i] == sample_.events[i]) continue;
    if (appended && i >= demanded_) break;  // appended in the place of one that was lost, and may have been
    return Blame("prints what was appended", command, lines[i] + " instead of " + sample_.events[i]);
  }
  if (lines.size() > sample_.events.size() && !appended) Blame("prints what was appended", command, lines.back());
  if (outcome.exit_status == cli::kCorrupt || outcome.exit_status == cli::kRefused || lines.size() >= demanded_) return;
  Blame("says what is missing", command,
        std::to_string(lines.size()) + " of " + std::to_string(demanded_) + " events, exit " +
            std::to_string(outcome.exit_status) + ": " + outcome.messages);
}

void Judge::OnState(const Arguments& command, const Outcome& outcome) {
  if (forged_ || outcome.exit_status != cli::kDone) return;
  const Json state = Parsed(outcome.out);
  if (state.is_discarded()) return Blame("prints JSON", command, outcome.out);
  const auto last = state.value("last_sequence", std::uint64_t{0});
  if (last < demanded_) return Blame("says what is missing", command, outcome.out);
  if (last != sample_.events.size()) return;
  // The figures of the last checkpoint, as the events have them.
  const Json known = Parsed(sample_.state);
  for (const char* fact : kFacts) {
    if (state.value(fact, Json()) == known.value(fact, Json())) continue;
    Blame("shows the right state", command, fact + (": " + outcome.out) + " instead of " + sample_.state);
  }
}

}  // namespace foldlog::damage
