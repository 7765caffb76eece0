// Arguments and results of an engine's commands: plain values, which copy and are tied to no thread.
//
//   const StartRequest request{.type = OperationType::kInitial, .total_files = 1000, .roots = {"/photos"}};
//   ASSIGN_OR_RETURN(const OperationHandle handle, engine->Start(request));
//   const Increment done{.files_added = 10, .last_processed_file = "img_0010.jpg"};
//   RETURN_IF_ERROR(engine->Advance(handle, done).status());

#ifndef FOLDLOG_COMMAND_H_
#define FOLDLOG_COMMAND_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "foldlog/event.h"

namespace foldlog {

// The right to write about one operation, until another process or call resumes, recovers or resets it: then the epoch
// is stale, and commands with this handle are Aborted. A handle may be copied, stored and given to another thread or
// program.
struct OperationHandle {
  // The operation that the handle is for.
  std::string operation_id = {};
  // The fencing epoch under which the handle was given out.
  Epoch epoch = 0;
  bool operator==(const OperationHandle&) const = default;
};

// What an operation is about, as given at its start and kept in its first event.
struct StartRequest {
  OperationType type = OperationType::kInitial;
  // The number of files to expect, if known; for progress shown to people.
  std::optional<std::int64_t> total_files = {};
  // The directories to be indexed, for the auditor. The engine does not read them.
  std::vector<std::string> roots = {};
  // Any pairs that the caller wants to find again in the log.
  Metadata metadata = {};
};

// Progress to be added to the present count, for threads that count side by side. By default, one more file is done.
struct Increment {
  // 0 adds no files, and records only the fields below.
  std::int64_t files_added = 1;
  // As in Checkpoint: absent fields stay as they are.
  std::optional<std::string> current_path = {};
  std::optional<std::string> last_processed_file = {};
  std::optional<std::int64_t> batch_num = {};
  std::optional<FileError> error = {};
  bool operator==(const Increment&) const = default;
};

// What a checkpoint does that counts fewer files than the operation has already.
enum class Decrease {
  kIgnored,  // the count stays, the rest is recorded: the thread was overtaken, or gave no count
  kRefused,  // the call fails with InvalidArgument
  kAllowed,  // the count goes back: the caller is about to do files anew
};

// What a command is given of its caller's instead of what EngineOptions say: by callers who must not be called back
// while the engine is locked, and who share one engine with others.
struct CommandContext {
  std::optional<Moment> now = {};
  std::optional<std::string> new_id = {};  // for Start() and Import()
};

}  // namespace foldlog

#endif  // FOLDLOG_COMMAND_H_
