// What to do about damage of stored events, for messages.

#ifndef FOLDLOG_LOG_DAMAGE_ADVICE_H_
#define FOLDLOG_LOG_DAMAGE_ADVICE_H_

namespace foldlog {

inline constexpr const char* kDamageAdvice =
    "; keep a copy of the log's directory and restore the last backup, or read what can be read with events --from N";

}  // namespace foldlog

#endif  // FOLDLOG_LOG_DAMAGE_ADVICE_H_
