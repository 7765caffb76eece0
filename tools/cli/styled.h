// Lines for people, with what stands out in them. Whether that becomes colour is the output's to decide (output.h).

#ifndef FOLDLOG_CLI_STYLED_H_
#define FOLDLOG_CLI_STYLED_H_

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace foldlog::cli {

enum class Tone : unsigned char {
  kPlain,
  kHeading,  // of a table
  kBad,      // failed, damaged
  kWarning,  // interrupted, stalled
};

// A part of a line, in bytes. It begins and ends between characters.
struct Tint {
  std::size_t begin = 0;
  std::size_t size = 0;
  Tone tone = Tone::kPlain;
  bool operator==(const Tint&) const = default;
};

struct StyledLine {
  // Implicit: most lines are plain.
  StyledLine(std::string line = {}) : text(std::move(line)) {}  // NOLINT(google-explicit-constructor)
  StyledLine(const char* line) : text(line) {}                  // NOLINT(google-explicit-constructor)

  std::string text;
  std::vector<Tint> tints;  // in order, and none over another

  // Whether they say the same, however it stands out.
  bool operator==(const StyledLine& other) const { return text == other.text; }
};

using Lines = std::vector<StyledLine>;

}  // namespace foldlog::cli

#endif  // FOLDLOG_CLI_STYLED_H_
