// What the foldlog program shows, from plain values: JSON for programs, text for people.

#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <fstream>
#include <sstream>
#include <string>

#include "engine/json/writer.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tools/cli/index_progress.h"
#include "tools/cli/index_report.h"
#include "tools/cli/log_view.h"
#include "tools/cli/output.h"
#include "tools/cli/printable.h"
#include "tools/cli/render_json.h"
#include "tools/cli/render_text.h"

namespace foldlog::cli {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr TimeNs kStart = 1767323045123456789;  // 2026-01-02T03:04:05.123456789Z
constexpr TimeNs kSecond = 1'000'000'000;

Owner SomeOwner() {
  return {.instance = "i",
          .machine_id = "m",
          .boot_id = "b",
          .pid_namespace = 4,
          .pid = 4711,
          .start_ticks = 9,
          .holds_log = true,
          .program = "foldlog",
          .host = "nas"};
}

Operation SomeOperation() {
  Operation operation;
  operation.operation_id = "op-1";
  operation.type = OperationType::kIncremental;
  operation.epoch = 2;
  operation.owner = SomeOwner();
  operation.roots = {"/photos", "/b\xff"};
  operation.metadata = {{"who", "me"}};
  operation.total_files = 2000;
  operation.files_processed = 500;
  operation.last_processed_file = "/photos/\x1b[2J\n.jpg";
  operation.rate = 1.0;
  operation.active_ns = 10 * kSecond;
  operation.started_at = kStart;
  operation.updated_at = kStart + 10 * kSecond;
  operation.first_sequence = 1;
  operation.last_sequence = 7;
  operation.checkpoints = 5;
  return operation;
}

LogView ViewOf(const Operation& operation, OwnerFate fate = OwnerFate::kAlive, bool interrupted = false) {
  LogView view;
  view.state = {.sequence = 7, .epoch = 2, .operation = operation, .seen = operation.updated_at};
  view.extent = {.base = {}, .end = {.sequence = 9, .hash = 1}, .durable_through = 9, .stored_through = 9};
  view.writer = {.held = !interrupted, .writer = SomeOwner()};
  view.hash = 0x0123456789abcdef;
  view.fate = fate;
  view.interrupted = interrupted;
  return view;
}

std::string Joined(const Lines& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

// ---- interrupted or not ---------------------------------------------------------------------------------------------

TEST(LogViewTest, InterruptedIsWhatMayBeResumedWithoutForce) {
  EXPECT_FALSE(IsGone(OwnerFate::kAlive));
  EXPECT_TRUE(IsGone(OwnerFate::kProcessDied));
  EXPECT_TRUE(IsGone(OwnerFate::kMachineRebooted));
  EXPECT_TRUE(IsGone(OwnerFate::kClosedWithoutEnd));
  EXPECT_FALSE(IsGone(OwnerFate::kUnknown));
  EXPECT_FALSE(IsGone(OwnerFate::kCopied));
}

TEST(RenderJsonTest, AnIdleLogHasNullsAndZeros) {
  LogView view;
  view.state.epoch = 3;
  view.state.sequence = 12;
  view.extent.durable_through = view.extent.stored_through = 12;
  view.hash = 10;
  EXPECT_EQ(
      StatusJson(view),
      R"({"operation_id": null, "operation_type": null, "status": "idle", "interrupted": false, )"
      R"("total_files": null, "files_processed": 0, "current_path": null, "last_processed_file": null, )"
      R"("batch_num": 0, "error_count": 0, "file_errors": 0, "rate": 0.0, "recent_rate": 0.0, )"
      R"("active_s": 0.0, "started_at": null, "updated_at": null, "completed_at": null, )"
      R"("clock_steps": 0, "last_clock_step": null, "epoch": 3, "last_sequence": 12, "durable_sequence": 12, "missing_through": null, )"
      R"("stored_sequence": 12, "last_hash": "000000000000000a", "roots": [], "metadata": {}, "owner": null, "evidence": null, "owner_fate": null, )"
      R"("pause_reason": null, "failure": null, "writer": null, "recovery": null})");
}

TEST(RenderJsonTest, AnOperationInProgressHasAllItsFields) {
  EXPECT_EQ(
      StatusJson(ViewOf(SomeOperation())),
      R"({"operation_id": "op-1", "operation_type": "incremental", "status": "in_progress", )"
      R"("interrupted": false, "total_files": 2000, "files_processed": 500, "current_path": null, )"
      R"("last_processed_file": "/photos/\u001b[2J\n.jpg", "batch_num": 0, "error_count": 0, "file_errors": 0, )"
      R"("rate": 50.0, "recent_rate": 50.0, "active_s": 10.0, "started_at": "2026-01-02T03:04:05.123456789Z", "updated_at": "2026-01-02T03:04:15.123456789Z", )"
      R"("completed_at": null, "clock_steps": 0, "last_clock_step": null, "epoch": 2, "last_sequence": 7, )"
      R"("durable_sequence": 7, "missing_through": null, "stored_sequence": 7, "last_hash": "0123456789abcdef", "roots": ["/photos", "/b\udcff"], "metadata": {"who": "me"}, )"
      R"("owner": {"program": "foldlog", "host": "nas", "pid": 4711, "holds_log": true, "instance": "i", )"
      R"("machine_id": "m", "boot_id": "b", "pid_namespace": 4, "start_ticks": 9}, "evidence": null, "owner_fate": "alive", )"
      R"("pause_reason": null, "failure": null, )"
      R"("writer": {"program": "foldlog", "host": "nas", "pid": 4711, "holds_log": true, "instance": "i", )"
      R"("machine_id": "m", "boot_id": "b", "pid_namespace": 4, "start_ticks": 9}, )"
      R"("recovery": null})");
}

TEST(RenderJsonTest, WhatOpeningFoundIsTold) {
  LogView view = ViewOf(SomeOperation());
  view.writer.recovery = {.events_from_tail = 3, .frames_discarded = 1, .last_writer = OwnerFate::kMachineRebooted};
  view.extent.durable_through = 6;
  view.extent.stored_through = 5;
  const std::string json = StatusJson(view);
  EXPECT_THAT(json, HasSubstr(R"("durable_sequence": 6, "missing_through": null, "stored_sequence": 5, "last_hash")"));
  EXPECT_THAT(json, HasSubstr(R"("recovery": {"events_from_tail": 3, "frames_discarded": 1, "events_lost": 0, )"
                              R"("events_in_doubt": 0, "last_writer": "machine_rebooted"}})"));
  view.writer.recovery->last_writer.reset();
  EXPECT_THAT(StatusJson(view), HasSubstr(R"("last_writer": null}})"));
}

TEST(RenderJsonTest, AMisfitIsNamedOnlyWhereThereIsOne) {
  LogView view = ViewOf(SomeOperation());
  EXPECT_THAT(StatusJson(view), Not(HasSubstr("misfit")));
  view.state.misfit = Misfit{7, "no reason"};
  EXPECT_THAT(StatusJson(view), HasSubstr(R"("misfit": {"sequence": 7, "why": "no reason"}})"));
}

TEST(RenderJsonTest, AnInterruptionNamesItsEvidence) {
  const std::string json = StatusJson(ViewOf(SomeOperation(), OwnerFate::kProcessDied, true));
  EXPECT_THAT(json, HasSubstr(R"("interrupted": true)"));
  EXPECT_THAT(json, HasSubstr(R"("evidence": "process_died")"));
  EXPECT_THAT(json, HasSubstr(R"("writer": null)"));
}

TEST(RenderJsonTest, HistoryTellsOfTheEnd) {
  Operation operation = SomeOperation();
  operation.status = OperationStatus::kCompleted;
  operation.completed_at = kStart + 12 * kSecond;
  operation.stats = {{"bytes", std::int64_t{5}}, {"mean", 0.5}, {"note", std::string("x")}};
  const std::string json = HistoryJson({.operation = operation, .reset_by = std::nullopt}, LogView());
  EXPECT_THAT(json, HasSubstr(R"("completed_at": "2026-01-02T03:04:17.123456789Z", "clock_steps": 0, )"
                              R"("last_clock_step": null, "epoch": 2, "checkpoints": 5, )"
                              R"("interruptions": 0, "first_sequence": 1, "last_sequence": 7, )"
                              R"("stats": {"bytes": 5, "mean": 0.5, "note": "x"}, "reset": null)"));
  EXPECT_THAT(HistoryJson({.operation = operation, .reset_by = 8}, LogView()), HasSubstr(R"("reset": 8)"));
}

TEST(RenderJsonTest, OnlyTheOperationOnTheRowIsInterrupted) {
  Operation earlier = SomeOperation();
  earlier.first_sequence = 100;
  const LogView view = ViewOf(SomeOperation(), OwnerFate::kProcessDied, true);
  EXPECT_THAT(HistoryJson({.operation = earlier, .reset_by = 101}, view), HasSubstr(R"("interrupted": false)"));
  EXPECT_THAT(HistoryJson({.operation = SomeOperation(), .reset_by = {}}, view), HasSubstr(R"("interrupted": true)"));
}

std::string BodyJson(EventBody body) {
  const std::string json =
      EventJson({.event = {.sequence = 3, .hash = 0, .event = {kStart, 2, std::move(body)}}}, "op-1");
  constexpr std::string_view kHead =
      R"({"sequence": 3, "time": "2026-01-02T03:04:05.123456789Z", "epoch": 2, "kind": )";
  EXPECT_THAT(json, StartsWith(std::string(kHead)));
  return json.substr(kHead.size());
}

TEST(RenderJsonTest, EachKindOfEventHasItsOwnFields) {
  const std::string owner =
      R"("owner": {"program": "foldlog", "host": "nas", "pid": 4711, "holds_log": true, "instance": "i", )"
      R"("machine_id": "m", "boot_id": "b", "pid_namespace": 4, "start_ticks": 9}})";
  EXPECT_EQ(BodyJson(Started{.operation_id = "op-1",
                             .type = OperationType::kRecovery,
                             .total_files = std::nullopt,
                             .roots = {"/a"},
                             .metadata = {{"k", "v"}},
                             .owner = SomeOwner()}),
            R"("started", "operation_id": "op-1", "operation_type": "recovery", "total_files": null, )"
            R"("roots": ["/a"], "metadata": {"k": "v"}, )" +
                owner);
  EXPECT_EQ(BodyJson(Checkpoint{
                .files_processed = 4, .current_path = {}, .last_processed_file = {}, .batch_num = {}, .error = {}}),
            R"("checkpoint", "operation_id": "op-1", "files_processed": 4})");
  EXPECT_EQ(BodyJson(Checkpoint{.files_processed = 4,
                                .current_path = "p",
                                .last_processed_file = "l",
                                .batch_num = 2,
                                .error = FileError{.path = "e\xff", .message = "m"}}),
            R"("checkpoint", "operation_id": "op-1", "files_processed": 4, "current_path": "p", )"
            R"("last_processed_file": "l", "batch_num": 2, "error": {"path": "e\udcff", "error": "m"}})");
  EXPECT_EQ(BodyJson(Paused{"r"}), R"("paused", "operation_id": "op-1", "reason": "r"})");
  EXPECT_EQ(BodyJson(Resumed{"r", SomeOwner()}), R"("resumed", "operation_id": "op-1", "reason": "r", )" + owner);
  EXPECT_EQ(BodyJson(Recovered{Evidence::kForced, "r", SomeOwner()}),
            R"("recovered", "operation_id": "op-1", "evidence": "forced", "reason": "r", )" + owner);
  EXPECT_EQ(BodyJson(Completed{{{"n", std::int64_t{1}}}}),
            R"("completed", "operation_id": "op-1", "stats": {"n": 1}})");
  EXPECT_EQ(BodyJson(Failed{"e"}), R"("failed", "operation_id": "op-1", "failure": "e"})");
  EXPECT_EQ(BodyJson(Cleared{}), R"("cleared", "operation_id": "op-1"})");
  EXPECT_EQ(BodyJson(Reset{"r"}), R"("reset", "operation_id": "op-1", "reason": "r"})");
}

TEST(RenderJsonTest, ErrorsShowTheirDetailsAndImportsTheRowTheyKept) {
  const FileError error{.path = "/f", .message = "m", .details = R"({"x": [1, NaN]})"};
  EXPECT_THAT(BodyJson(Checkpoint{.files_processed = 4, .error = error}),
              HasSubstr(R"("error": {"path": "/f", "error": "m", "details": {"x": [1, null]}}})"));
  Imported imported{.operation_id = "op-1",
                    .files_processed = 10,
                    .batch_num = 3,
                    .last_processed_file = "/a",
                    .rate = 0.5,
                    .owner = SomeOwner(),
                    .source = "state.db",
                    .followers = 2};
  EXPECT_THAT(BodyJson(imported), HasSubstr(R"("files_processed": 10, "current_path": null, )"
                                            R"("last_processed_file": "/a", "batch_num": 3, "rate": 0.5, )"
                                            R"("last_update": "1970-01-01T00:00:00.000000000Z", )"));
  EXPECT_THAT(BodyJson(imported), HasSubstr(R"("source": "state.db", "followers": 2, "owner": {)"));
  EXPECT_THAT(BodyJson(imported), EndsWith(R"("row": null})"));
  imported.row = SingleRow{"full", "indexing", "{}", 1, 2, {}};
  EXPECT_THAT(BodyJson(imported),
              EndsWith(R"("row": {"id": 1, "operation_type": "full", "status": "indexing", "checkpoint_data": "{}", )"
                       R"("started_at": 1, "updated_at": 2, "completed_at": null}})"));
}

TEST(RenderJsonTest, AnEventOfNoOperationSaysSo) {
  const ShownEvent event{.event = {.sequence = 1, .hash = 0, .event = {0, 0, Reset{""}}}};
  EXPECT_THAT(EventJson(event, ""), HasSubstr(R"("operation_id": null)"));
}

TEST(RenderJsonTest, ShowHasTheEventsInShort) {
  EventSummary summary;
  Summarise({.event = {.sequence = 1, .hash = 0, .event = {kStart, 1, Paused{"p"}}}}, summary);
  const Checkpoint failed{.files_processed = 1,
                          .current_path = {},
                          .last_processed_file = {},
                          .batch_num = {},
                          .error = FileError{.path = "/f", .message = "m"}};
  Summarise({.event = {.sequence = 2, .hash = 0, .event = {kStart, 1, failed}}}, summary);
  const std::string json = ShowJson({.operation = SomeOperation(), .reset_by = {}}, LogView(), summary);
  EXPECT_THAT(json, HasSubstr(R"("events": {"checkpoint": 1, "paused": 1}, "milestones": [{"sequence": 1, )"));
  EXPECT_THAT(json, HasSubstr(R"("errors": [{"sequence": 2, )"));
}

TEST(RenderJsonTest, WhatIsNoNumberInJsonIsNull) {
  Operation operation = SomeOperation();
  operation.status = OperationStatus::kCompleted;
  operation.stats = {{"nan", std::nan("")}, {"inf", HUGE_VAL}, {"least", -HUGE_VAL}, {"one", 1.0}};
  EXPECT_THAT(HistoryJson({.operation = operation, .reset_by = {}}, LogView()),
              HasSubstr(R"("stats": {"nan": null, "inf": null, "least": null, "one": 1.0})"));
  EXPECT_THAT(BodyJson(Completed{{{"inf", HUGE_VAL}}}), HasSubstr(R"("stats": {"inf": null})"));
  EXPECT_THAT(BodyJson(Imported{.rate = HUGE_VAL}), HasSubstr(R"("rate": null)"));
  const FileError error{.details = R"({"NaN": [-Infinity, "Infinity \" NaN", Infinity], "n": -1})"};
  EXPECT_THAT(BodyJson(Checkpoint{.error = error}),
              HasSubstr(R"("details": {"NaN": [null, "Infinity \" NaN", null], "n": -1})"));
}

