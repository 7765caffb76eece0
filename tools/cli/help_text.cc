// A formatter for CLI11.

#include "tools/cli/help_text.h"

#include <memory>
#include <utility>

#include "CLI/App.hpp"
#include "CLI/Config.hpp"
#include "CLI/Formatter.hpp"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "tools/cli/printable.h"

namespace foldlog::cli {
namespace {

constexpr std::size_t kNameColumns = 26;

// "  --name VALUE             what it does", the text below itself where it is longer than a line.
std::string Entry(const std::string& name, std::string_view text) {
  std::string entry = "  " + name;
  std::size_t used = entry.size();
  for (const std::string& line : Wrapped(text, kHelpColumns - kNameColumns)) {
    if (used + 1 > kNameColumns) {
      entry += '\n';
      used = 0;
    }
    entry += std::string(kNameColumns - used, ' ') + line;
    used = kNameColumns;
  }
  return entry + '\n';
}

std::string Reflowed(std::string_view text) { return absl::StrJoin(Wrapped(text, kHelpColumns), "\n") + "\n"; }

class HelpText : public CLI::Formatter {
 public:
  std::string make_description(const CLI::App* app) const override { return Reflowed(app->get_description()); }

  std::string make_option(const CLI::Option* option, bool is_positional) const override {
    std::string name = make_option_name(option, is_positional);
    if (const auto comma = name.find(','); comma != std::string::npos) name.insert(comma + 1, " ");
    return Entry(name + make_option_opts(option), make_option_desc(option));
  }

  // What an option needs is said where it is missing, and by the text.
  std::string make_option_opts(const CLI::Option* option) const override {
    return option->get_type_size() == 0 || option->get_type_name().empty() ? "" : " " + option->get_type_name();
  }

  std::string make_option_desc(const CLI::Option* option) const override {
    return option->get_description() + (option->get_required() ? " (required)" : "");
  }

  std::string make_subcommand(const CLI::App* command) const override {
    return Entry(command->get_name(), command->get_description());
  }

  std::string make_footer(const CLI::App* app) const override {
    return app->get_footer().empty() ? "" : Reflowed(app->get_footer());
  }
};

void AppendWrapped(std::string_view paragraph, std::size_t columns, std::vector<std::string>& lines) {
  std::string line;
  for (const absl::string_view part :
       absl::StrSplit(absl::string_view(paragraph.data(), paragraph.size()), ' ', absl::SkipEmpty())) {
    const std::string word(part);
    if (!line.empty() && Width(line) + 1 + Width(word) > columns) lines.push_back(std::exchange(line, ""));
    line += (line.empty() ? "" : " ") + word;
  }
  if (!line.empty()) lines.push_back(std::move(line));
}

}  // namespace

std::vector<std::string> Wrapped(std::string_view text, std::size_t columns) {
  std::vector<std::string> lines;
  std::string paragraph;
  const auto end_paragraph = [&] { AppendWrapped(std::exchange(paragraph, ""), columns, lines); };
  for (const absl::string_view part : absl::StrSplit(absl::string_view(text.data(), text.size()), '\n')) {
    const std::string line(part);
    const bool stays = line.empty() || line.front() == ' ';
    if (stays || line.back() == ':') end_paragraph();
    if (stays) {
      lines.push_back(line);
    } else {
      paragraph += ' ' + line;
    }
    if (!stays && line.back() == ':') end_paragraph();
  }
  end_paragraph();
  return lines;
}

void UseHelpText(CLI::App& app) {
  const auto formatter = std::make_shared<HelpText>();
  formatter->label("SUBCOMMAND", "COMMAND");
  app.formatter(formatter);
}

std::string HelpOf(const CLI::App& app) {
  const std::string name = app.get_parent() == nullptr ? "foldlog" : "foldlog " + app.get_name();
  return app.get_formatter()->make_help(&app, name, CLI::AppFormatMode::Normal);
}

}  // namespace foldlog::cli
