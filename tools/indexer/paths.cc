// See paths.h.

#include "tools/indexer/paths.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <functional>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"

namespace foldlog::indexer {
namespace {

// A separator ranks below every byte of a name, so that whatever is inside a directory follows it directly.
int Rank(char c) { return c == '/' ? 0 : static_cast<unsigned char>(c); }

std::optional<std::string> RealPath(const std::string& path) {
  const std::unique_ptr<char, decltype(&std::free)> resolved(realpath(path.c_str(), nullptr), &std::free);
  if (!resolved) return std::nullopt;
  return std::string(resolved.get());
}

using MayBeMissing = std::function<bool(const std::string& path)>;

absl::StatusOr<std::string> ResolveRoot(const std::string& directory, const MayBeMissing& may_be_missing) {
  const std::optional<std::string> resolved = RealPath(directory);
  struct stat facts {};
  if (!resolved || stat(resolved->c_str(), &facts) != 0) {
    const int error = errno;
    if (error == ENOENT && may_be_missing) {
      if (std::string path = ResolveLeniently(directory); may_be_missing(path)) return path;
    }
    return absl::Status(absl::ErrnoToStatusCode(error),
                        absl::StrCat("cannot index ", Quoted(directory), ": ", ErrnoText(error),
                                     "; give directories that exist and can be reached"));
  }
  if (!S_ISDIR(facts.st_mode)) {
    return absl::InvalidArgumentError(
        absl::StrCat("cannot index ", Quoted(directory), ": it is not a directory; give the directory it is in"));
  }
  return *resolved;
}

}  // namespace

int ComparePaths(std::string_view a, std::string_view b) {
  const auto [in_a, in_b] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  if (in_a == a.end()) return in_b == b.end() ? 0 : -1;
  if (in_b == b.end()) return 1;
  return Rank(*in_a) - Rank(*in_b);
}

bool IsAtOrUnder(std::string_view path, std::string_view ancestor) {
  if (!path.starts_with(ancestor)) return false;
  return path.size() == ancestor.size() || ancestor == "/" || path[ancestor.size()] == '/';
}

std::string JoinPath(std::string_view directory, std::string_view name) {
  std::string path(directory);
  if (!path.ends_with('/')) path += '/';
  return path.append(name);
}

std::string_view DirectoryOf(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return "";
  return slash == 0 ? path.substr(0, 1) : path.substr(0, slash);
}

std::string Quoted(std::string_view path) {
  return absl::StrCat("\"", absl::Utf8SafeCEscape(absl::string_view(path.data(), path.size())), "\"");
}

std::string ErrnoText(int error) { return std::generic_category().message(error); }

absl::StatusOr<std::vector<std::string>> ResolveRoots(const std::vector<std::string>& directories,
                                                      const MayBeMissing& may_be_missing) {
  std::vector<std::string> resolved;
  for (const std::string& directory : directories) {
    ASSIGN_OR_RETURN(std::string root, ResolveRoot(directory, may_be_missing));
    resolved.push_back(std::move(root));
  }
  std::sort(resolved.begin(), resolved.end(),
            [](const std::string& a, const std::string& b) { return ComparePaths(a, b) < 0; });
  std::vector<std::string> roots;
  for (std::string& root : resolved) {
    if (roots.empty() || !IsAtOrUnder(root, roots.back())) roots.push_back(std::move(root));
  }
  return roots;
}

absl::StatusOr<std::string> ResolveFile(const std::string& path) {
  if (std::optional<std::string> resolved = RealPath(path)) return *std::move(resolved);
  const int error = errno;
  struct stat facts {};
  if (error == ENOENT && lstat(path.c_str(), &facts) == 0) {
    return absl::FailedPreconditionError(
        absl::StrCat(Quoted(path), " is a symbolic link to a file that does not exist; create it or remove the link"));
  }
  const std::size_t slash = path.rfind('/');
  const std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  if (name.empty() || name == "." || name == "..") {
    return absl::InvalidArgumentError(absl::StrCat(Quoted(path), " names no file; give a file name"));
  }
  const std::optional<std::string> resolved_folder = RealPath(folder);
  if (!resolved_folder) {
    const int folder_error = errno;
    return absl::Status(absl::ErrnoToStatusCode(folder_error),
                        absl::StrCat("the folder of ", Quoted(path), ": ", ErrnoText(folder_error),
                                     "; create it first, or give another path"));
  }
  return JoinPath(*resolved_folder, name);
}

std::string ResolveLeniently(const std::string& path) {
  if (std::optional<std::string> resolved = RealPath(path)) return *std::move(resolved);
  if (absl::StatusOr<std::string> resolved = ResolveFile(path); resolved.ok()) return *std::move(resolved);
  // What exists of it without symlinks, and the rest as it is written.
  std::string whole = path.starts_with('/') ? path : JoinPath(RealPath(".").value_or("/"), path);
  while (whole.size() > 1 && whole.ends_with('/')) whole.pop_back();
  for (std::size_t slash = whole.rfind('/'); slash != 0 && slash != std::string::npos;
       slash = whole.rfind('/', slash - 1)) {
    const std::optional<std::string> above = RealPath(whole.substr(0, slash));
    if (above) return JoinPath(*above, std::string_view(whole).substr(slash + 1));
  }
  return whole;
}

}  // namespace foldlog::indexer
