// How far a walk through a log has come: a line on the terminal that renews itself; nothing elsewhere.

#ifndef FOLDLOG_CLI_SEARCH_PROGRESS_H_
#define FOLDLOG_CLI_SEARCH_PROGRESS_H_

#include <chrono>
#include <functional>
#include <string>

#include "foldlog/event_log.h"
#include "tools/cli/output.h"

namespace foldlog::cli {

// Draws nothing in the first half second: most questions are answered by then. `messages` must outlive it.
class SearchProgress {
 public:
  using Clock = std::function<std::chrono::steady_clock::time_point()>;

  // `end`: the last event there is. `shown`: whether a person looks at `messages`.
  SearchProgress(Sequence end, Output& messages, bool shown, Clock clock = std::chrono::steady_clock::now);
  SearchProgress(Sequence end, Output& messages);
  ~SearchProgress() { Clear(); }
  SearchProgress(const SearchProgress&) = delete;
  SearchProgress& operator=(const SearchProgress&) = delete;

  // The walk has come to this event.
  void At(Sequence sequence);

  // Takes the line off the terminal, for what is written there next.
  void Clear();

  // From the next Clear() on, nothing is drawn any more: a pager has the terminal then.
  void EndWhenCleared() { ends_when_cleared_ = true; }

 private:
  void Draw(const std::string& text);

  const Sequence end_;
  Output& messages_;
  bool shown_;
  const Clock clock_;
  bool ends_when_cleared_ = false;
  bool drawn_ = false;
  std::chrono::steady_clock::time_point drawn_at_;
};

}  // namespace foldlog::cli

#endif  // FOLDLOG_CLI_SEARCH_PROGRESS_H_
