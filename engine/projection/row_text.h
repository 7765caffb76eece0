// The parts of the single row that its projection and an import share. Pure.

#ifndef FOLDLOG_PROJECTION_ROW_TEXT_H_
#define FOLDLOG_PROJECTION_ROW_TEXT_H_

#include <cstdint>
#include <optional>
#include <string>

#include "foldlog/event.h"
#include "foldlog/state.h"

namespace foldlog {

// A time in whole seconds, cut towards zero.
std::int64_t WholeSeconds(TimeNs time);

// One entry of the list of errors.
std::string FileErrorJson(const FileError& error, TimeNs time);
std::string FailureJson(const Failed& failure, TimeNs time);

// The entry for the error in `event`; nothing if it is an event without one.
std::optional<std::string> ErrorJson(const Event& event);

// Adds an entry to a list of them.
void AppendErrorJson(const std::string& entry, std::string& entries);

// The row of an operation whose errors are `entries`.
SingleRow ComputedRow(const Operation& operation, const std::string& entries);

}  // namespace foldlog

#endif  // FOLDLOG_PROJECTION_ROW_TEXT_H_
