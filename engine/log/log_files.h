// The files of a log, and the directory that they are in: whether there is a log, whether one may be made there, and
// opening them with words that say what to do. For all who open or create logs.

#ifndef FOLDLOG_LOG_LOG_FILES_H_
#define FOLDLOG_LOG_LOG_FILES_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "engine/log/store/log_file.h"
#include "engine/log/tail/file.h"
#include "foldlog/log_directory.h"
#include "foldlog/log_id.h"

namespace foldlog {

// Whether `directory` holds a log already. If the options allow to create one, the directory is made. It runs before
// the lock is taken, so that a refused opening leaves no lock file in a directory of another kind, and once more under
// the lock.
absl::StatusOr<bool> PrepareDirectory(const std::string& directory, LogDirectoryOptions::Create create);

// The file named log.mdb may be of another kind. A tail beside it shows that it was a log's and has been overwritten.
absl::StatusOr<std::unique_ptr<LogFile>> OpenLogFile(const std::string& directory);

absl::StatusOr<std::unique_ptr<TailFile>> OpenTail(const std::string& directory, const LogId& log_id,
                                                   TailFile::Access access);

}  // namespace foldlog

#endif  // FOLDLOG_LOG_LOG_FILES_H_
