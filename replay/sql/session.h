// What the tables of one SQLite connection share: the logs that it reads, and the moment of each that one statement
// sees.

#ifndef FOLDLOG_SQL_SESSION_H_
#define FOLDLOG_SQL_SESSION_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "foldlog/event_log.h"

namespace foldlog::sql {

// A log as it was after event `through`.
struct LogMoment {
  const EventLog* log = nullptr;
  Sequence first = 0;  // the first event that the log holds
  Sequence through = 0;
};

// Threads: as SQLite's connection, one at a time. Invariant: logs_ and moments_ are those of the statements that are
// running; both are empty when none is.
class Session {
 public:
  // `log`: the log's directory where a query names none; empty: the environment variable FOLDLOG says it.
  explicit Session(std::string log) : log_(std::move(log)) {}

  // Between the two, every look at a log finds it as the first look did.
  void BeginRead() { ++reads_; }
  void EndRead();

  // The log in `directory`, or the default one. NotFound if there is no telling which.
  absl::StatusOr<LogMoment> Find(const std::optional<std::string>& directory);

  // How many batches all queries have unpacked so far; for tests and figures.
  std::uint64_t batches_unpacked() const { return batches_unpacked_; }
  void NoteUnpacked(std::uint64_t batches) { batches_unpacked_ += batches; }

 private:
  std::string log_;
  int reads_ = 0;
  std::map<std::string, std::unique_ptr<EventLog>> logs_;
  std::map<std::string, LogMoment> moments_;
  std::uint64_t batches_unpacked_ = 0;
};

}  // namespace foldlog::sql

#endif  // FOLDLOG_SQL_SESSION_H_
