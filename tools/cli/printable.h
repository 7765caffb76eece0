// Makes bytes safe to show on a terminal. Paths, reasons and error texts come from anywhere, and a terminal obeys what
// it is sent: nothing that a log holds may move the cursor, forge a line or reverse the reading order.

#ifndef FOLDLOG_CLI_PRINTABLE_H_
#define FOLDLOG_CLI_PRINTABLE_H_

#include <cstddef>
#include <string>
#include <string_view>

namespace foldlog::cli {

// `bytes` with control characters (C0, DEL, C1), line separators and bidirectional controls written as \n, \x1b,
// \u202e, and bytes that are not UTF-8 as \xff. A backslash stays as it is, so that applying this twice does no harm;
// the exact bytes are what --json is for.
std::string Printable(std::string_view bytes);

// Columns that printable text takes at most: wide characters count two, and so does every other one that might be wide.
std::size_t WidthAtMost(std::string_view printable);

// The longest beginning of printable text that surely fits into `columns`. Never splits a character.
std::string_view TruncateToWidth(std::string_view printable, std::size_t columns);

}  // namespace foldlog::cli

#endif  // FOLDLOG_CLI_PRINTABLE_H_
