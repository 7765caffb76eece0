#include "tools/cli/search_progress.h"

#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "tools/cli/time_format.h"

namespace foldlog::cli {
namespace {

constexpr std::chrono::milliseconds kQuietAtFirst{500};
constexpr std::chrono::milliseconds kRedrawInterval{200};

}  // namespace

SearchProgress::SearchProgress(Sequence end, Output& messages, bool shown, Clock clock)
    : end_(end),
      messages_(messages),
      shown_(shown),
      clock_(std::move(clock)),
      drawn_at_(clock_() + kQuietAtFirst - kRedrawInterval) {}

SearchProgress::SearchProgress(Sequence end, Output& messages)
    : SearchProgress(end, messages, messages.terminal_columns().has_value()) {}

void SearchProgress::At(Sequence sequence) {
  if (!shown_) return;
  const auto now = clock_();
  if (now - drawn_at_ < kRedrawInterval) return;
  drawn_at_ = now;
  const double percent = end_ == 0 ? 100 : 100 * static_cast<double>(sequence) / static_cast<double>(end_);
  Draw(absl::StrCat("event ", Grouped(sequence), " of ", Grouped(end_), ", ", OneDecimal(percent), " %"));
  drawn_ = true;
}

void SearchProgress::Clear() {
  if (std::exchange(drawn_, false)) Draw("");
  if (ends_when_cleared_) shown_ = false;
}

void SearchProgress::Draw(const std::string& text) {
  messages_.Raw("\r\033[K" + text);
  messages_.Flush().IgnoreError();  // nobody watches; the walk goes on
}

}  // namespace foldlog::cli
