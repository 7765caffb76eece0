// When the events of a log happened, by the best that their clocks tell.
//
// A wall clock may have been wrong. Within a boot the time that passed is known all the same, so a clock that was set
// is believed for the whole boot, what came before it was set included; unless that lets things happen later than what
// follows them in the log, or later than now: then the setting before is believed. The events of a boot whose clock was
// never set keep the times that they have.

#ifndef FOLDLOG_TIME_LINE_H_
#define FOLDLOG_TIME_LINE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/codec/frame_reader.h"
#include "foldlog/event_log.h"

namespace foldlog {

// Gives the clocks at each event, in order.
class MomentReader {
 public:
  explicit MomentReader(FrameReader frames) : frames_(std::move(frames)) {}

  struct Reading {
    Sequence sequence = 0;
    Moment at = {};
  };
  absl::StatusOr<std::optional<Reading>> Next();

 private:
  FrameReader frames_;
};

class TimeLine {
 public:
  // Reads the summaries of all batches, and the events of those without. No event is taken to have happened after
  // `now`.
  static absl::StatusOr<TimeLine> Of(const EventLog& log, TimeNs now);

  // The last event that had happened by `time`; the sequence number before the first event if none had. It reads at
  // most the batches around that time.
  absl::StatusOr<Sequence> LastBy(TimeNs time) const;

 private:
  // Consecutive events under one setting of the clock.
  struct Stretch {
    Boot boot = {};
    Sequence first = 0;
    Sequence last = 0;
    TimeNs earliest = 0;  // as the events have it
    TimeNs latest = 0;
    std::int64_t shift_ns = 0;  // to be added to the events' times
  };

  explicit TimeLine(const EventLog& log) : log_(&log) {}
  void Add(const Stretch& more);
  absl::Status AddEvents(Sequence first, Sequence last);
  void Correct(TimeNs now);
  absl::StatusOr<std::optional<Sequence>> LastBy(TimeNs time, const Stretch& part) const;
  TimeNs CorrectBoot(std::size_t begin, std::size_t end, TimeNs bound);

  const EventLog* log_;
  Sequence base_ = 0;
  std::vector<Stretch> stretches_;
};

}  // namespace foldlog

#endif  // FOLDLOG_TIME_LINE_H_
