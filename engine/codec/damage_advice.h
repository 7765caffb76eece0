// The next step after damage of stored events, for messages.

#ifndef FOLDLOG_CODEC_DAMAGE_ADVICE_H_
#define FOLDLOG_CODEC_DAMAGE_ADVICE_H_

#include <string>

#include "absl/status/status.h"

namespace foldlog {

inline constexpr const char* kDamageAdvice =
    "; keep a copy of the log's directory and restore the last backup; foldlog events --beyond-damage reads what can "
    "be "
    "read, and foldlog salvage makes a new log of it";

// `message` with the advice, unless a layer below has added it already.
inline std::string WithDamageAdvice(std::string message) {
  return message.find(kDamageAdvice) == std::string::npos ? message.append(kDamageAdvice) : message;
}

// The status's message without the advice, for who gives another.
inline std::string WithoutDamageAdvice(const absl::Status& status) {
  std::string message(status.message());
  if (const std::size_t at = message.find(kDamageAdvice); at != std::string::npos) message.erase(at);
  return message;
}

}  // namespace foldlog

#endif  // FOLDLOG_CODEC_DAMAGE_ADVICE_H_
