// Clocks of neighbours, and texts of events.

#include "tools/cli/event_lister.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "engine/base/status_macros.h"
#include "foldlog/event_reader.h"
#include "foldlog/state.h"

namespace foldlog::cli {
namespace {

Moment MomentOf(const RecordedEvent& event) { return {event.event.time, event.event.boot}; }

struct Mention {
  const std::string& text;

  bool In(const std::string& value) const { return value.find(text) != std::string::npos; }
  bool In(const std::optional<std::string>& value) const { return value && In(*value); }
  bool In(const FileError& error) const { return In(error.path) || In(error.message) || In(error.details); }
  bool In(const std::optional<FileError>& error) const { return error && In(*error); }

  bool operator()(const Started& started) const {
    return std::any_of(started.roots.begin(), started.roots.end(), [&](const auto& root) { return In(root); });
  }
  bool operator()(const Checkpoint& checkpoint) const {
    return In(checkpoint.current_path) || In(checkpoint.last_processed_file) || In(checkpoint.error);
  }
  bool operator()(const Paused& paused) const { return In(paused.reason); }
  bool operator()(const Resumed& resumed) const { return In(resumed.reason); }
  bool operator()(const Recovered& recovered) const { return In(recovered.reason); }
  bool operator()(const Completed&) const { return false; }
  bool operator()(const Failed& failed) const { return In(failed.error); }
  bool operator()(const Cleared&) const { return false; }
  bool operator()(const Reset& reset) const { return In(reset.reason); }
  bool operator()(const Imported& imported) const {
    return In(imported.current_path) || In(imported.last_processed_file) || In(imported.failure) ||
           In(imported.source) ||
           std::any_of(imported.errors.begin(), imported.errors.end(),
                       [&](const ImportedError& error) { return In(error.error); });
  }
};

}  // namespace

bool Mentions(const EventBody& body, const std::string& text) { return std::visit(Mention{text}, body); }

absl::StatusOr<std::optional<QueriedEvent>> EventLister::NextQueried() {
  if (order_ == Order::kOldestFirst) return Take();
  std::optional<QueriedEvent> given = std::exchange(ahead_, std::nullopt);
  before_ = before_ahead_;
  if (!given) {
    RETURN_IF_ERROR(std::exchange(at_end_, absl::OkStatus()));
    ASSIGN_OR_RETURN(given, Take());
    if (!given) return given;
  }
  absl::StatusOr<std::optional<QueriedEvent>> next = query_->Next();
  if (next.ok()) {
    ahead_ = *std::move(next);
    before_ahead_ = query_->moment_before();
  } else {
    at_end_ = next.status();
  }
  return given;
}

absl::StatusOr<std::optional<QueriedEvent>> EventLister::Take() {
  absl::StatusOr<std::optional<QueriedEvent>> taken = query_->Next();
  before_ = query_->moment_before();
  return taken;
}

absl::StatusOr<std::optional<ListedEvent>> EventLister::Next() {
  ASSIGN_OR_RETURN(std::optional<QueriedEvent> found, NextQueried());
  if (!found) return std::optional<ListedEvent>();
  const Place here{found->event.sequence, MomentOf(found->event)};
  if (order_ == Order::kNewestFirst) {
    last_.reset();
    if (ahead_) last_ = Place{ahead_->event.sequence, MomentOf(ahead_->event)};
  }
  const std::optional<Moment> before = MomentBefore(here.sequence);
  ListedEvent listed{.shown = {.event = std::move(found->event)}, .operation_id = std::move(found->operation_id)};
  if (before) listed.shown.notes.clock_step_ns = ClockStepNs(*before, here.at);
  if (order_ == Order::kOldestFirst) last_ = here;
  return std::optional(std::move(listed));
}

// Nothing for the first event of the log, and where the event before cannot be read: that is not what was asked for.
std::optional<Moment> EventLister::MomentBefore(Sequence sequence) const {
  if (before_) return before_;
  if (last_ && last_->sequence + 1 == sequence) return last_->at;
  if (sequence <= 1) return std::nullopt;
  const absl::StatusOr<std::optional<RecordedEvent>> event = EventReader(*log_, sequence - 1).Next();
  if (!event.ok() || !*event) return std::nullopt;
  return MomentOf(**event);
}

}  // namespace foldlog::cli
