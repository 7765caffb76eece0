// Options as this program wants them: exact bytes, decimal counts, one value an option.
//
// CLI11 reads "[a,b]" as a list, "010" as eight and lets "--reason=" swallow the argument behind it. A file may be
// named like the first and a script may produce the others, so every option is added with one of the functions below. A
// value that cannot be used throws CLI::ValidationError: wrong usage.
//
// CLI11 is headers only. Its parsers of help and configuration files take longer to compile than a command, so they are
// not included here, and only arguments.cc and app.cc have them.

#ifndef FOLDLOG_CLI_ARGUMENTS_H_
#define FOLDLOG_CLI_ARGUMENTS_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "CLI/App.hpp"
#include "foldlog/event.h"

namespace foldlog::cli {

// The program's arguments as App::parse() takes them (last one first), guarded against the above.
std::vector<std::string> GuardedArguments(int argc, const char* const* argv);

// What of the guard may show in CLI11's own messages, taken out again.
std::string WithoutGuard(std::string message);

// Under which heading of --help a command stands.
enum class Group { kRun, kLook, kScript };

CLI::App* AddCommand(CLI::App& app, const std::string& name, const std::string& help, Group group = Group::kLook);

// `target` must live as long as the app.
CLI::Option* AddFlag(CLI::App& app, const std::string& name, bool& target, const std::string& help);
CLI::Option* AddText(CLI::App& app, const std::string& name, std::string& target, const std::string& help);
CLI::Option* AddText(CLI::App& app, const std::string& name, std::optional<std::string>& target,
                     const std::string& help);

// Given any number of times, one value each.
CLI::Option* AddTexts(CLI::App& app, const std::string& name, std::vector<std::string>& target,
                      const std::string& help);

// Positional, any number of values in a row.
CLI::Option* AddTextList(CLI::App& app, const std::string& name, std::vector<std::string>& target,
                         const std::string& help);

// A decimal number, 0 or more.
CLI::Option* AddCount(CLI::App& app, const std::string& name, std::optional<std::int64_t>& target,
                      const std::string& help);

// -n N, --limit N: how many.
CLI::Option* AddLimit(CLI::App& app, std::optional<std::int64_t>& target, const std::string& help);

// What a parsed command was asked for, as it was typed: "--kind failed --since 7d". Without what only says how to show
// the answer.
std::string GivenFilters(const CLI::App& command);

// A span of time as time_words.h has them; nanoseconds.
CLI::Option* AddSpan(CLI::App& app, const std::string& name, std::optional<std::int64_t>& target,
                     const std::string& help);

// --wait SECONDS: how long a command that writes waits for another writer.
CLI::Option* AddWait(CLI::App& app, std::optional<std::int64_t>& target);

// What was given there, or 5 seconds.
std::chrono::milliseconds LockWait(const std::optional<std::int64_t>& wait_s);

// NAME=VALUE, any number of times. The name ends at the first "=" and must not be empty.
CLI::Option* AddPairs(CLI::App& app, const std::string& name, Metadata& target, const std::string& help);

// NAME=VALUE, where a value that is a JSON number becomes an integer or a float, and everything else a text. So are
// integers that do not fit into 64 bits: their digits are worth more than their type.
CLI::Option* AddStats(CLI::App& app, const std::string& name, Stats& target, const std::string& help);

// --kind KIND[,KIND…], any number of times: where they stand in KindNames().
CLI::Option* AddKinds(CLI::App& app, std::set<std::size_t>& target);

// --type, one of the names of OperationType.
CLI::Option* AddOperationType(CLI::App& app, OperationType& target, const std::string& help);
CLI::Option* AddOperationType(CLI::App& app, std::optional<OperationType>& target, const std::string& help);

}  // namespace foldlog::cli

#endif  // FOLDLOG_CLI_ARGUMENTS_H_
