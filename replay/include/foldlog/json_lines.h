// A log as lines of JSON, and back: what a log says, in a form that any program reads and that outlives this one.
//
//   ASSIGN_OR_RETURN(auto log, OpenLogForReading(from));
//   ASSIGN_OR_RETURN(const LogId id, ReadLogId(from));
//   ASSIGN_OR_RETURN(auto lines, JsonLinesExport::Of(*log, id));
//   auto line = lines.Next();
//   for (; line.ok() && *line; line = lines.Next()) Write(**line);
//
//   ASSIGN_OR_RETURN(const JsonLinesSummary made, ImportJsonLines(next_line, to));  // the same frames, the same hashes
//
// The first line says which log it is, the last one that all came, and each line between them is an event with the
// fields that schema/JSON.md lists. Every line ends with its own hash, so no byte of one changes unnoticed; and every
// event names the hash of its frame, which names that of the event before: so none is missing, exchanged or of another
// log. An event that its fields do not give back byte for byte (a name given twice, a number that JSON has none for)
// carries its payload besides, in base64.
//
// Threads: an object by one at a time.

#ifndef FOLDLOG_JSON_LINES_H_
#define FOLDLOG_JSON_LINES_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "foldlog/event_log.h"
#include "foldlog/event_query.h"
#include "foldlog/log_directory.h"

namespace foldlog {

// Reads a whole log, as it is when the export begins. Moves, but does not copy. The log must outlive it. It holds one
// event and the state, however long the log is.
class JsonLinesExport {
 public:
  // With a filter, only what it lets pass: for readers, no log can be made of it. Then an event that is damaged is an
  // error. Of a log with gaps, too, only what can be read, with a line for each gap.
  static absl::StatusOr<JsonLinesExport> Of(const EventLog& log, const LogId& id,
                                            const std::optional<EventFilter>& filter = std::nullopt);

  JsonLinesExport(JsonLinesExport&&) noexcept;
  JsonLinesExport& operator=(JsonLinesExport&&) noexcept;
  ~JsonLinesExport();

  // The next line, without the byte that ends it; nothing behind the last one. Errors as EventReader::Next() has them;
  // but a frame that holds no event is a line like others.
  absl::StatusOr<std::optional<std::string>> Next();

  // How far it is: the last event given, and the last one there will be.
  Sequence position() const;
  Sequence end() const;

 private:
  struct Parts;
  explicit JsonLinesExport(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

// What was imported.
struct JsonLinesSummary {
  LogId id = {};
  std::uint64_t events = 0;
  std::uint64_t last_hash = 0;
};

// Gives one line after the other, without the byte that ends it, and nothing behind the last one. The line is valid
// until the next call.
using NextLine = std::function<absl::StatusOr<std::optional<std::string_view>>()>;

// Makes the log `directory` from the lines of an export: the same id, the same frames, the same hashes. It is made
// beside it, under a temporary name, and gets its name when it is whole and durable; if anything fails, there is none.
//
// Errors: InvalidArgument, a line is damaged, out of order or of another log (the message names its number), or the
// export is cut short; FailedPrecondition, there is something at `directory` already; those of `next_line`, and of
// making a log.
absl::StatusOr<JsonLinesSummary> ImportJsonLines(const NextLine& next_line, const std::string& directory);

}  // namespace foldlog

#endif  // FOLDLOG_JSON_LINES_H_
