// What --json prints, from plain values.

#include "tools/cli/render_json.h"

#include <cmath>
#include <string>
#include <string_view>
#include <utility>

#include "engine/json/writer.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/render_support.h"
#include "tools/cli/event_summary.h"

namespace foldlog::cli {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

std::string Status(const LogView& view) { return StatusJson(view, kStart + 20 * kSecond); }

TEST(RenderJsonTest, AnIdleLogHasNullsAndZeros) {
  LogView view;
  view.state.epoch = 3;
  view.state.sequence = 12;
  view.extent.durable_through = view.extent.stored_through = 12;
  view.hash = 10;
  EXPECT_EQ(
      Status(view),
      R"({"operation_id": null, "operation_type": null, "status": "idle", "interrupted": false, )"
      R"("total_files": null, "files_processed": 0, "current_path": null, "last_processed_file": null, )"
      R"("batch_num": 0, "error_count": 0, "file_errors": 0, "rate": 0.0, "recent_rate": 0.0, )"
      R"("active_s": 0.0, "paused_s": 0.0, "started_at": null, "updated_at": null, "completed_at": null, )"
      R"("clock_steps": 0, "last_clock_step": null, "epoch": 3, "last_sequence": 12, "durable_sequence": 12, "missing_through": null, )"
      R"("stored_sequence": 12, "last_hash": "000000000000000a", "roots": [], "metadata": {}, "owner": null, "evidence": null, "owner_fate": null, )"
      R"("pause_reason": null, "failure": null, "time_left_s": null, "last_progress_at": null, "idle_s": null, "stalled": null, )"
      R"("writer": null, "recovery": null, "restored": null})");
}

TEST(RenderJsonTest, AnOperationInProgressHasAllItsFields) {
  EXPECT_EQ(
      Status(ViewOf(SomeOperation())),
      R"({"operation_id": "op-1", "operation_type": "incremental", "status": "in_progress", )"
      R"("interrupted": false, "total_files": 2000, "files_processed": 500, "current_path": null, )"
      R"("last_processed_file": "/photos/\u001b[2J\n.jpg", "batch_num": 0, "error_count": 0, "file_errors": 0, )"
      R"("rate": 50.0, "recent_rate": 50.0, "active_s": 10.0, "paused_s": 0.0, "started_at": "2026-01-02T03:04:05.123456789Z", "updated_at": "2026-01-02T03:04:15.123456789Z", )"
      R"("completed_at": null, "clock_steps": 0, "last_clock_step": null, "epoch": 2, "last_sequence": 7, )"
      R"("durable_sequence": 7, "missing_through": null, "stored_sequence": 7, "last_hash": "0123456789abcdef", "roots": ["/photos", "/b\udcff"], "metadata": {"who": "me"}, )"
      R"("owner": {"program": "foldlog", "host": "nas", "pid": 4711, "holds_log": true, "instance": "i", )"
      R"("machine_id": "m", "boot_id": "b", "pid_namespace": 4, "start_ticks": 9, )"
      R"("kernel_boot_id": false, "file_system": 0, "device": 0, "directory": 0, "lock_file": 0}, "evidence": null, "owner_fate": "alive", )"
      R"("pause_reason": null, "failure": null, )"
      R"("time_left_s": 30.0, "last_progress_at": "2026-01-02T03:04:15.123456789Z", "idle_s": 10.0, "stalled": null, )"
      R"("writer": {"program": "foldlog", "host": "nas", "pid": 4711, "holds_log": true, "instance": "i", )"
      R"("machine_id": "m", "boot_id": "b", "pid_namespace": 4, "start_ticks": 9, )"
      R"("kernel_boot_id": false, "file_system": 0, "device": 0, "directory": 0, "lock_file": 0}, )"
      R"("recovery": null, "restored": null})");
}

TEST(RenderJsonTest, WhatOpeningFoundIsTold) {
  LogView view = ViewOf(SomeOperation());
  view.writer.recovery = {.events_from_tail = 3, .frames_discarded = 1, .last_writer = OwnerFate::kMachineRebooted};
  view.extent.durable_through = 6;
  view.extent.stored_through = 5;
  const std::string json = Status(view);
  EXPECT_THAT(json, HasSubstr(R"("durable_sequence": 6, "missing_through": null, "stored_sequence": 5, "last_hash")"));
  EXPECT_THAT(json, HasSubstr(R"("recovery": {"events_from_tail": 3, "frames_discarded": 1, "events_lost": 0, )"
                              R"("events_in_doubt": 0, "last_writer": "machine_rebooted"}, )"));
  view.writer.recovery->last_writer.reset();
  EXPECT_THAT(Status(view), HasSubstr(R"("last_writer": null}, "restored": null})"));
}

TEST(RenderJsonTest, RestoredLogSaysWhereItCameFrom) {
  LogView view = ViewOf(SomeOperation());
  view.restoration = Restoration{.at = kStart, .source = "/b", .host = "nas", .end = {5, 10}};
  EXPECT_THAT(Status(view), HasSubstr(R"("restored": {"at": "2026-01-02T03:04:05.123456789Z", "source": "/b", )"
                                      R"("host": "nas", "last_sequence": 5, "last_hash": "000000000000000a"}})"));
  view.restoration->source = "";
  EXPECT_THAT(Status(view), HasSubstr(R"("source": null, "host")"));
}

TEST(RenderJsonTest, StallingIsToldOnlyToWhoAsks) {
  const LogView view = ViewOf(SomeOperation());
  EXPECT_THAT(StatusJson(view, kStart + 20 * kSecond, 9 * kSecond), HasSubstr(R"("idle_s": 10.0, "stalled": true, )"));
  EXPECT_THAT(StatusJson(view, kStart + 20 * kSecond, 10 * kSecond), HasSubstr(R"("stalled": false, )"));
  EXPECT_THAT(StatusJson(view, kStart, 10 * kSecond), HasSubstr(R"("idle_s": 0.0, )")) << "never negative";
  Operation paused = SomeOperation();
  paused.status = OperationStatus::kPaused;
  EXPECT_THAT(StatusJson(ViewOf(paused), kStart + 20 * kSecond, kSecond),
              HasSubstr(R"("time_left_s": null, "last_progress_at": "2026-01-02T03:04:15.123456789Z", "idle_s": null, )"
                        R"("stalled": false, )"));
}

TEST(RenderJsonTest, AMisfitIsNamedOnlyWhereThereIsOne) {
  LogView view = ViewOf(SomeOperation());
  EXPECT_THAT(Status(view), Not(HasSubstr("misfit")));
  view.state.misfit = Misfit{7, "no reason"};
  EXPECT_THAT(Status(view), HasSubstr(R"("misfit": {"sequence": 7, "why": "no reason"}})"));
}

TEST(RenderJsonTest, AnInterruptionNamesItsEvidence) {
  const std::string json = Status(ViewOf(SomeOperation(), OwnerFate::kProcessDied, true));
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
                              R"("interruptions": 0, "interruptions_by": {"process_died": 0, "machine_rebooted": 0, )"
                              R"("closed_without_end": 0, "forced": 0}, "first_sequence": 1, "last_sequence": 7, )"
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
      R"("machine_id": "m", "boot_id": "b", "pid_namespace": 4, "start_ticks": 9, )"
      R"("kernel_boot_id": false, "file_system": 0, "device": 0, "directory": 0, "lock_file": 0}})";
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
                    .source = "state.db"};
  EXPECT_THAT(BodyJson(imported), HasSubstr(R"("files_processed": 10, "current_path": null, )"
                                            R"("last_processed_file": "/a", "batch_num": 3, "rate": 0.5, )"
                                            R"("started_at": "1970-01-01T00:00:00.000000000Z", )"));
  EXPECT_THAT(BodyJson(imported),
              HasSubstr(R"("ended_at": null, "failure": null, "errors": [], "source": "state.db", "owner": {)"));
  EXPECT_THAT(BodyJson(imported), EndsWith(R"("row": null})"));
  imported.status = OperationStatus::kFailed;
  imported.failure = "disk";
  imported.errors = {{0, error}};
  EXPECT_THAT(
      BodyJson(imported),
      HasSubstr(
          R"("ended_at": "1970-01-01T00:00:00.000000000Z", "failure": "disk", "errors": [{"time": )"
          R"("1970-01-01T00:00:00.000000000Z", "error": {"path": "/f", "error": "m", "details": {"x": [1, null]}}}])"));
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
  summary.counts = {0, 1, 1};
  summary.milestones.push_back({.event = {.sequence = 1, .hash = 0, .event = {kStart, 1, Paused{"p"}}}});
  const Checkpoint failed{.files_processed = 1,
                          .current_path = {},
                          .last_processed_file = {},
                          .batch_num = {},
                          .error = FileError{.path = "/f", .message = "m"}};
  summary.errors.push_back({.event = {.sequence = 2, .hash = 0, .event = {kStart, 1, failed}}});
  const std::string json = ShowJson({.entry = {.operation = SomeOperation(), .reset_by = {}}}, LogView(), summary);
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
  EXPECT_THAT(Status(ViewOf(operation)), HasSubstr(R"("metadata": {"b": ["1", "3", "5"], "a": "2", "c": "4"})"));
}

// Quadratic, this would take minutes.
TEST(RenderJsonTest, ManyPairsTakeNoTimeToSpeakOf) {
  Operation operation = SomeOperation();
  for (int i = 0; i < 200'000; ++i) operation.metadata.emplace_back(std::to_string(i), "x");
  EXPECT_NE(Status(ViewOf(operation)).find(R"("199999": "x"})"), std::string::npos);
}

TEST(RenderJsonTest, FailureIsNoneOfTheFilesErrors) {
  Operation operation = SomeOperation();
  operation.status = OperationStatus::kFailed;
  operation.error_count = 4;
  EXPECT_THAT(Status(ViewOf(operation)), HasSubstr(R"("error_count": 4, "file_errors": 3)"));
}

TEST(RenderJsonTest, EventTellsItsBootAndThatTheClockWasSet) {
  Event event{kStart, 2, Cleared{}, {.at = kStart - 60 * kSecond, .id = 7}};
  const ShownEvent shown{.event = {.sequence = 3, .hash = 0xab, .event = event},
                         .notes = {.clock_step_ns = -3600 * kSecond, .with_hash = true}};
  EXPECT_THAT(EventJson(shown, "op-1"),
              EndsWith(R"("boot": 7, "booted_at": "2026-01-02T03:03:05.123456789Z", "clock_step_s": -3600.0, )"
                       R"("hash": "00000000000000ab"})"));
}

TEST(RenderJsonTest, OperationTellsHowOftenTheClockWasSet) {
  Operation operation = SomeOperation();
  operation.clock_steps = 2;
  operation.clock_step_sequence = 5;
  operation.clock_step_ns = 1'500'000'000;
  EXPECT_THAT(Status(ViewOf(operation)),
              HasSubstr(R"("clock_steps": 2, "last_clock_step": {"sequence": 5, "seconds": 1.5})"));
}

}  // namespace
}  // namespace foldlog::cli