TEST(RenderJsonTest, DetailsThatAreNoJsonBecomeAString) {
  for (const std::string details : {"}{", "{\n}", "{} {}"}) {
    std::string quoted;
    AppendJsonString(details, quoted);
    EXPECT_THAT(BodyJson(Checkpoint{.error = FileError{.details = details}}),
                HasSubstr("\"details\": " + quoted + "}"));
  }
  const std::string deep = "{\"a\": " + std::string(1'000'000, '[') + std::string(1'000'000, ']') + "}";
  EXPECT_THAT(BodyJson(Checkpoint{.error = FileError{.details = deep}}), HasSubstr(R"("details": "{\"a\": [[[)"));
}

TEST(RenderJsonTest, NamesGivenSeveralTimesHaveAllTheirValuesWhereTheyCameFirst) {
  Operation operation = SomeOperation();
  operation.metadata = {{"b", "1"}, {"a", "2"}, {"b", "3"}, {"c", "4"}, {"b", "5"}};
  EXPECT_THAT(StatusJson(ViewOf(operation)), HasSubstr(R"("metadata": {"b": ["1", "3", "5"], "a": "2", "c": "4"})"));
}

// Quadratic, this would take minutes.
TEST(RenderJsonTest, ManyPairsTakeNoTimeToSpeakOf) {
  Operation operation = SomeOperation();
  for (int i = 0; i < 200'000; ++i) operation.metadata.emplace_back(std::to_string(i), "x");
  EXPECT_NE(StatusJson(ViewOf(operation)).find(R"("199999": "x"})"), std::string::npos);
}

TEST(RenderJsonTest, FailureIsNoneOfTheFilesErrors) {
  Operation operation = SomeOperation();
  operation.status = OperationStatus::kFailed;
  operation.error_count = 4;
  EXPECT_THAT(StatusJson(ViewOf(operation)), HasSubstr(R"("error_count": 4, "file_errors": 3)"));
  EXPECT_THAT(Joined(StatusText(ViewOf(operation), kStart)), HasSubstr("Errors         3\n"));
}

TEST(RenderJsonTest, EventTellsItsBootAndThatTheClockWasSet) {
  Event event{kStart, 2, Cleared{}, {.at = kStart - 60 * kSecond, .id = 7}};
  const ShownEvent shown{.event = {.sequence = 3, .hash = 0xab, .event = event},
                         .notes = {.clock_step_ns = -3600 * kSecond, .with_hash = true}};
  EXPECT_THAT(EventJson(shown, "op-1"),
              EndsWith(R"("boot": 7, "booted_at": "2026-01-02T03:03:05.123456789Z", "clock_step_s": -3600.0, )"
                       R"("hash": "00000000000000ab"})"));
  EXPECT_EQ(
      EventText(shown),
      "       3  2026-01-02 03:04:05.123Z  00000000000000ab  cleared (the clock was set back by 1 h 0 min before)");
}

TEST(RenderJsonTest, OperationTellsHowOftenTheClockWasSet) {
  Operation operation = SomeOperation();
  operation.clock_steps = 2;
  operation.clock_step_sequence = 5;
  operation.clock_step_ns = 1'500'000'000;
  EXPECT_THAT(StatusJson(ViewOf(operation)),
              HasSubstr(R"("clock_steps": 2, "last_clock_step": {"sequence": 5, "seconds": 1.5})"));
  EXPECT_THAT(Joined(StatusText(ViewOf(operation), kStart)),
              HasSubstr("Clock          was set forward by 1.5 s before event 5, the last of 2 times\n"));
}

// ---- text -----------------------------------------------------------------------------------------------------------

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
  EXPECT_EQ(text(Imported{.operation_id = "op-1",
                          .files_processed = 1500,
                          .imported_at = kStart,
                          .owner = SomeOwner(),
                          .source = "state.db"}),
            "      12  2026-01-02 03:04:05.123Z  imported   op-1, initial, 1,500 files, from state.db, on 2026-01-02 "
            "03:04:05 UTC, by foldlog, process 4711 on nas");
  EXPECT_EQ(text(Cleared{}), "      12  2026-01-02 03:04:05.123Z  cleared");
  EXPECT_EQ(text(Recovered{Evidence::kProcessDied, "", SomeOwner()}),
            "      12  2026-01-02 03:04:05.123Z  recovered  process died, by foldlog, process 4711 on nas");
  EXPECT_EQ(text(Completed{{{"bytes", std::int64_t{12345}}, {"mean", 0.25}}}),
            "      12  2026-01-02 03:04:05.123Z  completed  bytes = 12,345, mean = 0.25");
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

// ---- progress -------------------------------------------------------------------------------------------------------

indexer::Progress SomeProgress() {
  indexer::Progress progress;
  progress.files_done = 1000;
  progress.files_total = 4000;
  progress.files_per_s = 100.0;
  progress.current_path = "/photos/\x1b]0;x\x07\u6570.jpg";
  return progress;
}

TEST(ProgressTest, TheLineIsEscapedAndFits) {
  EXPECT_EQ(ProgressLine(SomeProgress(), 200),
            "1,000 of 4,000 files (25.0 %), 100.0 files/s, 30.0 s left  /photos/\\x1b]0;x\\x07\u6570.jpg");
  EXPECT_EQ(ProgressLine(SomeProgress(), 20), "1,000 of 4,000 files");
  indexer::Progress progress = SomeProgress();
  progress.errors = 1;
  progress.files_total.reset();
  progress.current_path = "";
  EXPECT_EQ(ProgressLine(progress, 200), "1,000 files, 100.0 files/s, 1 error");
  progress.stage = indexer::Progress::Stage::kCounting;
  EXPECT_EQ(ProgressLine(progress, 200), "Counting: 1,000 files, 1 error");
}

// Runs a display on a file, with a clock that the test sets, and says what it wrote.
class DisplayTest : public testing::Test {
 protected:
  void SetUp() override {
    path_ = testing::TempDir() + "display_test." + std::to_string(getpid());
    fd_ = open(path_.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ASSERT_GE(fd_, 0);
  }

  void TearDown() override {
    close(fd_);
    unlink(path_.c_str());
  }

  std::string Run(ProgressDisplay::Style style, const std::vector<int>& update_times_ms) {
    Output out(fd_);
    std::chrono::steady_clock::time_point now;
    ProgressDisplay display(style, out, [&] { return now; });
    for (const int time_ms : update_times_ms) {
      now = std::chrono::steady_clock::time_point(std::chrono::milliseconds(time_ms));
      indexer::Progress progress;
      progress.files_done = time_ms;
      display.Update(progress);
    }
    display.Report("found\x1b");
    std::stringstream text;
    text << std::ifstream(path_).rdbuf();
    return text.str();
  }

 private:
  std::string path_;
  int fd_ = -1;
};

TEST_F(DisplayTest, ATerminalLineIsRenewedAtMostTenTimesASecond) {
  EXPECT_EQ(Run(ProgressDisplay::Style::kTerminal, {0, 50, 99, 100, 150, 250}),
            "\r\x1b[K0 files\r\x1b[K100 files\r\x1b[K250 files\r\x1b[Kfound\\x1b\n");
}

TEST_F(DisplayTest, ElsewhereThereIsALineEveryFewSeconds) {
  EXPECT_EQ(Run(ProgressDisplay::Style::kLines, {0, 100, 4999, 5000, 9000, 10000}),
            "5,000 files\n10,000 files\nfound\\x1b\n");
}

TEST_F(DisplayTest, QuietSaysNothing) { EXPECT_EQ(Run(ProgressDisplay::Style::kQuiet, {0, 1000, 100000}), ""); }

indexer::IndexReport SomeReport() {
  indexer::IndexReport report;
  report.operation_id = "op-1";
  report.paused = true;
  report.counters.files = 1234;
  report.duration_s = 12.34;
  report.catalog_path = "/c\n.db";
  return report;
}

TEST(ReportTest, SaysWhatWasDone) {
  EXPECT_THAT(IndexReportText(SomeReport()),
              ElementsAre("Operation      op-1 (initial)", "Status         paused", "Took           12.3 s",
                          "Files          1,234", "Catalog        /c\\n.db"));
}

TEST(ReportTest, NamesTheFirstErrorsAndWhereAllAre) {
  indexer::IndexReport report = SomeReport();
  report.counters.errors = 7;
  report.first_errors = {{"/a\n", "denied"}, {"", "no path"}};
  report.left_out = {"\"/proc\" (proc)"};
  const Lines lines = IndexReportText(report);
  EXPECT_THAT(lines, Contains("Errors         7"));
  EXPECT_THAT(lines, Contains("First errors   /a\\n: denied"));
  EXPECT_THAT(lines, Contains("               no path"));
  EXPECT_THAT(lines, Contains("All errors     foldlog events --errors --operation op-1"));
  EXPECT_THAT(lines, Contains("Left out       \"/proc\" (proc)"));
}

TEST(ReportTest, IsOneJsonObject) {
  indexer::IndexReport report = SomeReport();
  report.first_errors = {{"/a\xff", "denied"}};
  const std::string json = IndexReportJson(report);
  EXPECT_THAT(json, StartsWith(R"({"operation_id": "op-1", "operation_type": "initial", "status": "paused", )"));
  EXPECT_THAT(json, HasSubstr(R"("files": 1234, "hashed": 0)"));
  EXPECT_THAT(json, HasSubstr(R"("first_errors": [{"path": "/a\udcff", "message": "denied"}])"));
  EXPECT_THAT(json, EndsWith(R"("catalog": "/c\n.db", "damaged_catalog": null})"));
}

}  // namespace
}  // namespace foldlog::cli
