// A curve in one line of a terminal.

#ifndef FOLDLOG_CLI_CURVE_H_
#define FOLDLOG_CLI_CURVE_H_

#include <string>
#include <vector>

namespace foldlog::cli {

// A character for each value, as high as it is beside the greatest: "▁▃█", or without Unicode "_=#". What is no
// positive number stands at the bottom. Pure.
std::string Curve(const std::vector<double>& values, bool unicode);

// Whether text is UTF-8, as the environment says: LC_ALL, LC_CTYPE, LANG, the first that is set.
bool IsUnicodeLocale();

}  // namespace foldlog::cli

#endif  // FOLDLOG_CLI_CURVE_H_
