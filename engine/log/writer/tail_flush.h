// Makes the ring durable: writes what is new in it to its durable copy, and with it how far events were durable before.

#ifndef FOLDLOG_LOG_WRITER_TAIL_FLUSH_H_
#define FOLDLOG_LOG_WRITER_TAIL_FLUSH_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "engine/log/tail/copy.h"
#include "engine/log/tail/file.h"
#include "engine/log/tail/ring.h"

namespace foldlog {

// Threads: one at a time. Invariant: the copy holds all frames between the ring's stored position and flushed_. The
// last page of a flush is written again by the next one, with the same words and more, so that a power cut can tear
// only what is new. What is found in the ring at the beginning counts as not flushed: it may be in the page cache only.
class TailFlush {
 public:
  TailFlush(TailFile& file, const TailRing& ring) : file_(file), ring_(ring), flushed_(ring.stored_position()) {}

  // Makes durable all frames before `end`; events up to `durable` are so already. After an error the copy must not be
  // written again: what is on the disk is not known.
  absl::Status Flush(const TailPosition& end, Sequence durable);

  // Makes the copy claim what the last flush has made durable; otherwise the next one would. One write, or none.
  absl::Status Claim();

 private:
  absl::Status WriteWords(std::uint64_t from, std::uint64_t to, const TailClaim& claim);

  TailFile& file_;
  const TailRing& ring_;
  std::uint64_t flushed_;
  TailClaim claim_;  // of the last flush
  std::vector<CopyPage> pages_;
};

}  // namespace foldlog

#endif  // FOLDLOG_LOG_WRITER_TAIL_FLUSH_H_
