// How --help looks: no line is longer than a terminal of 80 columns.

#ifndef FOLDLOG_CLI_HELP_TEXT_H_
#define FOLDLOG_CLI_HELP_TEXT_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace CLI {
class App;
}

namespace foldlog::cli {

inline constexpr std::size_t kHelpColumns = 80;

// `text` in lines of at most `columns`, broken at blanks; a longer word stands alone. Empty lines and indented ones
// stay as they are, and a line that ends with ":" stands alone.
std::vector<std::string> Wrapped(std::string_view text, std::size_t columns);

// `app`, and the commands that are added to it later, print their help like this.
void UseHelpText(CLI::App& app);

// What `foldlog help` prints; with a command, what `foldlog COMMAND --help` does.
std::string HelpOf(const CLI::App& app);

}  // namespace foldlog::cli

#endif  // FOLDLOG_CLI_HELP_TEXT_H_
