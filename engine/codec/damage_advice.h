// The next step after damage of stored events, for messages.

#ifndef FOLDLOG_CODEC_DAMAGE_ADVICE_H_
#define FOLDLOG_CODEC_DAMAGE_ADVICE_H_

#include <string>

namespace foldlog {

inline constexpr const char* kDamageAdvice =
    "; keep a copy of the log's directory and restore the last backup, or read what can be read with events --from N";

// `message` with the advice, unless a layer below has added it already.
inline std::string WithDamageAdvice(std::string message) {
  return message.find(kDamageAdvice) == std::string::npos ? message.append(kDamageAdvice) : message;
}

}  // namespace foldlog

#endif  // FOLDLOG_CODEC_DAMAGE_ADVICE_H_
