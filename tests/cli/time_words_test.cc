// Moments and spans as people type them, also where clocks are changed.

#include "tools/cli/time_words.h"

#include <limits>
#include <string>

#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tools/cli/time_format.h"

namespace foldlog::cli {
namespace {

using testing::HasSubstr;

constexpr TimeNs kSecond = 1'000'000'000;
constexpr TimeNs kNow = 1793543415'250'000'000;  // 2026-11-01T14:30:15.25Z, 15:30 in Berlin

absl::TimeZone Zone(const char* name) {
  absl::TimeZone zone;
  EXPECT_TRUE(absl::LoadTimeZone(name, &zone));
  return zone;
}

// What is understood, in UTC; or the error.
std::string Parsed(const std::string& text, const absl::TimeZone& zone = Zone("Europe/Berlin"), TimeNs now = kNow) {
  const absl::StatusOr<TimeNs> time = ParseMoment(text, now, zone);
  return time.ok() ? Rfc3339(*time).substr(0, 22) : std::string(time.status().message());
}

TEST(ParseMomentTest, DaysAndTimesAreLocal) {
  EXPECT_EQ(Parsed("2026-11-01"), "2026-10-31T23:00:00.00");
  EXPECT_EQ(Parsed("2026-11-01", absl::UTCTimeZone()), "2026-11-01T00:00:00.00");
  EXPECT_EQ(Parsed("2026-11-01 14:30"), "2026-11-01T13:30:00.00");
  EXPECT_EQ(Parsed("2026-07-01 14:30:05"), "2026-07-01T12:30:05.00");
  EXPECT_EQ(Parsed("2026-07-01 14:30:05.25"), "2026-07-01T12:30:05.25");
  EXPECT_EQ(Parsed("2026-07-01T14:30:05"), "2026-07-01T12:30:05.00");
  EXPECT_EQ(Parsed("2026-07-01T14:30"), "2026-07-01T12:30:00.00");
}

TEST(ParseMomentTest, AnOffsetIsBelieved) {
  EXPECT_EQ(Parsed("2026-11-01T14:30:05Z"), "2026-11-01T14:30:05.00");
  EXPECT_EQ(Parsed("2026-11-01T14:30:05.123456789+05:30"), "2026-11-01T09:00:05.12");
  EXPECT_EQ(Parsed("2026-11-01T14:30-01:00"), "2026-11-01T15:30:00.00");
}

TEST(ParseMomentTest, WhatTheProgramPrintsCanBeGivenBack) {
  for (const absl::TimeZone& zone : {absl::UTCTimeZone(), Zone("Europe/Berlin"), Zone("Asia/Kolkata")}) {
    for (const std::string& text : {Rfc3339(kNow), EventTime(kNow, zone)}) {
      EXPECT_EQ(Parsed(text, Zone("America/New_York")), "2026-11-01T14:30:15.25") << text;
    }
    EXPECT_EQ(Parsed(HumanTime(kNow, zone), Zone("America/New_York")), "2026-11-01T14:30:15.00");
    EXPECT_EQ(Parsed(ColumnTime(kNow, zone), zone), "2026-11-01T14:30:15.00");
  }
}

TEST(ParseMomentTest, WordsAndSpansCountFromNow) {
  EXPECT_EQ(Parsed("now"), "2026-11-01T14:30:15.25");
  EXPECT_EQ(Parsed("today"), "2026-10-31T23:00:00.00");
  EXPECT_EQ(Parsed("yesterday"), "2026-10-30T23:00:00.00");
  EXPECT_EQ(Parsed("today", Zone("Pacific/Kiritimati")), "2026-11-01T10:00:00.00") << "it is the second there";
  EXPECT_EQ(Parsed("45s"), "2026-11-01T14:29:30.25");
  EXPECT_EQ(Parsed("90m"), "2026-11-01T13:00:15.25");
  EXPECT_EQ(Parsed("3h"), "2026-11-01T11:30:15.25");
  EXPECT_EQ(Parsed("7d"), "2026-10-25T14:30:15.25") << "seven times 24 hours, though clocks were changed meanwhile";
  EXPECT_EQ(Parsed("2w"), "2026-10-18T14:30:15.25");
  EXPECT_EQ(Parsed("0d"), "2026-11-01T14:30:15.25");
}

TEST(ParseMomentTest, AnHourThatComesTwiceIsTheFirst) {
  EXPECT_EQ(Parsed("2026-10-25 02:30"), "2026-10-25T00:30:00.00");
  EXPECT_EQ(Parsed("2026-10-25 02:30:00 +01:00"), "2026-10-25T01:30:00.00") << "the second can be had all the same";
  EXPECT_EQ(Parsed("2026-10-25 03:00"), "2026-10-25T02:00:00.00");
}

TEST(ParseMomentTest, AnHourThatIsSkippedIsTheMomentOfTheChange) {
  EXPECT_EQ(Parsed("2026-03-29 02:30"), "2026-03-29T01:00:00.00");
  EXPECT_EQ(Parsed("2026-03-29 03:00"), "2026-03-29T01:00:00.00");
  EXPECT_EQ(Parsed("2026-03-29 01:59:59"), "2026-03-29T00:59:59.00");
  EXPECT_EQ(Parsed("2018-11-04", Zone("America/Sao_Paulo")), "2018-11-04T03:00:00.00") << "a day without a midnight";
}

TEST(ParseMomentTest, TodayBeginsAtMidnightWhereClocksAreChanged) {
  constexpr TimeNs kAfterChange = 1792908000 * kSecond;  // 2026-10-25T06:00:00Z
  EXPECT_EQ(Parsed("today", Zone("Europe/Berlin"), kAfterChange), "2026-10-24T22:00:00.00");
  EXPECT_EQ(Parsed("yesterday", Zone("Europe/Berlin"), kAfterChange + 86'400 * kSecond), "2026-10-24T22:00:00.00");
}

TEST(ParseMomentTest, WhatIsNoTimeIsRefusedWithWhatIs) {
  for (const char* text : {"",
                           " ",
                           "tomorrow",
                           "d",
                           "7",
                           "7y",
                           "-7d",
                           "+7d",
                           "7 d",
                           "7.5d",
                           "1e3d",
                           "2026",
                           "2026-11",
                           "2026-13-01",
                           "2026-02-30",
                           "2026-11-01 25:00",
                           "2026-11-01 ",
                           " 2026-11-01",
                           "2026-11-01x",
                           "2026-11-01 14:30 ",
                           "infinite-future",
                           "infinite-past",
                           "-2026-11-01",
                           "14:30",
                           "2026-11-01T14:30:05Q",
                           "99999999999999999999d",
                           "9223372036854775807w"}) {
    EXPECT_THAT(Parsed(text), HasSubstr("\" is no time; one is 2026-11-01, ")) << text;
  }
  EXPECT_THAT(Parsed("2300-01-01"), HasSubstr("\"2300-01-01\" is out of range"));
  EXPECT_THAT(Parsed("1600-01-01"), HasSubstr("is out of range"));
  EXPECT_EQ(*ParseMoment("100000d", std::numeric_limits<TimeNs>::min(), absl::UTCTimeZone()),
            std::numeric_limits<TimeNs>::min());
}

TEST(ParseSpanTest, OneUnitAndMoreThanNothing) {
  EXPECT_EQ(*ParseSpan("90s"), 90 * kSecond);
  EXPECT_EQ(*ParseSpan("5m"), 300 * kSecond);
  EXPECT_EQ(*ParseSpan("2w"), 14 * 86'400 * kSecond);
  for (const char* text : {"0s", "5", "m", "", "5min", "-5m", "5m "}) {
    EXPECT_THAT(std::string(ParseSpan(text).status().message()), HasSubstr("is no span of time; one is 90s, 5m"))
        << text;
  }
}

}  // namespace
}  // namespace foldlog::cli
