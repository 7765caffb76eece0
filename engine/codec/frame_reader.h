// Walks the frames of a log in order and checks each on the way, without decoding it. EventReader adds the decoding;
// the fold uses this.

#ifndef FOLDLOG_CODEC_FRAME_READER_H_
#define FOLDLOG_CODEC_FRAME_READER_H_

#include <cstddef>
#include <cstdint>
#include <optional>
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

  // Goes on with event `from`, or behind `after`, as a new reader would, but in the memory that this one has.
  // `batch`: the first event of the batch that the log keeps `from` in: read as a whole, it is unpacked to where it is
  // walked over. The frames before `from` are not checked.
  void Restart(Sequence from, Sequence batch);
  void Restart(const ChainEnd& after);

  // The next frame; null at the end of the log. DataLoss if it is damaged or breaks the chain. The reader stays before
  // the frame until StepOver(). The view is valid until the next Peek(), the words of its frame while IsRunDone() was
  // false before each Peek().
  absl::StatusOr<const FrameView*> Peek();
  void StepOver(const FrameView& frame) {
    offset_words_ += frame.size_words();
    position_ = frame.end();
  }

  // Steps over frames up to event `through` while they are in order, `skip` says so of their payloads, and they are
  // intact. It may stop before any frame; Peek() goes on there.
  template <typename Skip>
  void StepOverWhile(Sequence through, const Skip& skip) {
    while (!IsRunDone() && position_.sequence < through) {
      const std::optional<FrameView> frame = FrameAtStartOf(Rest());
      const bool next = frame && frame->header.sequence == position_.sequence + 1 &&
                        frame->header.previous_hash == position_.hash && link_known_;
      if (!next || !skip(frame->payload) || !IsIntact(*frame)) return;
      StepOver(*frame);
    }
  }

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
  std::span<const std::uint64_t> Rest() const { return std::span(run_.words).subspan(offset_words_); }
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
