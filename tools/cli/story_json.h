// Stories, groups of errors and differences as JSON for programs. Pure.

#ifndef FOLDLOG_CLI_STORY_JSON_H_
#define FOLDLOG_CLI_STORY_JSON_H_

#include <string>
#include <string_view>
#include <vector>

#include "foldlog/error_report.h"
#include "foldlog/operation_diff.h"
#include "foldlog/operation_story.h"
#include "replay/report/json_sink.h"

namespace foldlog::cli {

// The fields that a story adds to those of its operation.
void PutStory(report::JsonSink& json, const OperationStory& story);

// One object a line: each group, by "message" or "directory"; and, with a null name, what was left out, if anything.
std::vector<std::string> ErrorGroupLines(const ErrorGroups& groups, std::string_view by);

std::string DiffJson(const OperationDiff& diff);

// The same as ErrorGroupLines() in columns; examples are left out.
std::vector<std::string> ErrorGroupColumns();
std::vector<std::vector<std::string>> ErrorGroupCells(const ErrorGroups& groups, std::string_view by);

}  // namespace foldlog::cli

#endif  // FOLDLOG_CLI_STORY_JSON_H_
