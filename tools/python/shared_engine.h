// SharedEngine: the one engine that all managers of this process have on one log, as many connections share a database.
//
// A log has one writer, so two managers on one path cannot each have an engine. Acquire() finds the engine of a log
// that is open already, by the identity of its directory and not by its name; the last Release() closes it.
//
// Nothing here knows Python, and nothing here calls back: whoever holds the registry's lock or an engine's never waits
// for the interpreter. So callers let go of the interpreter lock first, and nothing can deadlock.

#ifndef FOLDLOG_PYTHON_SHARED_ENGINE_H_
#define FOLDLOG_PYTHON_SHARED_ENGINE_H_

#include <sys/types.h>

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/base/file_system.h"
#include "engine/base/fork_guard.h"
#include "engine/projection/mirror_follower.h"
#include "foldlog/engine.h"
#include "tools/python/log_source.h"

namespace foldlog::python {

class SharedEngine final : public LogSource {
 public:
  // Opens or creates the log in `directory`, or joins those who have it open in this process.
  static absl::StatusOr<std::shared_ptr<SharedEngine>> Acquire(const std::string& directory);

  // Keeps the table indexing_state of an SQLite file equal to the row from now on, from a thread of its own, until the
  // log is closed. A file that is mirrored already is mirrored once.
  absl::Status Mirror(const std::string& sqlite_file);

  // One user fewer. The last one closes the log; before, everything recorded is made durable. The object stays, for
  // calls that are still under way: they are refused.
  absl::Status Release();

  // Closes the engines of this process whatever their users think, when the program ends. True if all closed well.
  static bool CloseAll();

  absl::Status CheckProcess() const override { return process_.Check(directory_); }
  const EventLog& log() const override { return engine_->log(); }
  absl::StatusOr<State> state() override { return engine_->state(); }
  const std::string& directory() const override { return absolute_; }
  std::map<std::string, absl::Status> MirrorStatus() const override;
  bool closed() const override { return closed_; }

  Engine& engine() { return *engine_; }

 private:
  struct Registry;
  using Key = std::pair<dev_t, ino_t>;

  SharedEngine(std::string directory, std::unique_ptr<Engine> engine)
      : directory_(std::move(directory)), engine_(std::move(engine)) {}

  absl::Status Close();

  const std::string directory_;
  const std::string absolute_ = Absolute(directory_);
  const std::unique_ptr<Engine> engine_;
  const ForkGuard process_;
  FileDescriptor pinned_;  // of the directory: keeps its inode, and so the key, from being given to another one
  Key key_ = {};
  int users_ = 0;
  std::atomic<bool> closed_ = false;
  std::map<std::string, std::unique_ptr<MirrorFollower>> mirrors_;  // destroyed before the engine, which they read
};

// The system's clocks.
Moment SystemNow();

}  // namespace foldlog::python

#endif  // FOLDLOG_PYTHON_SHARED_ENGINE_H_
