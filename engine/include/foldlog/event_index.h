// The index that foldlog keeps of its events: what is in each batch, and how each operation went.
//
//   ASSIGN_OR_RETURN(WritableLog log, OpenLogForWriting(directory, {.indexer = NewEventIndexer()}));
//
// Engine::Open() passes one by itself.

#ifndef FOLDLOG_EVENT_INDEX_H_
#define FOLDLOG_EVENT_INDEX_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "foldlog/log_directory.h"
#include "foldlog/log_index.h"

namespace foldlog {

// An indexer for one log at a time; see LogIndexer. The caller owns it.
std::unique_ptr<LogIndexer> NewEventIndexer();

// Makes the index of the log in `directory` anew, from its events. For a log whose index is damaged, or whose events
// were stored without one. It is the log's only writer meanwhile: errors are those of OpenLogForWriting(), and DataLoss
// if the events are damaged, which leaves an index of those before.
absl::Status Reindex(const std::string& directory, const LogDirectoryOptions& options = {});

}  // namespace foldlog

#endif  // FOLDLOG_EVENT_INDEX_H_
