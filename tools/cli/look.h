// How people want to see an answer: the zone of its times, and the room there is.

#ifndef FOLDLOG_CLI_LOOK_H_
#define FOLDLOG_CLI_LOOK_H_

#include <cstddef>
#include <optional>

#include "absl/time/time.h"

namespace foldlog::cli {

struct Look {
  absl::TimeZone zone = absl::UTCTimeZone();
  std::optional<std::size_t> columns = {};  // of the terminal; nothing: lines may be of any length
  bool heading = true;                      // above a table
};

}  // namespace foldlog::cli

#endif  // FOLDLOG_CLI_LOOK_H_
