// One event, as people see it.

#include "tools/cli/event_text.h"

#include <string>

#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/render_support.h"

namespace foldlog::cli {
namespace {

using testing::ElementsAre;
using testing::EndsWith;

std::string TextOf(const ShownEvent& shown) { return EventText(shown).text; }

TEST(EventTextTest, ErrorWithoutATextShowsItsDetails) {
  const Checkpoint checkpoint{.files_processed = 1, .error = FileError{.details = R"({"errno": 5})"}};
  EXPECT_THAT(TextOf({.event = {.sequence = 1, .hash = 0, .event = {0, 1, checkpoint}}}),
              EndsWith(R"(1 files, error: {"errno": 5})"));
}

TEST(EventTextTest, AnEventIsOneLine) {
  const auto text = [](EventBody body) {
    return TextOf({.event = {.sequence = 12, .hash = 0, .event = {kStart, 2, body}}});
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

TEST(EventTextTest, EventTellsThatTheClockWasSet) {
  const ShownEvent shown{.event = {.sequence = 3, .hash = 0xab, .event = {kStart, 2, Cleared{}}},
                         .notes = {.clock_step_ns = -3600 * kSecond, .with_hash = true}};
  EXPECT_EQ(
      TextOf(shown),
      "       3  2026-01-02 03:04:05.123Z  00000000000000ab  cleared (the clock was set back by 1 h 0 min before)");
}

TEST(EventTextTest, TimesHaveTheirOffset) {
  const Look look{.zone = absl::FixedTimeZone(3600)};
  EXPECT_EQ(EventText({.event = {.sequence = 12, .hash = 0, .event = {kStart, 2, Cleared{}}}}, look),
            "      12  2026-01-02 04:04:05.123+01:00  cleared");
}

TEST(EventTextTest, ErrorsFailuresAndRecoveriesStandOut) {
  const auto tints = [](EventBody body) {
    return EventText({.event = {.sequence = 12, .hash = 0, .event = {kStart, 2, body}}}).tints;
  };
  EXPECT_THAT(tints(Failed{"disk"}), ElementsAre(Tint{36, 6, Tone::kBad}));
  EXPECT_THAT(tints(Recovered{Evidence::kForced, "", SomeOwner()}), ElementsAre(Tint{36, 9, Tone::kWarning}));
  EXPECT_THAT(tints(Checkpoint{.files_processed = 1, .error = FileError{}}), ElementsAre(Tint{36, 10, Tone::kBad}));
  EXPECT_THAT(tints(Checkpoint{.files_processed = 1}), ElementsAre());
  EXPECT_THAT(tints(Completed{}), ElementsAre());
}

}  // namespace
}  // namespace foldlog::cli
