// Words and short lists that several renderers have in common. Pure; nothing is escaped here.

#ifndef FOLDLOG_CLI_PHRASES_H_
#define FOLDLOG_CLI_PHRASES_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "foldlog/event.h"
#include "foldlog/state.h"
#include "tools/cli/styled.h"

namespace foldlog::cli {

// "in_progress" as "in progress".
std::string Words(std::string_view name);

// Adds a part of a list to `text`, behind a comma if it is not the first.
void AppendPart(std::string_view part, std::string& text);

// "name = value", one a line.
std::vector<std::string> StatLines(const Stats& stats);
std::vector<std::string> MetadataLines(const Metadata& metadata);

// "500", "500 of 2,000".
std::string FilesText(const Operation& operation);

// "763 MB", "0.3 MB"; "1.2 s", "3.4 ms".
std::string SizeText(std::uint64_t bytes);
std::string TookText(double seconds);

// How an operation of that status stands out.
Tone ToneOf(OperationStatus status);

}  // namespace foldlog::cli

#endif  // FOLDLOG_CLI_PHRASES_H_
