// Options on top of CLI11.

#include "tools/cli/arguments.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <string_view>
#include <system_error>
#include <utility>

#include "CLI/Config.hpp"
#include "CLI/Formatter.hpp"
#include "absl/status/statusor.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "tools/cli/nearest.h"
#include "tools/cli/time_words.h"

namespace foldlog::cli {
namespace {

// Behind a value that CLI11 would take apart. No argument of a process can hold this character.
constexpr char kGuard = '\0';

std::string Unguarded(std::string value) {
  if (!value.empty() && value.back() == kGuard) value.pop_back();
  return value;
}

bool LooksLikeList(std::string_view value) { return !value.empty() && value.front() == '[' && value.back() == ']'; }

// "--name=" and nothing behind it.
bool IsEmptyAssignment(std::string_view argument) {
  return argument.size() > 3 && argument.substr(0, 2) == "--" && argument.find('=') == argument.size() - 1;
}

std::vector<std::string> Unguarded(const std::vector<std::string>& values) {
  std::vector<std::string> exact;
  exact.reserve(values.size());
  for (const std::string& value : values) exact.push_back(Unguarded(value));
  return exact;
}

std::int64_t ParseCount(const std::string& name, const std::string& text) {
  std::int64_t count = 0;
  const char* end = text.data() + text.size();
  const std::from_chars_result result = std::from_chars(text.data(), end, count);
  if (result.ec == std::errc::result_out_of_range) throw CLI::ValidationError(name, text + " is too large a number");
  if (result.ec != std::errc() || result.ptr != end) throw CLI::ValidationError(name, "\"" + text + "\" is no number");
  if (count < 0) throw CLI::ValidationError(name, text + " is negative; it must be 0 or more");
  return count;
}

std::pair<std::string, std::string> ParsePair(const std::string& name, const std::string& text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0) {
    throw CLI::ValidationError(name, "\"" + text + "\" is not of the form NAME=VALUE");
  }
  return {text.substr(0, equals), text.substr(equals + 1)};
}

// JSON's grammar: no leading zeros or plus sign, a digit on both sides of a point. "007" is rather a name.
bool IsJsonNumber(std::string_view text) {
  const auto skip_digits = [&text] {
    std::size_t digits = 0;
    while (digits < text.size() && text[digits] >= '0' && text[digits] <= '9') ++digits;
    text.remove_prefix(digits);
    return digits;
  };
  if (!text.empty() && text.front() == '-') text.remove_prefix(1);
  const bool leads_with_zero = !text.empty() && text.front() == '0';
  const std::size_t whole = skip_digits();
  if (whole == 0 || (leads_with_zero && whole > 1)) return false;
  if (!text.empty() && text.front() == '.') {
    text.remove_prefix(1);
    if (skip_digits() == 0) return false;
  }
  if (!text.empty() && (text.front() == 'e' || text.front() == 'E')) {
    text.remove_prefix(1);
    if (!text.empty() && (text.front() == '+' || text.front() == '-')) text.remove_prefix(1);
    if (skip_digits() == 0) return false;
  }
  return text.empty();
}

StatValue ParseStat(const std::string& text) {
  if (!IsJsonNumber(text)) return text;
  const char* end = text.data() + text.size();
  if (text.find_first_of(".eE") == std::string::npos) {
    std::int64_t integer = 0;
    if (std::from_chars(text.data(), end, integer).ec == std::errc()) return integer;
    return text;
  }
  double real = 0;
  if (std::from_chars(text.data(), end, real).ec == std::errc()) return real;
  return text;
}

const char* HeadingOf(Group group) {
  switch (group) {
    case Group::kRun:
      return "Run";
    case Group::kLook:
      return "Look";
    case Group::kScript:
      return "Script";
  }
  return "";
}

CLI::Option* AddEach(CLI::App& app, const std::string& name, const std::string& help,
                     std::function<void(const std::string&)> use) {
  return app
      .add_option_function<std::vector<std::string>>(
          name,
          [use = std::move(use)](const std::vector<std::string>& values) {
            for (const std::string& value : Unguarded(values)) use(value);
          },
          help)
      ->allow_extra_args(false);
}

template <typename Target>
CLI::Option* AddOperationTypeTo(CLI::App& app, Target& target, const std::string& help) {
  const auto parse = [&target](const std::string& value) {
    const std::optional<OperationType> type = ParseOperationType(Unguarded(value));
    if (!type) {
      throw CLI::ValidationError("--type", "\"" + value + "\" is none of initial, incremental, recovery");
    }
    target = *type;
  };
  return app.add_option_function<std::string>("--type", parse, help)->type_name("TYPE");
}

}  // namespace

std::vector<std::string> GuardedArguments(int argc, const char* const* argv) {
  std::vector<std::string> arguments;
  bool options_may_follow = true;
  for (int i = 1; i < argc; ++i) {
    std::string argument = argv[i];
    if (argument == "--") options_may_follow = false;
    if (options_may_follow && IsEmptyAssignment(argument)) {
      argument.pop_back();
      arguments.push_back(std::move(argument));
      arguments.emplace_back();
    } else {
      if (LooksLikeList(argument)) argument += kGuard;
      arguments.push_back(std::move(argument));
    }
  }
  std::reverse(arguments.begin(), arguments.end());
  return arguments;
}

std::string WithoutGuard(std::string message) {
  std::erase(message, kGuard);
  return message;
}

