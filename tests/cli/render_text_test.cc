// What people are shown, from plain values.

#include "tools/cli/render_text.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/render_support.h"
#include "tools/cli/event_summary.h"
#include "tools/cli/printable.h"

namespace foldlog::cli {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;

TEST(RenderTextTest, StatusTellsHowFarAndHowLong) {
  EXPECT_THAT(StatusText(ViewOf(SomeOperation()), kStart + 20 * kSecond),
              ElementsAre("Operation      op-1 (incremental)",                                            //
                          "Status         in progress",                                                   //
                          "Progress       500 of 2,000 files (25.0 %), 50.0 files/s, about 30.0 s left",  //
                          "Last file      /photos/\\x1b[2J\\n.jpg",                                       //
                          "Started        2026-01-02 03:04:05 UTC, 20.0 s ago",                           //
                          "Updated        2026-01-02 03:04:15 UTC, 10.0 s ago",                           //
                          "At work        20.0 s",                                                        //
                          "Roots          /photos",                                                       //
                          "               /b\\xff",                                                       //
                          "Metadata       who = me",                                                      //
                          "Owner          foldlog, process 4711 on nas",                                  //
                          "Events         7",                                                             //
                          "Hash           0123456789abcdef, of the last event and so of all before it",   //
                          "Epoch          2",                                                             //
                          "Writer         foldlog, process 4711 on nas"));
}

TEST(RenderTextTest, StatusTellsWhatIsInTheTailAndWhatOpeningFound) {
  LogView view = ViewOf(SomeOperation());
  view.extent.durable_through = 6;
  view.extent.stored_through = 5;
  view.writer.recovery = {.events_from_tail = 1200, .frames_discarded = 1, .last_writer = OwnerFate::kProcessDied};
  const std::string text = Joined(StatusText(view, kStart));
  EXPECT_THAT(text, HasSubstr("Events         7, the last 2 in the tail, the last 1 not yet known to be durable\n"));
  EXPECT_THAT(text, HasSubstr("Recovery       the writer before: its process died, 1,200 events from the tail, "
                              "1 torn frames discarded\n"));
  view.writer.recovery = {.last_writer = OwnerFate::kClosedWithoutEnd};
  EXPECT_THAT(Joined(StatusText(view, kStart)), Not(HasSubstr("Recovery")));
}

TEST(RenderTextTest, AnInterruptionSaysWhatProvesItAndWhatToDo) {
  const std::string died = Joined(StatusText(ViewOf(SomeOperation(), OwnerFate::kProcessDied, true), kStart));
  EXPECT_THAT(died, HasSubstr("in progress, but interrupted: its process died\n"));
  EXPECT_THAT(died, HasSubstr("Next           \"foldlog index\" or \"foldlog resume\" goes on with it\n"));
  EXPECT_THAT(died, Not(HasSubstr(" left")));
  const std::string unknown = Joined(StatusText(ViewOf(SomeOperation(), OwnerFate::kUnknown), kStart));
  EXPECT_THAT(unknown, HasSubstr("in progress; whether its owner is still at work can't be told from here\n"));
  EXPECT_THAT(unknown, HasSubstr("foldlog recover --force"));
  const std::string copied = Joined(StatusText(ViewOf(SomeOperation(), OwnerFate::kCopied), kStart));
  EXPECT_THAT(copied, HasSubstr("in progress; this log is a copy, and its owner may go on with the original\n"));
  EXPECT_THAT(copied, HasSubstr("foldlog recover --force"));
}

TEST(RenderTextTest, AnEndedOperationShowsItsOutcome) {
  Operation operation = SomeOperation();
  operation.status = OperationStatus::kFailed;
  operation.failure = "disk\x07 gone";
  operation.active_ns = 12'300'000'000;
  const std::string text = Joined(StatusText(ViewOf(operation), kStart));
  EXPECT_THAT(text, HasSubstr("Failure        disk\\x07 gone\n"));
  EXPECT_THAT(text, HasSubstr("took 12.3 s\n"));
}

TEST(RenderTextTest, TimeAtWorkIsToldApartFromPausesUnlessTheClockWasSet) {
  Operation operation = SomeOperation();
  operation.status = OperationStatus::kCompleted;
  operation.completed_at = kStart + 36'000 * kSecond;
  EXPECT_THAT(Joined(StatusText(ViewOf(operation), kStart)), HasSubstr(", took 10.0 s at work, in 10 h 0 min\n"));
  operation.clock_steps = 1;
  EXPECT_THAT(Joined(StatusText(ViewOf(operation), kStart)), HasSubstr(", took 10.0 s\n"));
  operation.clock_steps = 0;
  operation.completed_at = kStart - 36'000 * kSecond;
  EXPECT_THAT(Joined(StatusText(ViewOf(operation), kStart)), HasSubstr(", took 10.0 s\n"));
}

TEST(RenderTextTest, NothingIsUpdatedInTheFutureWhenTheClockIsSetBack) {
  Operation operation = SomeOperation();
  operation.clock_steps = 1;
  LogView view = ViewOf(operation);
  view.state.seen = {operation.updated_at, {.at = kStart, .id = 1}};
  const Moment now{operation.updated_at - 3600 * kSecond + 5 * kSecond, {.at = kStart - 3600 * kSecond, .id = 1}};
  const std::string text = Joined(StatusText(view, now));
  EXPECT_THAT(text, HasSubstr("Updated        2026-01-02 03:04:15 UTC, 5.0 s ago\n"));
  EXPECT_THAT(text, HasSubstr("Started        2026-01-02 03:04:05 UTC\n"));
}

TEST(RenderTextTest, TimeLeftIsAtTheRecentRate) {
  Operation operation = SomeOperation();
  operation.recent_from = {.files = 490, .active_ns = 5 * kSecond};
  EXPECT_THAT(Joined(StatusText(ViewOf(operation), kStart)), HasSubstr("2.0 files/s, about 12 min 30 s left\n"));
  EXPECT_THAT(Joined(StatusText(ViewOf(operation, OwnerFate::kProcessDied, true), kStart)),
              HasSubstr("(25.0 %), 50.0 files/s\n"))
      << "of what does not run, the mean";
}

TEST(RenderTextTest, MoreFilesThanExpectedAreNoShare) {
  Operation operation = SomeOperation();
  operation.files_processed = 3;
  operation.total_files = 2;
  EXPECT_THAT(Joined(StatusText(ViewOf(operation), kStart)),
              HasSubstr("Progress       3 files, more than the 2 expected, 0.3 files/s\n"));
}

TEST(RenderTextTest, AnEmptyHistorySaysSo) {
  EXPECT_THAT(HistoryText({}, LogView()), ElementsAre("No operation so far."));
}

TEST(RenderTextTest, HistoryIsATableWithTheNewestLast) {
  Operation first = SomeOperation();
  first.status = OperationStatus::kCompleted;
  first.active_ns = 12 * kSecond;
  Operation second = SomeOperation();
  second.operation_id = "operation-2";
  second.first_sequence = 8;
  second.total_files.reset();
  const LogView view = ViewOf(second, OwnerFate::kProcessDied, true);
  EXPECT_THAT(
      HistoryText({{first, std::nullopt}, {first, 5}, {second, std::nullopt}}, view),
      ElementsAre(
          "OPERATION    TYPE         STATUS       STARTED (UTC)          TOOK         FILES  ERRORS  INTERRUPTIONS",
          "op-1         incremental  completed    2026-01-02 03:04:05  12.0 s  500 of 2,000       0              0",
          "op-1         incremental  reset        2026-01-02 03:04:05  12.0 s  500 of 2,000       0              0",
          "operation-2  incremental  interrupted  2026-01-02 03:04:05  10.0 s           500       0              0"));
}

TEST(RenderTextTest, HistoryFitsIntoTheTerminalAndMayBeWithoutItsHeading) {
  Operation operation = SomeOperation();
  operation.operation_id =
      "\u6570\u636e\u6570\u636e\u6570\u636e\u6570\u636e\u0301 \U0001f600\u202e" + std::string(60, 'x');
  for (const std::size_t columns : {100u, 110u, 132u}) {
    const Lines lines = HistoryText({{operation, std::nullopt}}, LogView(), {.columns_max = columns});
    ASSERT_EQ(lines.size(), 2u);
    for (const std::string& line : lines) EXPECT_LE(Width(line), columns) << line;
    EXPECT_EQ(Width(lines[0]), Width(lines[1])) << "columns are below each other";
  }
  EXPECT_EQ(HistoryText({{operation, std::nullopt}}, LogView(), {.heading = false}).size(), 1u);
}

TEST(RenderTextTest, ErrorWithoutATextShowsItsDetails) {
  const Checkpoint checkpoint{.files_processed = 1, .error = FileError{.details = R"({"errno": 5})"}};
  EXPECT_THAT(EventText({.event = {.sequence = 1, .hash = 0, .event = {0, 1, checkpoint}}}),
              EndsWith(R"(1 files, error: {"errno": 5})"));
}

TEST(RenderTextTest, AnEventIsOneLine) {
  const auto text = [](EventBody body) {
    return EventText({.event = {.sequence = 12, .hash = 0, .event = {kStart, 2, body}}});
  };
  EXPECT_EQ(text(Checkpoint{.files_processed = 1500,
                            .current_path = {},
                            .last_processed_file = "/a\nb",
                            .batch_num = 3,
                            .error = FileError{.path = "/c", .message = "no\tentry"}}),
            "      12  2026-01-02 03:04:05.123Z  checkpoint 1,500 files, batch 3, last /a\\nb, error: /c: no\\tentry");
  EXPECT_EQ(
      text(Imported{.operation_id = "op-1",
                    .status = OperationStatus::kFailed,
                    .files_processed = 1500,
                    .started_at = kStart,
                    .failure = "disk",
                    .errors = {{}, {}},
                    .owner = SomeOwner(),
                    .source = "state.db"}),
      "      12  2026-01-02 03:04:05.123Z  imported   op-1, initial, failed, 1,500 files, 2 errors, failure: disk, "
      "started 2026-01-02 03:04:05 UTC, from state.db, by foldlog, process 4711 on nas");
  EXPECT_EQ(text(Cleared{}), "      12  2026-01-02 03:04:05.123Z  cleared");
  EXPECT_EQ(text(Recovered{Evidence::kProcessDied, "", SomeOwner()}),
            "      12  2026-01-02 03:04:05.123Z  recovered  process died, by foldlog, process 4711 on nas");
  EXPECT_EQ(text(Completed{{{"bytes", std::int64_t{12345}}, {"mean", 0.25}}}),
            "      12  2026-01-02 03:04:05.123Z  completed  bytes = 12,345, mean = 0.25");
}

TEST(RenderTextTest, FailureIsNoneOfTheFilesErrors) {
  Operation operation = SomeOperation();
  operation.status = OperationStatus::kFailed;
  operation.error_count = 4;
  EXPECT_THAT(Joined(StatusText(ViewOf(operation), kStart)), HasSubstr("Errors         3\n"));
}

TEST(RenderTextTest, EventTellsThatTheClockWasSet) {
  const ShownEvent shown{.event = {.sequence = 3, .hash = 0xab, .event = {kStart, 2, Cleared{}}},
                         .notes = {.clock_step_ns = -3600 * kSecond, .with_hash = true}};
  EXPECT_EQ(
      EventText(shown),
      "       3  2026-01-02 03:04:05.123Z  00000000000000ab  cleared (the clock was set back by 1 h 0 min before)");
}

TEST(RenderTextTest, OperationTellsHowOftenTheClockWasSet) {
  Operation operation = SomeOperation();
  operation.clock_steps = 2;
  operation.clock_step_sequence = 5;
  operation.clock_step_ns = 1'500'000'000;
  EXPECT_THAT(Joined(StatusText(ViewOf(operation), kStart)),
              HasSubstr("Clock          was set forward by 1.5 s before event 5, the last of 2 times\n"));
}

TEST(RenderTextTest, ShowListsMilestonesAndFileErrors) {
  EventSummary summary;
  for (int i = 0; i < 30; ++i) {
    Summarise({.event = {.sequence = static_cast<Sequence>(i + 1), .hash = 0, .event = {kStart, 1, Paused{"p"}}}},
              summary);
  }
  EXPECT_EQ(summary.milestones.size(), kSummaryEventsMax);
  const Lines lines = ShowText({SomeOperation(), 9}, LogView(), summary, kStart);
  EXPECT_THAT(lines, Contains("Status         reset by event 9 before it had ended"));
  EXPECT_THAT(lines, Contains("Events         1 to 7: 30 paused"));
  EXPECT_THAT(lines, Contains("      30  2026-01-02 03:04:05.123Z  paused     p"));
}

}  // namespace
}  // namespace foldlog::cli
