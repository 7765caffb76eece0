// What somebody may have meant who mistyped a word.

#ifndef FOLDLOG_CLI_NEAREST_H_
#define FOLDLOG_CLI_NEAREST_H_

#include <string>
#include <string_view>
#include <vector>

namespace foldlog::cli {

// Those of `known` that `word` may stand for, the nearest first, at most three: that it begins, or that differ from it
// in few letters (put in, left out, changed, or two neighbours swapped). Pure.
std::vector<std::string> Nearest(std::string_view word, const std::vector<std::string>& known);

// The same as the end of a sentence: "; did you mean status or start?" Empty if there are none.
std::string DidYouMean(std::string_view word, const std::vector<std::string>& known);

}  // namespace foldlog::cli

#endif  // FOLDLOG_CLI_NEAREST_H_
