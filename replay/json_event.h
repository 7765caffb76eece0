// An event back from the JSON that report/fields.h makes of it. What the JSON does not tell exactly (names that are
// given several times, numbers that JSON has none for) comes back differently: who needs the same event compares. Pure.

#ifndef FOLDLOG_REPLAY_JSON_EVENT_H_
#define FOLDLOG_REPLAY_JSON_EVENT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "absl/status/statusor.h"
#include "engine/json/reader.h"
#include "foldlog/event.h"

namespace foldlog {

// The members of a checked object, by name. A member that is absent, null or of another kind counts as absent.
class JsonFields {
 public:
  explicit JsonFields(const JsonSlice& object);

  std::optional<JsonSlice> Find(std::string_view name, JsonSlice::Kind kind) const;
  std::optional<std::string> Text(std::string_view name) const;
  std::optional<std::int64_t> Integer(std::string_view name) const;
  std::optional<std::uint64_t> Unsigned(std::string_view name) const;
  std::optional<TimeNs> Time(std::string_view name) const;
  double Real(std::string_view name) const;
  bool Bool(std::string_view name) const;

 private:
  std::unordered_map<std::string_view, JsonSlice> members_;  // by the key's text, with its quotes
};

// InvalidArgument if it has no kind, or one that this version does not know.
absl::StatusOr<Event> EventFromJson(const JsonFields& fields);

}  // namespace foldlog

#endif  // FOLDLOG_REPLAY_JSON_EVENT_H_
