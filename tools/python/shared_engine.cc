#include "tools/python/shared_engine.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cassert>
#include <cerrno>
#include <functional>
#include <map>
#include <mutex>
#include <utility>

#include "engine/base/status_macros.h"

namespace foldlog::python {
// The mutex is held while an engine is opened or closed, so that nobody meets a log half-way.
struct SharedEngine::Registry {
  std::mutex mutex;
  std::map<Key, std::shared_ptr<SharedEngine>> engines;

  // A child made by fork() starts with an empty one. The parent's is left alone there: it may be locked by a thread
  // that did not come along, and its engines are not the child's. Never destroyed, for managers may outlive everything
  // else.
  static Registry& Get() {
    static const bool watching_forks = pthread_atfork(nullptr, nullptr, [] { Current() = new Registry; }) == 0;
    assert(watching_forks);  // fails only without memory
    static_cast<void>(watching_forks);
    return *Current();
  }

 private:
  static Registry*& Current() {
    static auto* current = new Registry;
    return current;
  }
};

absl::StatusOr<std::shared_ptr<SharedEngine>> SharedEngine::Acquire(const std::string& directory) {
  Registry& registry = Registry::Get();
  const std::lock_guard lock(registry.mutex);
  struct stat info = {};
  if (stat(directory.c_str(), &info) == 0) {
    const auto found = registry.engines.find({info.st_dev, info.st_ino});
    if (found != registry.engines.end()) {
      ++found->second->users_;
      return found->second;
    }
  }
  ASSIGN_OR_RETURN(auto engine, Engine::Open(directory));
  std::shared_ptr<SharedEngine> shared(new SharedEngine(directory, std::move(engine)));
  shared->pinned_ = FileDescriptor(open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!shared->pinned_.valid() || fstat(shared->pinned_.get(), &info) != 0) {
    return ErrnoStatus(errno, "look at the log " + directory + ", which was just opened");
  }
  shared->key_ = {info.st_dev, info.st_ino};
  shared->users_ = 1;
  registry.engines.emplace(shared->key_, shared);
  return shared;
}

absl::Status SharedEngine::Mirror(const std::string& sqlite_file) {
  RETURN_IF_ERROR(CheckProcess());
  const std::lock_guard lock(Registry::Get().mutex);
  if (mirrors_.contains(sqlite_file)) return absl::OkStatus();
  ASSIGN_OR_RETURN(auto mirror, MirrorFollower::Start(sqlite_file, engine_->log()));
  mirrors_.emplace(sqlite_file, std::move(mirror));
  return absl::OkStatus();
}

std::map<std::string, absl::Status> SharedEngine::MirrorStatus() const {
  const std::lock_guard lock(Registry::Get().mutex);
  std::map<std::string, absl::Status> statuses;
  for (const auto& [file, mirror] : mirrors_) statuses.emplace(file, mirror->status());
  return statuses;
}

// The mirrors show the last event before the log goes. What is wrong with one of them is told after the log is safe.
absl::Status SharedEngine::Close() {
  closed_ = true;
  absl::Status mirrored;
  for (auto& [file, mirror] : mirrors_) mirrored.Update(mirror->Stop());
  mirrors_.clear();
  absl::Status status = engine_->Close();
  status.Update(mirrored);
  return status;
}

absl::Status SharedEngine::Release() {
  if (!process_.IsInside()) return absl::OkStatus();  // not the child's to close
  Registry& registry = Registry::Get();
  const std::lock_guard lock(registry.mutex);
  if (--users_ > 0) {
    const absl::Status flushed = engine_->Flush();
    return absl::IsFailedPrecondition(flushed) ? absl::OkStatus() : flushed;  // closed already, by CloseAll()
  }
  registry.engines.erase(key_);
  return Close();
}

bool SharedEngine::CloseAll() {
  Registry& registry = Registry::Get();
  const std::lock_guard lock(registry.mutex);
  bool well = true;
  for (auto& [key, shared] : std::exchange(registry.engines, {})) well &= shared->Close().ok();
  return well;
}

Moment SystemNow() {
  static thread_local const std::function<Moment()> clock = SystemClock();
  return clock();
}

}  // namespace foldlog::python