CLI::App* AddCommand(CLI::App& app, const std::string& name, const std::string& help, Group group) {
  return app.add_subcommand(name, help)->group(HeadingOf(group));
}

CLI::Option* AddFlag(CLI::App& app, const std::string& name, bool& target, const std::string& help) {
  return app.add_flag(name, target, help);
}

CLI::Option* AddText(CLI::App& app, const std::string& name, std::string& target, const std::string& help) {
  return app.add_option_function<std::string>(
      name, [&target](const std::string& value) { target = Unguarded(value); }, help);
}

CLI::Option* AddText(CLI::App& app, const std::string& name, std::optional<std::string>& target,
                     const std::string& help) {
  return app.add_option_function<std::string>(
      name, [&target](const std::string& value) { target = Unguarded(value); }, help);
}

CLI::Option* AddTexts(CLI::App& app, const std::string& name, std::vector<std::string>& target,
                      const std::string& help) {
  return AddEach(app, name, help, [&target](const std::string& value) { target.push_back(value); });
}

CLI::Option* AddTextList(CLI::App& app, const std::string& name, std::vector<std::string>& target,
                         const std::string& help) {
  return AddTexts(app, name, target, help)->allow_extra_args(true);
}

CLI::Option* AddLimit(CLI::App& app, std::optional<std::int64_t>& target, const std::string& help) {
  return AddCount(app, "-n,--limit", target, help);
}

std::string GivenFilters(const CLI::App& command) {
  static constexpr std::array<std::string_view, 9> kOnlyShow = {"json",    "csv",    "hash",  "no-header", "limit",
                                                                "reverse", "follow", "paths", "null"};
  std::vector<std::string> words;
  for (const CLI::Option* option : command.get_options()) {
    if (option->count() == 0) continue;
    const std::string name = option->get_lnames().empty() ? "" : option->get_lnames().front();
    if (std::find(kOnlyShow.begin(), kOnlyShow.end(), name) != kOnlyShow.end()) continue;
    const bool is_flag = option->get_expected_max() == 0;
    for (const std::string& value : option->results()) {
      if (!name.empty()) words.push_back("--" + name);
      if (!is_flag) words.push_back(Unguarded(value));
    }
  }
  return absl::StrJoin(words, " ");
}

CLI::Option* AddSpan(CLI::App& app, const std::string& name, std::optional<std::int64_t>& target,
                     const std::string& help) {
  const auto parse = [&target, name](const std::string& value) {
    const absl::StatusOr<std::int64_t> span = ParseSpan(Unguarded(value));
    if (!span.ok()) throw CLI::ValidationError(name, std::string(span.status().message()));
    target = *span;
  };
  return app.add_option_function<std::string>(name, parse, help)->type_name("TIME");
}

CLI::Option* AddCount(CLI::App& app, const std::string& name, std::optional<std::int64_t>& target,
                      const std::string& help) {
  return app
      .add_option_function<std::string>(
          name, [&target, name](const std::string& value) { target = ParseCount(name, Unguarded(value)); }, help)
      ->type_name("N");
}

CLI::Option* AddWait(CLI::App& app, std::optional<std::int64_t>& target) {
  return AddCount(app, "--wait", target, "Wait so long for each writer that is before this one; 5 unless given")
      ->type_name("SECONDS");
}

std::chrono::milliseconds LockWait(const std::optional<std::int64_t>& wait_s) {
  // Longer than a script's other steps together may take, and short enough for the one who looks on.
  constexpr std::int64_t kWaitS = 5;
  constexpr std::int64_t kWaitMaxS = 1'000'000'000;  // its nanoseconds can be counted
  return std::chrono::seconds(std::min(wait_s.value_or(kWaitS), kWaitMaxS));
}

CLI::Option* AddPairs(CLI::App& app, const std::string& name, Metadata& target, const std::string& help) {
  return AddEach(app, name, help,
                 [&target, name](const std::string& value) { target.push_back(ParsePair(name, value)); })
      ->type_name("NAME=VALUE");
}

CLI::Option* AddStats(CLI::App& app, const std::string& name, Stats& target, const std::string& help) {
  return AddEach(app, name, help,
                 [&target, name](const std::string& value) {
                   const auto [key, text] = ParsePair(name, value);
                   target.emplace_back(key, ParseStat(text));
                 })
      ->type_name("NAME=VALUE");
}

CLI::Option* AddKinds(CLI::App& app, std::set<std::size_t>& target) {
  const auto parse = [&target](const std::string& list) {
    const std::vector<std::string> known(KindNames().begin(), KindNames().end());
    for (const std::string& kind : std::vector<std::string>(absl::StrSplit(list, ','))) {
      const auto found = std::find(known.begin(), known.end(), kind);
      if (found == known.end()) {
        throw CLI::ValidationError(
            "--kind", "\"" + kind + "\" is none of " + absl::StrJoin(known, ", ") + DidYouMean(kind, known));
      }
      target.insert(static_cast<std::size_t>(found - known.begin()));
    }
  };
  return AddEach(app, "--kind", "Only of these kinds, with commas between them; may be repeated", parse)
      ->type_name("KIND");
}

CLI::Option* AddOperationType(CLI::App& app, OperationType& target, const std::string& help) {
  return AddOperationTypeTo(app, target, help);
}

CLI::Option* AddOperationType(CLI::App& app, std::optional<OperationType>& target, const std::string& help) {
  return AddOperationTypeTo(app, target, help);
}

}  // namespace foldlog::cli
