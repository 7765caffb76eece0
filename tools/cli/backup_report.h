// What backup and restore did, in words and in JSON.

#ifndef FOLDLOG_CLI_BACKUP_REPORT_H_
#define FOLDLOG_CLI_BACKUP_REPORT_H_

#include <string>
#include <string_view>

#include "foldlog/backup.h"

namespace foldlog::cli {

// One line each.
std::string BackupText(const BackupReport& report, double seconds);
std::string BackupJson(const BackupReport& report, double seconds);
std::string RestoreText(const RestoreReport& report, double seconds);
std::string RestoreJson(const RestoreReport& report, double seconds);

// "Backing up: 1,000 events (50.0 %)".
std::string CopyProgressLine(std::string_view doing, const CopyProgress& progress);

}  // namespace foldlog::cli

#endif  // FOLDLOG_CLI_BACKUP_REPORT_H_
