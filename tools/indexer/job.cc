// See job.h.

#include "tools/indexer/job.h"

#include <unistd.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "tools/indexer/catalog.h"
#include "tools/indexer/file_access.h"
#include "tools/indexer/paths.h"

namespace foldlog::indexer {
namespace {

constexpr std::string_view kCatalogKey = "catalog";
constexpr std::string_view kOneFileSystemKey = "one_file_system";
constexpr std::string_view kPseudoFileSystemsKey = "pseudo_file_systems";
constexpr std::string_view kExcludedKey = "excluded";  // one for each path

std::vector<std::string> FindMetadata(const Metadata& metadata, std::string_view key) {
  std::vector<std::string> values;
  for (const auto& [name, value] : metadata) {
    if (name == key) values.push_back(value);
  }
  return values;
}

std::vector<std::string> ResolveExcluded(const std::vector<std::string>& paths) {
  std::vector<std::string> resolved;
  resolved.reserve(paths.size());
  for (const std::string& path : paths) resolved.push_back(ResolveLeniently(path));
  std::sort(resolved.begin(), resolved.end());
  return resolved;
}

bool AnyIsThere(const std::vector<std::string>& directories) {
  return std::any_of(directories.begin(), directories.end(),
                     [](const std::string& directory) { return access(directory.c_str(), F_OK) == 0; });
}

absl::Status RefusePseudoFileSystems(const Job& job) {
  if (job.pseudo_file_systems) return absl::OkStatus();
  for (const std::string& root : job.roots) {
    const FileDescriptor fd = ReachAbsolute(root);
    const std::string type = fd.valid() ? PseudoFileSystem(fd.get()) : "";
    if (type.empty()) continue;
    return absl::InvalidArgumentError(absl::StrCat("nothing of ", Quoted(root), " would be indexed: it is on ", type,
                                                   ", which holds no files but shows what the kernel knows; "
                                                   "--pseudo-file-systems indexes it all the same"));
  }
  return absl::OkStatus();
}

std::string QuotedList(const std::vector<std::string>& paths) {
  std::string text;
  for (const std::string& path : paths) absl::StrAppend(&text, text.empty() ? "" : ", ", Quoted(path));
  return text;
}

// "operation 0a1b… (initial, paused)"
std::string Named(const Operation& operation) {
  return absl::StrCat("operation ", operation.operation_id, " (", std::string(Name(operation.type)), ", ",
                      std::string(Name(operation.status)), ")");
}

// One message for everything that the user may want otherwise than the log has it.
absl::Status NotThatJob(const Operation& operation, const std::string& recorded, const std::string& asked) {
  return absl::FailedPreconditionError(
      absl::StrCat(Named(operation), " is not finished: it is about ", recorded, ", and you ask for ", asked,
                   ". Run it again as it was to go on with it, or take it off with a reset to start another"));
}

absl::Status CheckScope(const Operation& operation, const Job& job, const IndexOptions& options) {
  const std::vector<std::string> excluded = ResolveExcluded(options.excluded);
  if (!excluded.empty() && excluded != job.excluded) {
    return NotThatJob(operation, absl::StrCat("leaving out [", QuotedList(job.excluded), "]"),
                      absl::StrCat("leaving out [", QuotedList(excluded), "]"));
  }
  if (options.one_file_system && !job.one_file_system) {
    return NotThatJob(operation, "all file systems below its directories", "one file system only");
  }
  if (options.pseudo_file_systems && !job.pseudo_file_systems) {
    return NotThatJob(operation, "files only", "pseudo file systems, too");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Job> NewJob(const IndexOptions& options) {
  if (options.directories.empty()) {
    return absl::InvalidArgumentError("there is no unfinished operation to resume: name the directories to index");
  }
  if (options.catalog_path.empty()) {
    return absl::InvalidArgumentError("there is no unfinished operation to resume: name the catalog to write");
  }
  Job job;
  job.type = options.type;
  job.one_file_system = options.one_file_system;
  job.pseudo_file_systems = options.pseudo_file_systems;
  ASSIGN_OR_RETURN(job.catalog_path, ResolveFile(options.catalog_path));
  ASSIGN_OR_RETURN(job.roots, ResolveRoots(options.directories, [&](const std::string& missing) {
                     // A directory that was indexed before must not keep the others from it, if it is gone.
                     return (options.accept_removed || AnyIsThere(options.directories)) &&
                            Catalog::HasRowsBelow(job.catalog_path, missing);
                   }));
  RETURN_IF_ERROR(RefusePseudoFileSystems(job));
  job.excluded = ResolveExcluded(options.excluded);
  return job;
}

absl::StatusOr<Job> RecordedJob(const Operation& operation, const IndexOptions& options) {
  if (!options.resume) {
    return absl::FailedPreconditionError(
        absl::StrCat(Named(operation),
                     " is not finished: allow it to be resumed to go on with it, or take it "
                     "off with a reset"));
  }
  Job job{.roots = operation.roots,
          .catalog_path = RecordedCatalog(operation),
          .type = operation.type,
          .excluded = FindMetadata(operation.metadata, kExcludedKey),
          .one_file_system = !FindMetadata(operation.metadata, kOneFileSystemKey).empty(),
          .pseudo_file_systems = !FindMetadata(operation.metadata, kPseudoFileSystemsKey).empty()};
  if (job.catalog_path.empty() || job.roots.empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat(Named(operation),
                     " is not finished, and it is not one of the indexer's, since it names no catalog "
                     "and directories: finish it where it was started, or take it off with a reset"));
  }
  if (options.type_given && options.type != job.type) {
    return NotThatJob(operation, absl::StrCat("type ", std::string(Name(job.type))),
                      absl::StrCat("type ", std::string(Name(options.type))));
  }
  ASSIGN_OR_RETURN(
      const std::vector<std::string> roots,
      ResolveRoots(options.directories.empty() ? job.roots : options.directories, [&](const std::string& missing) {
        const bool ours = std::find(job.roots.begin(), job.roots.end(), missing) != job.roots.end();
        return ours && (options.accept_removed || AnyIsThere(job.roots));
      }));
  if (roots != job.roots) return NotThatJob(operation, QuotedList(job.roots), QuotedList(roots));
  ASSIGN_OR_RETURN(const std::string catalog,
                   ResolveFile(options.catalog_path.empty() ? job.catalog_path : options.catalog_path));
  if (catalog != job.catalog_path) {
    return NotThatJob(operation, absl::StrCat("catalog ", Quoted(job.catalog_path)),
                      absl::StrCat("catalog ", Quoted(catalog)));
  }
  RETURN_IF_ERROR(CheckScope(operation, job, options));
  return job;
}

StartRequest AsStartRequest(const Job& job) {
  StartRequest request{.type = job.type, .total_files = std::nullopt, .roots = job.roots, .metadata = {}};
  request.metadata.emplace_back(kCatalogKey, job.catalog_path);
  for (const std::string& path : job.excluded) request.metadata.emplace_back(kExcludedKey, path);
  if (job.pseudo_file_systems) request.metadata.emplace_back(kPseudoFileSystemsKey, "true");
  if (job.one_file_system) request.metadata.emplace_back(kOneFileSystemKey, "true");
  return request;
}

absl::StatusOr<Exclusions> ExclusionsFor(const Job& job, const std::string& log_directory) {
  Exclusions exclusions;
  if (!log_directory.empty()) {
    const std::string log = ResolveLeniently(log_directory);
    if (IsAtOrUnder(job.catalog_path, log)) {
      return absl::InvalidArgumentError(absl::StrCat("the catalog ", Quoted(job.catalog_path),
                                                     " is inside the log's directory, where all names belong to the "
                                                     "log; give it another place"));
    }
    exclusions.Add(log);
  }
  exclusions.Add(job.catalog_path);
  for (const std::string& companion : CatalogCompanions(job.catalog_path)) exclusions.Add(companion);
  if (!job.mirror_path.empty()) {
    exclusions.Add(job.mirror_path);
    for (const std::string& companion : CatalogCompanions(job.mirror_path)) exclusions.Add(companion);
  }
  for (const std::string& path : job.excluded) exclusions.Add(path);
  for (const std::string& root : job.roots) {
    if (!exclusions.CoverPath(root)) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("nothing of ", Quoted(root), " would be indexed: it is inside the log or another excluded path"));
  }
  return exclusions;
}

std::string RecordedCatalog(const Operation& operation) {
  const std::vector<std::string> catalogs = FindMetadata(operation.metadata, kCatalogKey);
  return catalogs.empty() ? "" : catalogs.front();
}

}  // namespace foldlog::indexer
