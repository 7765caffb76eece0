// Walks the frames of a log in order and checks each on the way, without decoding it. EventReader adds the decoding;
// the fold uses this.

#ifndef FOLDLOG_CODEC_FRAME_READER_H_
#define FOLDLOG_CODEC_FRAME_READER_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/codec/frame.h"
#include "foldlog/event_log.h"

namespace foldlog {

// `status`, an error about an event, with its number and the log's name, and with advice if it is damage.
absl::Status AboutEvent(Sequence sequence, const std::string& log_name, const absl::Status& status);

// The log must outlive it. Threads: one at a time.
class FrameReader {
 public:
  // Starts at sequence number `from`. Which frame comes before that is not checked.
  FrameReader(const EventLog& log, Sequence from);

  // Continues a chain whose end is known: the first frame must name `after.hash`.
  FrameReader(const EventLog& log, const ChainEnd& after);

  // The next frame; null at the end of the log. DataLoss if it is damaged or breaks the chain. The reader stays before
  // the frame until StepOver(). The view is valid until the next Peek(), the words of its frame while IsRunDone() was
  // false before each Peek().
  absl::StatusOr<const FrameView*> Peek();
  void StepOver(const FrameView& frame);

  // Whether the next Peek() takes the frames that were given out before off their memory.
  bool IsRunDone() const { return offset_words_ == run_.words.size(); }

  // The end of the chain behind the last frame that was stepped over.
  const ChainEnd& position() const { return position_; }

  // AboutEvent() for the next frame.
  absl::Status InContext(const absl::Status& status) const {
    return AboutEvent(position_.sequence + 1, log_->name(), status);
  }

 private:
  absl::Status Refill();
  absl::Status WhatIsWrong(std::span<const std::uint64_t> words) const;

  const EventLog* log_;
  ChainEnd position_;
  bool link_known_;
  FrameRun run_;  // its memory is used again for each run
  std::size_t offset_words_ = 0;
  FrameView frame_ = {};
};

}  // namespace foldlog

#endif  // FOLDLOG_CODEC_FRAME_READER_H_
