// EventView and ViewReader: the events of a log where they lie, for code that reads millions a second. EventReader
// (event_reader.h) gives copies, which may be kept.
//
//   ViewReader reader(log, /*from=*/1);
//   auto event = reader.Next();
//   for (; event.ok() && *event != nullptr; event = reader.Next()) files = (*event)->files_processed;
//   if (!event.ok()) return event.status();
//
// A view, and all that it points to, is valid until the next call of its reader; CopyOf() copies what is to be kept.
// The log must outlive the reader. Threads: one at a time; of several readers, each its own. Errors are those of
// EventReader.

#ifndef FOLDLOG_EVENT_VIEW_H_
#define FOLDLOG_EVENT_VIEW_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "absl/status/statusor.h"
#include "foldlog/event.h"
#include "foldlog/event_log.h"

namespace foldlog {

// A checkpoint as the fold sees it, in place: in an event, in a caller's struct, or in the bytes of a frame. A text
// that is absent, and so unchanged, has no address (IsPresent()); an empty one has.
struct CheckpointView {
  Moment at = {};
  Epoch epoch = 0;
  std::int64_t files_processed = 0;
  std::string_view current_path = {};
  std::string_view last_processed_file = {};
  std::optional<std::int64_t> batch_num = {};
  bool has_error = false;
};

inline bool IsPresent(std::string_view text) { return text.data() != nullptr; }

// An event in place. Of all kinds it has the time and the epoch; the rest of the checkpoint is that of a checkpoint,
// and empty in other kinds.
struct EventView : CheckpointView {
  Sequence sequence = 0;
  std::uint64_t hash = 0;
  std::uint64_t previous_hash = 0;  // of the event before
  // The place of its kind in EventBody, and in KindNames().
  std::size_t kind = 0;
  // The whole event; null if it is a checkpoint without an error, for then the view has all of it. Nearly all events
  // are.
  const Event* decoded = nullptr;
};

// The event, to keep.
RecordedEvent CopyOf(const EventView& view);

// Moves, but does not copy. See the head of this file.
class ViewReader {
 public:
  // Starts at sequence number `from`. Which frame comes before that is not checked.
  ViewReader(const EventLog& log, Sequence from);

  // Continues a chain whose end is known, such as a snapshot's: the first frame must name `after.hash`.
  ViewReader(const EventLog& log, const ChainEnd& after);

  // Moves; the reader that was moved from may only be destroyed or assigned to.
  ViewReader(ViewReader&&) noexcept;
  ViewReader& operator=(ViewReader&&) noexcept;
  ~ViewReader();

  // The next event, or null at the end of the log; a later call continues with events appended meanwhile.
  absl::StatusOr<const EventView*> Next();

  // Whether the next call of Next() uses the memory again in which texts of earlier views lie. While it is false, those
  // of checkpoints without an error stay valid, although their views do not.
  bool IsRunDone() const;

  // The end of the chain behind the last event that was read.
  const ChainEnd& position() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace foldlog

#endif  // FOLDLOG_EVENT_VIEW_H_
