#include "engine/projection/mirror_follower.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"

namespace foldlog {
namespace {

// Soon enough for a person who watches, long enough that a burst of checkpoints is one transaction.
constexpr std::chrono::milliseconds kPauseMin(20);

// A pause is at least so many times as long as the last change took: a row with a million errors must not be written
// all the time.
constexpr int kPauseFactor = 10;

// While nothing happens, the pauses grow up to this.
constexpr std::chrono::milliseconds kPauseIdleMax(160);

constexpr std::chrono::milliseconds kRetryInterval(1000);

// How long a change waits for a lock, which another program may hold for ever. The last change waits longer, because it
// is not tried again.
constexpr std::chrono::milliseconds kPatience(250);
constexpr std::chrono::milliseconds kLastPatience(1000);

// A user that never takes the news must not make them pile up.
constexpr std::size_t kNewsMax = 16;

constexpr const char* kMakesUp = "; \"foldlog project --sqlite FILE\" makes up for what it missed";

// Errors that may pass without anybody doing anything about the mirror.
bool MayPass(const absl::Status& status) { return absl::IsUnavailable(status) || absl::IsResourceExhausted(status); }

}  // namespace

MirrorFollower::MirrorFollower(std::unique_ptr<SqliteMirror> mirror) : mirror_(std::move(mirror)), pause_(kPauseMin) {}

MirrorFollower::~MirrorFollower() { Stop().IgnoreError(); }

absl::StatusOr<std::unique_ptr<MirrorFollower>> MirrorFollower::Start(const std::string& path, const EventLog& log) {
  ASSIGN_OR_RETURN(std::unique_ptr<SqliteMirror> mirror, SqliteMirror::Open(path, log));
  mirror->WaitForLocks(kPatience);
  std::unique_ptr<MirrorFollower> follower(new MirrorFollower(std::move(mirror)));
  // By the caller's thread, so that a file which can never be the mirror is refused at once.
  const absl::Status first = follower->Attempt();
  if (!first.ok() && !MayPass(first)) return first;
  follower->Tell(first);
  RETURN_IF_ERROR(follower->thread_.Start("foldlog mirror", [f = follower.get()] { f->Run(); }));
  return follower;
}

absl::Status MirrorFollower::status() const {
  const std::lock_guard lock(mutex_);
  return status_;
}

bool MirrorFollower::ended() const {
  const std::lock_guard lock(mutex_);
  return ended_;
}

std::vector<std::string> MirrorFollower::TakeNews() {
  const std::lock_guard lock(mutex_);
  const std::deque<std::string> news = std::exchange(news_, {});
  return {news.begin(), news.end()};
}

absl::Status MirrorFollower::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.Join();
  return status();
}

// Without mutex_, except to set ended_: status() and TakeNews() must not wait for SQLite.
absl::Status MirrorFollower::Attempt() {
  if (const absl::Status read = mirror_->ReadOn(); !read.ok()) {
    pause_ = kRetryInterval;
    const std::lock_guard lock(mutex_);
    ended_ = !MayPass(read);
    return read;
  }
  const absl::StatusOr<bool> changed = mirror_->Show();
  pause_ = !changed.ok() ? kRetryInterval
           : *changed    ? std::max(kPauseMin, kPauseFactor * mirror_->took())
                         : std::min(2 * pause_, std::max(pause_, kPauseIdleMax));
  return changed.status();
}

// Adds what has changed since the last attempt: the same error is reported once.
void MirrorFollower::Tell(const absl::Status& status) {
  const auto add = [this](std::string text) {
    if (news_.size() == kNewsMax) news_.pop_front();
    news_.push_back(std::move(text));
  };
  const std::lock_guard lock(mutex_);
  const absl::Status before = std::exchange(status_, status);
  if (status.ok() && std::exchange(replaced_, mirror_->replaced()) != mirror_->replaced()) {
    add(absl::StrCat(mirror_->name(), " had been renamed, deleted or replaced; the file there is the mirror now"));
  }
  if (ended_ || status == before) return;
  if (!status.ok()) return add(absl::StrCat(status.message(), "; it is tried again every second"));
  add(absl::StrCat(mirror_->name(), " is up to date again"));
}

// The thread. After the request to stop it makes one more attempt, which shows what was appended before the request.
void MirrorFollower::Run() {
  bool last = false;
  while (!last && !ended()) {
    {
      std::unique_lock lock(mutex_);
      wake_.wait_for(lock, pause_, [this] { return stopping_; });
      last = stopping_;
    }
    if (last) mirror_->WaitForLocks(kLastPatience);
    const absl::Status status = Attempt();
    if (!last) {
      Tell(status);
      continue;
    }
    const std::lock_guard lock(mutex_);
    status_ = status.ok() || ended_ ? status : absl::Status(status.code(), absl::StrCat(status.message(), kMakesUp));
  }
}

}  // namespace foldlog
