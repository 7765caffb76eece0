// Makes bytes safe to show on a terminal. Paths, reasons and error texts come from anywhere, and a terminal obeys what
// it is sent: nothing that a log holds may move the cursor, forge a line or reverse the reading order.

#ifndef FOLDLOG_CLI_PRINTABLE_H_
#define FOLDLOG_CLI_PRINTABLE_H_

#include <cstddef>
#include <string>
#include <string_view>

namespace foldlog::cli {

// `bytes` with what can't be seen written out: control characters (C0, DEL, C1) as \n and \x1b, line separators,
// characters that change the reading order or have no shape (soft hyphen, zero-width, tags, variation selectors,
// fillers) and unassigned ones as \u202e and \U000e0041, bytes that are not UTF-8 as \xff. Combining marks stay where
// they have something to combine with. A backslash stays as it is, so that applying this twice does no harm; the exact
// bytes are what --json is for.
std::string Printable(std::string_view bytes);

// The same, behind what is in `out`.
void AppendPrintable(std::string_view bytes, std::string& out);

// Columns that printable text takes: wide characters and emoji count two, combining marks none.
std::size_t Width(std::string_view printable);

// The longest beginning of printable text that fits into `columns`. Never splits a character.
std::string_view TruncateToWidth(std::string_view printable, std::size_t columns);

}  // namespace foldlog::cli

#endif  // FOLDLOG_CLI_PRINTABLE_H_
