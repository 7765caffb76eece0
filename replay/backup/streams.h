// What backup and restore share: copying all that a source gives, and streams that are open files.

#ifndef FOLDLOG_BACKUP_STREAMS_H_
#define FOLDLOG_BACKUP_STREAMS_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/statusor.h"
#include "engine/base/status_macros.h"
#include "foldlog/backup.h"
#include "replay/backup/stream.h"

namespace foldlog::backup {

StreamWriter::Sink SinkOf(int fd);
StreamReader::Source SourceOf(int fd);

std::int64_t NowNs();

// Gives every run of `source` to `use`. Returns the bytes of their frames.
template <typename Source, typename Use>
absl::StatusOr<std::uint64_t> CopyAll(Source& source, std::uint64_t events_total, const Use& use,
                                      const CopyProgressCallback& progress) {
  std::uint64_t bytes = 0;
  CopyProgress copied{.events = 0, .events_total = events_total};
  FrameRun run;
  while (true) {
    RETURN_IF_ERROR(source.Next(run));
    if (run.empty()) return bytes;
    RETURN_IF_ERROR(use(run));
    bytes += run.words.size() * sizeof(std::uint64_t);
    copied.events += run.count();
    if (progress) progress(copied);
  }
}

}  // namespace foldlog::backup

#endif  // FOLDLOG_BACKUP_STREAMS_H_
