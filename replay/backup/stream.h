// A backup as one stream of bytes, which checks itself: a head that says which log it is and where it will end, its
// frames in batches, and an end. FORMAT.md has the layout.

#ifndef FOLDLOG_BACKUP_STREAM_H_
#define FOLDLOG_BACKUP_STREAM_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/log/store/batch.h"
#include "foldlog/event_log.h"
#include "foldlog/log_id.h"

namespace foldlog::backup {

// What a stream begins with.
struct StreamHead {
  LogId log_id = {};
  ChainEnd base = {};
  ChainEnd end = {};  // of its last frame
  std::int64_t made_at = 0;
  bool operator==(const StreamHead&) const = default;
};

// Threads: one at a time.
class StreamWriter {
 public:
  // Takes all of the bytes, or says why not.
  using Sink = std::function<absl::Status(std::span<const std::byte>)>;
  explicit StreamWriter(Sink sink) : sink_(std::move(sink)) {}

  absl::Status Begin(const StreamHead& head);
  absl::Status Add(const FrameRun& run);  // the next frames
  absl::Status End();                     // after frames up to the end that the head names

 private:
  absl::Status Put(std::uint32_t magic, std::span<const std::uint64_t> words);

  const Sink sink_;
  StreamHead head_;
  ChainEnd at_;
  BatchCodec codec_;
};

// Takes any bytes for a stream, and believes what is proven. DataLoss says where the stream is damaged, or that it was
// cut short. Threads: one at a time.
class StreamReader {
 public:
  // Gives some of the next bytes, 0 at their end.
  using Source = std::function<absl::StatusOr<std::size_t>(std::span<std::byte>)>;
  explicit StreamReader(Source source) : source_(std::move(source)) {}

  // InvalidArgument if it is no such stream, FailedPrecondition if it has another version.
  absl::StatusOr<StreamHead> Begin();

  // The next frames, a chain behind those before; an empty run behind the last, after all of the stream was found to be
  // whole.
  absl::Status Next(FrameRun& run);

 private:
  absl::StatusOr<std::size_t> Fill(std::span<std::byte> into);
  absl::Status Take(std::span<std::byte> into);
  absl::Status CheckEnd(std::span<const std::uint64_t> words);
  absl::Status Damaged(const char* what) const;

  const Source source_;
  std::uint64_t offset_ = 0;
  StreamHead head_;
  ChainEnd at_;
  std::vector<std::uint64_t> words_;
  BatchCodec codec_;
};

}  // namespace foldlog::backup

#endif  // FOLDLOG_BACKUP_STREAM_H_
