#include "foldlog/event_reader.h"

#include "engine/base/status_macros.h"

namespace foldlog {

absl::StatusOr<std::optional<RecordedEvent>> EventReader::Next() {
  ASSIGN_OR_RETURN(const EventView* const view, views_.Next());
  return view == nullptr ? std::optional<RecordedEvent>() : CopyOf(*view);
}

}  // namespace foldlog
