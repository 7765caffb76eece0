#include "replay/backup/frame_source.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/codec/frame.h"
#include "engine/codec/frame_reader.h"

namespace foldlog::backup {
namespace {

constexpr std::size_t kRunBytes = std::size_t{4} << 20;

// So many runs wait for the writer at most.
constexpr std::size_t kRunsAhead = 2;

// What a writer moves meanwhile is found at another look.
constexpr int kLooksMax = 5;

}  // namespace

FrameSource::FrameSource(const EventLog& log, const ChainEnd& after, Sequence through)
    : log_(&log), through_(through), position_(after) {
  has_thread_ = thread_.Start("foldlog-copy", [this] { ReadAhead(); }).ok();
}

FrameSource::~FrameSource() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
}

absl::Status FrameSource::Next(FrameRun& run) {
  if (!has_thread_) return Read(run);
  std::unique_lock lock(mutex_);
  used_.push_back(std::move(run));
  changed_.wait(lock, [this] { return !ready_.empty() || !status_.ok(); });
  if (ready_.empty()) return status_;
  run = std::move(ready_.front());
  ready_.pop_front();
  changed_.notify_all();
  return absl::OkStatus();
}

// An empty run is the last, and is given once.
void FrameSource::ReadAhead() {
  for (bool more = true; more;) {
    FrameRun run;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return stop_ || ready_.size() < kRunsAhead; });
      if (stop_) return;
      if (!used_.empty()) {
        run = std::move(used_.front());
        used_.pop_front();
      }
    }
    absl::Status read = Read(run);
    more = read.ok() && !run.empty();
    const std::lock_guard lock(mutex_);
    if (read.ok()) ready_.push_back(std::move(run));
    status_ = std::move(read);
    changed_.notify_all();
  }
}

absl::Status FrameSource::Read(FrameRun& run) {
  for (int looks = 1;; ++looks) {
    RETURN_IF_ERROR(Try(run));
    if (!run.empty() || position_.sequence >= through_) break;
    FrameReader reader(*log_, position_);
    RETURN_IF_ERROR(reader.Peek().status());
    if (looks == kLooksMax) {
      return absl::UnavailableError(
          absl::StrCat("event ", position_.sequence + 1, " of ", log_->name(), " can't be found; try again"));
    }
  }
  position_ = run.after;
  return absl::OkStatus();
}

// As many frames as are in order. What comes behind them is looked at by the next call, which begins there.
absl::Status FrameSource::Try(FrameRun& run) const {
  std::size_t words = 0;
  if (position_.sequence < through_) {
    RETURN_IF_ERROR(log_->ReadInto(position_.sequence + 1, kRunBytes, run));
  }
  run.before = run.after = position_;
  while (run.after.sequence < through_) {
    const std::optional<FrameView> frame = FrameBehind(run.after, std::span(run.words).subspan(words));
    if (!frame) break;
    run.after = frame->end();
    words += frame->size_words();
  }
  run.words.resize(words);
  return absl::OkStatus();
}

}  // namespace foldlog::backup
