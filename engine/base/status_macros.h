// Early return on error, for functions that return absl::Status or absl::StatusOr.
//
//   RETURN_IF_ERROR(Write(bytes));
//   ASSIGN_OR_RETURN(const std::size_t size, SizeOf(file));

#ifndef FOLDLOG_BASE_STATUS_MACROS_H_
#define FOLDLOG_BASE_STATUS_MACROS_H_

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#define FOLDLOG_CONCAT_INNER(a, b) a##b
#define FOLDLOG_CONCAT(a, b) FOLDLOG_CONCAT_INNER(a, b)

#define RETURN_IF_ERROR(expression)                                           \
  do {                                                                        \
    if (absl::Status status_of_macro = (expression); !status_of_macro.ok()) { \
      return status_of_macro;                                                 \
    }                                                                         \
  } while (false)

#define ASSIGN_OR_RETURN(target, expression) \
  ASSIGN_OR_RETURN_INNER(FOLDLOG_CONCAT(status_or_, __LINE__), target, expression)

#define ASSIGN_OR_RETURN_INNER(holder, target, expression) \
  auto holder = (expression);                              \
  if (!holder.ok()) return std::move(holder).status();     \
  target = *std::move(holder)

#endif  // FOLDLOG_BASE_STATUS_MACROS_H_
