// ReadOnlyLog: a log that another process may be writing, or nobody.
//
// Any number of them, in any process; none keeps a writer from anything.

#ifndef FOLDLOG_PYTHON_READ_ONLY_LOG_H_
#define FOLDLOG_PYTHON_READ_ONLY_LOG_H_

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "engine/base/fork_guard.h"
#include "foldlog/replayer.h"
#include "tools/python/log_source.h"

namespace foldlog::python {

class ReadOnlyLog final : public LogSource {
 public:
  // The log must exist.
  static absl::StatusOr<std::shared_ptr<ReadOnlyLog>> Open(const std::string& directory);

  absl::Status CheckProcess() const override { return process_.Check(directory_); }
  const EventLog& log() const override { return *log_; }
  absl::StatusOr<State> state() override;
  const std::string& directory() const override { return absolute_; }
  bool closed() const override { return closed_; }

  // Lets go of the log and wakes who follows it. Calls that are under way are refused; the object stays for them.
  absl::Status Close();

 private:
  ReadOnlyLog(std::string directory, std::unique_ptr<EventLog> log)
      : directory_(std::move(directory)), log_(std::move(log)) {}

  absl::StatusOr<State> FoldOn();

  const ForkGuard process_;
  const std::string directory_;
  const std::string absolute_ = Absolute(directory_);
  const std::unique_ptr<EventLog> log_;
  std::atomic<bool> closed_ = false;
  std::mutex mutex_;                       // of replayer_
  std::optional<Replayer> replayer_ = {};  // where the state was asked for last
};

}  // namespace foldlog::python

#endif  // FOLDLOG_PYTHON_READ_ONLY_LOG_H_
