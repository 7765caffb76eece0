// Batches: consecutive frames stored under one key of the table `events`, packed with LZ4 if that makes them smaller.
// schema/FORMAT.md has the layout. Frames of one run resemble each other, so a batch of checkpoints usually shrinks to
// a quarter, and unpacking it costs less than reading the saved bytes from any disk.

#ifndef FOLDLOG_LOG_STORE_BATCH_H_
#define FOLDLOG_LOG_STORE_BATCH_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/codec/frame.h"
#include "engine/log/frame_run.h"

namespace foldlog {

// A batch is no longer than this, unless a single frame is: reading one event unpacks its whole batch.
inline constexpr std::size_t kBatchBytesMax = std::size_t{256} << 10;

inline constexpr std::uint32_t kPackedMagic = 0x5a474c46;  // "FLGZ"; a batch that is not packed begins with a frame's

// The frames of one entry; `first` is its key.
struct Batch {
  Sequence first;
  std::span<const std::uint64_t> frames;
};

// Cuts a run at frame boundaries, into batches as long as allowed. One at a time, because what is done with a batch
// finds it in the processor's cache then. The run must outlive it. Threads: one.
class BatchSplitter {
 public:
  explicit BatchSplitter(const FrameSpan& run) : rest_(run.words), at_(run.before), end_(run.after) {}

  // The next batch, a view of the run; nothing behind the last one. InvalidArgument if the run is no chain. Calls
  // `use` with the words of each of its frames on the way: a walk of its own would fetch the run once more from memory
  // that another processor has written.
  template <typename Use>
  absl::StatusOr<std::optional<Batch>> Next(const Use& use) {
    const Sequence first = at_.sequence + 1;
    std::size_t size = 0;
    while (size < rest_.size()) {
      const std::optional<FrameView> frame = FrameAtStartOf(rest_.subspan(size));
      if (!frame || frame->header.sequence != at_.sequence + 1 || frame->header.previous_hash != at_.hash) {
        return NoChain();
      }
      if (size > 0 && size + frame->size_words() > kBatchWordsMax) break;
      FetchAhead(size, frame->size_words());
      use(rest_.subspan(size, frame->size_words()));
      size += frame->size_words();
      at_ = frame->end();
    }
    const Batch batch{first, rest_.first(size)};
    rest_ = rest_.subspan(size);
    if (rest_.empty() && at_ != end_) return NoChain();
    return size > 0 ? std::optional(batch) : std::nullopt;
  }

 private:
  // The words some frames ahead come into the cache meanwhile: another processor wrote them.
  void FetchAhead(std::size_t at, std::size_t words) const {
    constexpr std::size_t kAheadWords = 256;
    constexpr std::size_t kCacheLineWords = 8;
    const std::size_t end = std::min(at + kAheadWords + words, rest_.size());
    for (at += kAheadWords; at < end; at += kCacheLineWords) __builtin_prefetch(&rest_[at]);
  }

  static constexpr std::size_t kBatchWordsMax = kBatchBytesMax / sizeof(std::uint64_t);
  static absl::Status NoChain();

  std::span<const std::uint64_t> rest_;
  ChainEnd at_;  // the end of what was given
  const ChainEnd end_;
};

// Packs and unpacks batches in a buffer that it keeps from call to call. Threads: one.
class BatchCodec {
 public:
  BatchCodec() = default;

  // For who judges what may be damaged. A block that is can leave out bytes, which are then what the buffer held
  // before: perhaps the right ones, from another copy. One that clears its buffer gives the same frames each time.
  enum class Buffer { kAsItIs, kCleared };
  explicit BatchCodec(Buffer buffer) : clears_(buffer == Buffer::kCleared) {}

  // The words to store: `frames` themselves, or their packed form, which is valid until the next call.
  std::span<const std::uint64_t> Pack(std::span<const std::uint64_t> frames);

  // The frames of a stored value: the value itself if it is not packed, else words that are valid until the next call.
  // The frames are not checked. DataLoss if the value can't be unpacked; it may be any bytes.
  absl::StatusOr<std::span<const std::uint64_t>> Unpack(std::span<const std::uint64_t> stored);

  // Unpack() into memory of the caller, of the size UnpackedBytes(stored).
  static absl::Status UnpackInto(std::span<const std::uint64_t> stored, std::span<std::uint64_t> frames);

  // Whether Pack() could have left those bytes: nothing but zeros stands behind a block, and is reserved. What is there
  // otherwise does no harm.
  static bool IsAsPacked(std::span<const std::uint64_t> stored);

  // How many words a packed batch at the start of `words`, which may go on behind it or end before, takes by its own
  // header. Nothing if no packed batch has such a header.
  static std::optional<std::size_t> PackedWords(std::span<const std::uint64_t> words);

  // The size in bytes that Unpack() would give; of a damaged value any size, perhaps a huge one.
  static std::size_t UnpackedBytes(std::span<const std::uint64_t> stored);

 private:
  std::span<std::uint64_t> Room(std::size_t words);

  bool clears_ = false;
  std::unique_ptr<std::uint64_t[]> buffer_;
  std::size_t buffer_words_ = 0;
};

}  // namespace foldlog

#endif  // FOLDLOG_LOG_STORE_BATCH_H_
