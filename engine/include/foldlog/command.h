// What commands to an engine take and give. Plain values.

#ifndef FOLDLOG_COMMAND_H_
#define FOLDLOG_COMMAND_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "foldlog/event.h"

namespace foldlog {

// The right to write about one operation, until somebody resumes, recovers or resets it. Copies freely.
struct OperationHandle {
  std::string operation_id = {};
  Epoch epoch = 0;
  bool operator==(const OperationHandle&) const = default;
};

struct StartRequest {
  OperationType type = OperationType::kInitial;
  std::optional<std::int64_t> total_files = {};  // if known
  std::vector<std::string> roots = {};           // what is indexed, for the auditor
  Metadata metadata = {};                        // free
};

// Progress that is added to what there is, for workers who count side by side.
struct Increment {
  std::int64_t files_added = 1;                  // 0: none, only what stands below
  std::optional<std::string> current_path = {};  // as in Checkpoint: absent means unchanged
  std::optional<std::string> last_processed_file = {};
  std::optional<std::int64_t> batch_num = {};
  std::optional<FileError> error = {};
  bool operator==(const Increment&) const = default;
};

// What becomes of a checkpoint that counts fewer files than there are already.
enum class Decrease {
  kIgnored,  // the count stays as it is, and the rest is recorded: a thread was overtaken, or gave no count at all
  kRefused,  // so that the caller is told
  kAllowed,  // progress goes back: the caller knows that files are to be done anew
};

}  // namespace foldlog

#endif  // FOLDLOG_COMMAND_H_
