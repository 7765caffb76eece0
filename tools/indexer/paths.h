// Paths as bytes: their order in a walk, and how the paths a user gives become the ones that are recorded.
//
// Nothing here assumes UTF-8; nothing here writes.

#ifndef FOLDLOG_TOOLS_INDEXER_PATHS_H_
#define FOLDLOG_TOOLS_INDEXER_PATHS_H_

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace foldlog::indexer {

// Negative, 0 or positive: component-wise byte order, the order in which a walk meets paths. It is not the order of the
// plain bytes: "/a/x" comes before "/a-b", because "a" comes before "a-b".
int ComparePaths(std::string_view a, std::string_view b);

// Whether `path` is `ancestor` or lies below it. Both are absolute, without "." and "..".
bool IsAtOrUnder(std::string_view path, std::string_view ancestor);

std::string JoinPath(std::string_view directory, std::string_view name);
std::string_view DirectoryOf(std::string_view path);

// `path` in quotes, with everything escaped that could garble a terminal or a log line.
std::string Quoted(std::string_view path);

// What errno says, in words.
std::string ErrnoText(int error);

// Absolute, without symlinks, sorted by ComparePaths, without duplicates and without those that lie below another.
// NotFound or InvalidArgument names the directory that is missing or none. One that is missing is taken as it was
// written if `may_be_missing` says so.
absl::StatusOr<std::vector<std::string>> ResolveRoots(
    const std::vector<std::string>& directories,
    const std::function<bool(const std::string& path)>& may_be_missing = nullptr);

// The absolute path of a file that may be about to be created: its folder must exist.
absl::StatusOr<std::string> ResolveFile(const std::string& path);

// Absolute and without symlinks as far as `path` exists; otherwise just absolute. For paths to be left out.
std::string ResolveLeniently(const std::string& path);

}  // namespace foldlog::indexer

#endif  // FOLDLOG_TOOLS_INDEXER_PATHS_H_
