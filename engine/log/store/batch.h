// Batches: consecutive frames stored under one key of the table `events`, packed with LZ4 if that makes them smaller.
// schema/FORMAT.md has the layout. Frames of one run resemble each other, so that a batch of checkpoints usually
// shrinks to a quarter; and unpacking it costs less than fetching what was saved from any disk.

#ifndef FOLDLOG_LOG_STORE_BATCH_H_
#define FOLDLOG_LOG_STORE_BATCH_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/log/frame_run.h"

namespace foldlog {

// A batch is no longer than this unless a single frame is: who wants one event unpacks all of its batch.
inline constexpr std::size_t kBatchBytesMax = std::size_t{256} << 10;

struct Batch {
  Sequence first;
  std::span<const std::uint64_t> frames;
};

// The run cut at frame boundaries, each batch as long as may be. InvalidArgument if it is no chain.
absl::StatusOr<std::vector<Batch>> SplitIntoBatches(const FrameSpan& run);

// Packs and unpacks batches in memory of its own, which it keeps. One thread.
class BatchCodec {
 public:
  // The words to store: `frames` themselves, or what they are packed to, which is valid until the next call.
  std::span<const std::uint64_t> Pack(std::span<const std::uint64_t> frames);

  // The frames of a stored value: itself if it is not packed; valid until the next call otherwise. What they are is
  // not looked at. DataLoss if it can't be unpacked, whatever its bytes.
  absl::StatusOr<std::span<const std::uint64_t>> Unpack(std::span<const std::uint64_t> stored);

  // What Unpack() would give, in bytes, or something too large.
  static std::size_t UnpackedBytes(std::span<const std::uint64_t> stored);

 private:
  std::span<std::uint64_t> Room(std::size_t words);

  std::unique_ptr<std::uint64_t[]> buffer_;
  std::size_t buffer_words_ = 0;
};

}  // namespace foldlog

#endif  // FOLDLOG_LOG_STORE_BATCH_H_
