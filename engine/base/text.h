// std::string_view as Abseil's: Debian's Abseil is built with a string_view type of its own.

#ifndef FOLDLOG_BASE_TEXT_H_
#define FOLDLOG_BASE_TEXT_H_

#include <string_view>

#include "absl/strings/string_view.h"

namespace foldlog {

inline absl::string_view ToAbsl(std::string_view text) { return {text.data(), text.size()}; }

}  // namespace foldlog

#endif  // FOLDLOG_BASE_TEXT_H_
