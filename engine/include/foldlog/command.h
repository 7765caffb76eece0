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

}  // namespace foldlog

#endif  // FOLDLOG_COMMAND_H_
