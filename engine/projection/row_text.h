// The parts of the single row that its projection and an import share. Pure.

#ifndef FOLDLOG_PROJECTION_ROW_TEXT_H_
#define FOLDLOG_PROJECTION_ROW_TEXT_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "foldlog/event.h"
#include "foldlog/state.h"

namespace foldlog {

// A time in whole seconds, cut towards zero.
std::int64_t WholeSeconds(TimeNs time);

// One entry of the list of errors.
std::string FileErrorJson(const FileError& error, TimeNs time);
std::string FailureJson(std::string_view failure, TimeNs time);

// Adds an entry for each error in `event` to a list of them.
void AppendErrors(const Event& event, std::string& entries);

// The row of an operation whose errors are `entries`.
SingleRow ComputedRow(const Operation& operation, const std::string& entries);

}  // namespace foldlog

#endif  // FOLDLOG_PROJECTION_ROW_TEXT_H_
