// What people are shown, from plain values.

#include "tools/cli/render_text.h"

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/render_support.h"
#include "tools/cli/event_summary.h"

namespace foldlog::cli {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

Lines Status(const LogView& view, const Moment& now) { return StatusText(view, {now}); }

TEST(RenderTextTest, StatusTellsHowFarAndHowLong) {
  EXPECT_THAT(Status(ViewOf(SomeOperation()), kStart + 20 * kSecond),
              ElementsAre("Operation      op-1 (incremental)",                                           //
                          "Status         in progress",                                                  //
                          "Progress       500 of 2,000 files (25.0 %), about 30.0 s left",               //
                          "Rate           50.0 files/s",                                                 //
                          "Last file      /photos/\\x1b[2J\\n.jpg",                                      //
                          "Started        2026-01-02 03:04:05 UTC, 20.0 s ago",                          //
                          "Updated        2026-01-02 03:04:15 UTC, 10.0 s ago",                          //
                          "At work        20.0 s",                                                       //
                          "Roots          /photos",                                                      //
                          "               /b\\xff",                                                      //
                          "Metadata       who = me",                                                     //
                          "Owner          foldlog, process 4711 on nas",                                 //
                          "Events         7",                                                            //
                          "Hash           0123456789abcdef, of the last event and so of all before it",  //
                          "Epoch          2",                                                            //
                          "Writer         foldlog, process 4711 on nas"));
}

TEST(RenderTextTest, StatusTellsWhatIsInTheTailAndWhatOpeningFound) {
  LogView view = ViewOf(SomeOperation());
  view.extent.durable_through = 6;
  view.extent.stored_through = 5;
  view.writer.recovery = {.events_from_tail = 1200, .frames_discarded = 1, .last_writer = OwnerFate::kProcessDied};
  const std::string text = Joined(Status(view, kStart));
  EXPECT_THAT(text, HasSubstr("Events         7, the last 2 in the tail, the last 1 not yet known to be durable\n"));
  EXPECT_THAT(text, HasSubstr("Recovery       the writer before: its process died, 1,200 events from the tail, "
                              "1 torn frames discarded\n"));
  view.writer.recovery = {.last_writer = OwnerFate::kClosedWithoutEnd};
  EXPECT_THAT(Joined(Status(view, kStart)), Not(HasSubstr("Recovery")));
}

TEST(RenderTextTest, StatusTellsWhereARestoredLogCameFrom) {
  LogView view = ViewOf(SomeOperation());
  EXPECT_THAT(Joined(Status(view, kStart)), Not(HasSubstr("Restored")));
  view.restoration = Restoration{.at = kStart, .source = "/b", .host = "nas", .end = {5, 10}};
  EXPECT_THAT(Joined(Status(view, kStart)), HasSubstr("UTC from /b on nas, up to event 5\n"));
  view.restoration->source = "";
  EXPECT_THAT(Joined(Status(view, kStart)), HasSubstr("UTC from a stream on nas"));
}

TEST(RenderTextTest, AnInterruptionSaysWhatProvesItAndWhatToDo) {
  const std::string died = Joined(Status(ViewOf(SomeOperation(), OwnerFate::kProcessDied, true), kStart));
  EXPECT_THAT(died, HasSubstr("in progress, but interrupted: its process died\n"));
  EXPECT_THAT(died, HasSubstr("Next           \"foldlog index\" or \"foldlog resume\" goes on with it\n"));
  EXPECT_THAT(died, Not(HasSubstr(" left")));
  const std::string unknown = Joined(Status(ViewOf(SomeOperation(), OwnerFate::kUnknown), kStart));
  EXPECT_THAT(unknown, HasSubstr("in progress; whether its owner is still at work can't be told from here\n"));
  EXPECT_THAT(unknown, HasSubstr("foldlog recover --force"));
  const std::string copied = Joined(Status(ViewOf(SomeOperation(), OwnerFate::kCopied), kStart));
  EXPECT_THAT(copied, HasSubstr("in progress; this log is a copy, and its owner may go on with the original\n"));
  EXPECT_THAT(copied, HasSubstr("foldlog recover --force"));
}

TEST(RenderTextTest, AnEndedOperationShowsItsOutcome) {
  Operation operation = SomeOperation();
  operation.status = OperationStatus::kFailed;
  operation.failure = "disk\x07 gone";
  operation.active_ns = 12'300'000'000;
  const std::string text = Joined(Status(ViewOf(operation), kStart));
  EXPECT_THAT(text, HasSubstr("Failure        disk\\x07 gone\n"));
  EXPECT_THAT(text, HasSubstr("took 12.3 s\n"));
}

TEST(RenderTextTest, TimeAtWorkIsToldApartFromPausesUnlessTheClockWasSet) {
  Operation operation = SomeOperation();
  operation.status = OperationStatus::kCompleted;
  operation.completed_at = kStart + 36'000 * kSecond;
  EXPECT_THAT(Joined(Status(ViewOf(operation), kStart)), HasSubstr(", took 10.0 s at work, in 10 h 0 min\n"));
  operation.clock_steps = 1;
  EXPECT_THAT(Joined(Status(ViewOf(operation), kStart)), HasSubstr(", took 10.0 s\n"));
  operation.clock_steps = 0;
  operation.completed_at = kStart - 36'000 * kSecond;
  EXPECT_THAT(Joined(Status(ViewOf(operation), kStart)), HasSubstr(", took 10.0 s\n"));
}

TEST(RenderTextTest, NothingIsUpdatedInTheFutureWhenTheClockIsSetBack) {
  Operation operation = SomeOperation();
  operation.clock_steps = 1;
  LogView view = ViewOf(operation);
  view.state.seen = {operation.updated_at, {.at = kStart, .id = 1}};
  const Moment now{operation.updated_at - 3600 * kSecond + 5 * kSecond, {.at = kStart - 3600 * kSecond, .id = 1}};
  const std::string text = Joined(Status(view, now));
  EXPECT_THAT(text, HasSubstr("Updated        2026-01-02 03:04:15 UTC, 5.0 s ago\n"));
  EXPECT_THAT(text, HasSubstr("Started        2026-01-02 03:04:05 UTC\n"));
}

TEST(RenderTextTest, TimeLeftIsAtTheRecentRate) {
  Operation operation = SomeOperation();
  operation.recent_from = {.files = 490, .active_ns = 5 * kSecond};
  EXPECT_THAT(Joined(Status(ViewOf(operation), kStart)),
              AllOf(HasSubstr("(25.0 %), about 12 min 30 s left\n"),
                    HasSubstr("Rate           2.0 files/s in the last minute, 50.0 over all\n")));
  EXPECT_THAT(Joined(Status(ViewOf(operation, OwnerFate::kProcessDied, true), kStart)),
              HasSubstr("(25.0 %)\nRate           50.0 files/s\n"))
      << "of what does not run, the mean";
}

TEST(RenderTextTest, TimesAreInTheZoneThatIsAskedFor) {
  Operation operation = SomeOperation();
  operation.status = OperationStatus::kPaused;
  operation.last_progress_at = operation.updated_at - kSecond;
  const Look look{.zone = absl::FixedTimeZone(-19'800)};
  const std::string text = Joined(StatusText(ViewOf(operation), {kStart + 20 * kSecond, look}));
  EXPECT_THAT(text, HasSubstr("Started        2026-01-01 21:34:05 -05:30, 20.0 s ago\n"));
  EXPECT_THAT(text, HasSubstr("Last progress  2026-01-01 21:34:14 -05:30, 11.0 s ago\n"));
  EXPECT_THAT(text, HasSubstr("Updated        2026-01-01 21:34:15 -05:30, 10.0 s ago\n"));
}

TEST(RenderTextTest, StallingIsToldAfterTheTimeThatWasAskedFor) {
  const LogView view = ViewOf(SomeOperation());
  const Showing later{kStart + 70 * kSecond};
  EXPECT_THAT(Joined(StatusText(view, later, 59 * kSecond)), HasSubstr("Stalled        no progress for 1 min 0 s\n"));
  EXPECT_THAT(Joined(StatusText(view, later, 60 * kSecond)), Not(HasSubstr("Stalled")));
  EXPECT_THAT(Joined(StatusText(view, later)), Not(HasSubstr("Stalled")));
}

TEST(RenderTextTest, WhatFailedOrWasInterruptedStandsOut) {
  const auto tones = [](const Lines& lines) {
    std::vector<std::string> parts;
    for (const StyledLine& line : lines) {
      for (const Tint& tint : line.tints) {
        parts.push_back((tint.tone == Tone::kBad ? "bad: " : "warning: ") + line.text.substr(tint.begin, tint.size));
      }
    }
    return parts;
  };
  Operation operation = SomeOperation();
  EXPECT_THAT(tones(Status(ViewOf(operation), kStart)), ElementsAre());
  EXPECT_THAT(tones(Status(ViewOf(operation, OwnerFate::kProcessDied, true), kStart)),
              ElementsAre("warning: in progress, but interrupted: its process died"));
  operation.status = OperationStatus::kFailed;
  EXPECT_THAT(tones(Status(ViewOf(operation), kStart)), ElementsAre("bad: failed"));
}

TEST(RenderTextTest, MoreFilesThanExpectedAreNoShare) {
  Operation operation = SomeOperation();
  operation.files_processed = 3;
  operation.total_files = 2;
  EXPECT_THAT(Joined(Status(ViewOf(operation), kStart)),
              HasSubstr("Progress       3 files, more than the 2 expected\nRate           0.3 files/s\n"));
}

TEST(RenderTextTest, FailureCountsAmongTheErrors) {
  Operation operation = SomeOperation();
  operation.status = OperationStatus::kFailed;
  operation.error_count = 4;
  EXPECT_THAT(Joined(Status(ViewOf(operation), kStart)), HasSubstr("Errors         4\n"));
}

TEST(RenderTextTest, OperationTellsHowOftenTheClockWasSet) {
  Operation operation = SomeOperation();
  operation.clock_steps = 2;
  operation.clock_step_sequence = 5;
  operation.clock_step_ns = 1'500'000'000;
  EXPECT_THAT(Joined(Status(ViewOf(operation), kStart)),
              HasSubstr("Clock          was set forward by 1.5 s before event 5, the last of 2 times\n"));
}

TEST(RenderTextTest, ShowListsMilestonesAndFileErrors) {
  EventSummary summary;
  summary.counts = {0, 0, 30};
  for (int i = 0; i < 30; ++i) {
    summary.milestones.push_back(
        {.event = {.sequence = static_cast<Sequence>(i + 1), .hash = 0, .event = {kStart, 1, Paused{"p"}}}});
  }
  const Lines lines = ShowText({.entry = {SomeOperation(), 9}}, LogView(), summary, {kStart});
  EXPECT_THAT(lines, Contains("Status         reset by event 9 before it had ended"));
  EXPECT_THAT(lines, Contains("Events         1 to 9: 30 paused"));
  EXPECT_THAT(lines, Contains("      30  2026-01-02 03:04:05.123Z  paused     p"));
}

}  // namespace
}  // namespace foldlog::cli
