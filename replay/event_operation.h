// Which operation an event belongs to, as Replayer::operation_id() has it.

#ifndef FOLDLOG_REPLAY_EVENT_OPERATION_H_
#define FOLDLOG_REPLAY_EVENT_OPERATION_H_

#include <string>
#include <variant>

#include "foldlog/event.h"
#include "foldlog/state.h"

namespace foldlog {

inline void NoteOperation(const EventBody& body, const State& before, std::string& operation_id) {
  if (const auto* started = std::get_if<Started>(&body)) {
    operation_id = started->operation_id;
  } else if (const auto* imported = std::get_if<Imported>(&body)) {
    operation_id = imported->operation_id;
  } else if (before.operation) {
    operation_id = before.operation->operation_id;
  } else {
    operation_id.clear();
  }
}

}  // namespace foldlog

#endif  // FOLDLOG_REPLAY_EVENT_OPERATION_H_
