// A reader's view of a tail: pieces of the ring or of its durable copy, read by pread. The writer may overwrite the
// words at any moment, the file may be cut short, and the disk may fail to read it; the reader gets old words or a
// status, never a signal.

#ifndef FOLDLOG_LOG_TAIL_WINDOW_H_
#define FOLDLOG_LOG_TAIL_WINDOW_H_

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/codec/frame.h"
#include "engine/log/tail/cursor.h"
#include "engine/log/tail/file.h"

namespace foldlog {

// Threads: one.
class TailWindow {
 public:
  // Where frames are looked for: in the ring, in its durable copy, or in the copy and, where that ends, in the ring.
  enum class Sources { kRing, kCopy, kCopyAndRing };

  // `tail` must outlive the window.
  TailWindow(const TailFile& tail, Sources sources);

  // The frame behind `at`, as it was at some moment after the call began, and the place behind it; nothing if the
  // writer has not come further. The frame is valid until the next call. DataLoss if the words can't be read.
  struct Step {
    std::span<const std::uint64_t> frame;
    TailPosition behind;
  };
  absl::StatusOr<std::optional<Step>> FrameBehind(const TailPosition& at);

 private:
  // Invariant: words_ is a copy of the source's words from first_ on, of one moment or several; so a frame in it is
  // believed only if its hash is right and it continues the chain.
  class Source {
   public:
    Source(const TailFile& tail, bool is_copy) : tail_(tail), is_copy_(is_copy) {}
    absl::StatusOr<std::optional<Step>> FrameBehind(const TailPosition& at);

   private:
    absl::StatusOr<std::span<const std::uint64_t>> Words(std::uint64_t index, std::size_t count);
    absl::Status Fetch(std::uint64_t index, std::size_t wanted, std::size_t needed);
    absl::StatusOr<std::optional<Step>> Look(const TailPosition& at);

    const TailFile& tail_;
    const bool is_copy_;
    std::vector<std::uint64_t> words_;
    std::uint64_t first_ = 0;
    bool fresh_ = false;  // whether this call of FrameBehind() has read words_
  };

  std::optional<Source> ring_;
  std::optional<Source> copy_;
  bool in_ring_ = false;  // of both, where the last frame was
};

}  // namespace foldlog

#endif  // FOLDLOG_LOG_TAIL_WINDOW_H_
