// Stories, groups of errors and differences as text for people. Pure.

#ifndef FOLDLOG_CLI_STORY_TEXT_H_
#define FOLDLOG_CLI_STORY_TEXT_H_

#include <cstddef>
#include <string_view>

#include "foldlog/error_report.h"
#include "foldlog/operation_diff.h"
#include "foldlog/operation_story.h"
#include "tools/cli/layout.h"
#include "tools/cli/look.h"
#include "tools/cli/styled.h"

namespace foldlog::cli {

// How many steps a curve shows.
inline constexpr std::size_t kCurvePoints = 24;

// The rate as a curve, what held the operation up, and its errors by kind. What there is none of is left out.
Lines StoryText(const OperationStory& story, const Look& look, bool unicode);

// The groups as a table, each with its examples; at most `groups_max`, and what is left out. `heading` is that of the
// groups' names.
Lines ErrorGroupsText(const ErrorGroups& groups, std::string_view heading, std::size_t groups_max, const Look& look);

// Sums, and the groups by message and by directory.
Lines ErrorReportText(const ErrorReport& report, std::size_t groups_max, const Look& look);

Lines DiffText(const OperationDiff& diff, const Look& look, bool unicode);

}  // namespace foldlog::cli

#endif  // FOLDLOG_CLI_STORY_TEXT_H_
