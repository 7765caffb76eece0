// What the foldlog program does to text: escaping for terminals, times, durations, counts, columns, options.

#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tools/cli/arguments.h"
#include "tools/cli/csv.h"
#include "tools/cli/help_text.h"
#include "tools/cli/layout.h"
#include "tools/cli/nearest.h"
#include "tools/cli/printable.h"
#include "tools/cli/time_format.h"

namespace foldlog::cli {
namespace {

using testing::ElementsAre;
using testing::Pair;

constexpr TimeNs kSecond = 1'000'000'000;
constexpr TimeNs kMinute = 60 * kSecond;
constexpr TimeNs kHour = 60 * kMinute;
constexpr TimeNs kEarliest = std::numeric_limits<TimeNs>::min();
constexpr TimeNs kLatest = std::numeric_limits<TimeNs>::max();

TEST(PrintableTest, OrdinaryTextStays) {
  EXPECT_EQ(Printable("/photos/R\u00e9sum\u00e9 \u6570\u636e \U0001f600 \\n.jpg"),
            "/photos/R\u00e9sum\u00e9 \u6570\u636e \U0001f600 \\n.jpg");
  EXPECT_EQ(Printable(""), "");
}

TEST(PrintableTest, ControlCharactersAreEscaped) {
  EXPECT_EQ(Printable("a\nb\rc\td"), R"(a\nb\rc\td)");
  EXPECT_EQ(Printable(std::string_view("\0\x1b[31m\x7f", 7)), R"(\x00\x1b[31m\x7f)");
  EXPECT_EQ(Printable("\u0080\u009b1m\u009f\u00a0"), "\\u0080\\u009b1m\\u009f\u00a0") << "C1, up to its edge";
}

TEST(PrintableTest, WhatChangesTheReadingOrderIsEscaped) {
  EXPECT_EQ(Printable("a\u202eb\u202ac\u2066d\u2069"), R"(a\u202eb\u202ac\u2066d\u2069)");
  EXPECT_EQ(Printable("\u200e\u200f\u061c\u2028\u2029"), R"(\u200e\u200f\u061c\u2028\u2029)");
  EXPECT_EQ(Printable("\u2030\u2027\u2010"), "\u2030\u2027\u2010") << "their neighbours stay";
}

// Not one of them leaves a trace on a terminal, so names that differ would look the same.
TEST(PrintableTest, WhatHasNoShapeIsEscaped) {
  EXPECT_EQ(Printable("\u00ad\u200b\u200c\u200d\u2060\u2064\u206a\u206f\ufeff"),
            R"(\u00ad\u200b\u200c\u200d\u2060\u2064\u206a\u206f\ufeff)");
  EXPECT_EQ(Printable("x\ufe00x\ufe0fx\U000e0100x\U000e01ef"), R"(x\ufe00x\ufe0fx\U000e0100x\U000e01ef)")
      << "variation selectors";
  EXPECT_EQ(Printable("\U000e0001\U000e0041\U000e007f"), R"(\U000e0001\U000e0041\U000e007f)") << "tags";
  EXPECT_EQ(Printable("x\u034fx\u115fx\u1160x\u3164x\uffa0x\u180e"), R"(x\u034fx\u115fx\u1160x\u3164x\uffa0x\u180e)")
      << "fillers and separators of scripts";
  EXPECT_EQ(Printable("\u0378\uffff\U0010ffff\U000e0fff"), R"(\u0378\uffff\U0010ffff\U000e0fff)") << "no characters";
}

TEST(PrintableTest, MarksStayOnlyWhereThereIsSomethingToMark) {
  EXPECT_EQ(Printable("e\u0301\u0323x"), "e\u0301\u0323x");
  EXPECT_EQ(Printable("\u0301e"), R"(\u0301e)") << "it would be drawn over what stands before the text";
  std::string tower = "e";
  for (int i = 0; i < 9; ++i) tower += "\u0301";
  EXPECT_EQ(Printable(tower), tower.substr(0, 17) + R"(\u0301)") << "over the lines above";
  EXPECT_EQ(Printable(Printable(tower)), Printable(tower));
}

TEST(PrintableTest, WidthIsThatOfTheTerminal) {
  EXPECT_EQ(Width("abc"), 3u);
  EXPECT_EQ(Width("e\u0301\u0323"), 1u) << "combining marks take no column";
  EXPECT_EQ(Width("\u1e00\u2026\u20ac\u2500"), 4u) << "not everything behind U+1100 is wide";
  EXPECT_EQ(Width("\u1100\u6570\uac00\uff21\u3000"), 10u);
  EXPECT_EQ(Width("\U0001f600\U0001f680"), 4u) << "emoji";
  EXPECT_EQ(Width("\u0e01\u0e34\u0e01"), 2u) << "Thai vowels stand above";
}

TEST(PrintableTest, BytesThatAreNotUtf8AreEscapedOneByOne) {
  EXPECT_EQ(Printable("a\xff\xc3(\x9b"), R"(a\xff\xc3(\x9b)");
  EXPECT_EQ(Printable("\xed\xa0\x80\xc0\xaf"), R"(\xed\xa0\x80\xc0\xaf)");
}

TEST(PrintableTest, DoingItTwiceChangesNothing) {
  const std::string once = Printable("\\\x1b\n\xff\u202e\u00e9");
  EXPECT_EQ(Printable(once), once);
}

TEST(PrintableTest, TruncationCountsWideCharactersTwiceAndSplitsNone) {
  EXPECT_EQ(TruncateToWidth("abcdef", 4), "abcd");
  EXPECT_EQ(TruncateToWidth("abc", 4), "abc");
  EXPECT_EQ(TruncateToWidth("\u00e9\u00e9\u00e9", 2), "\u00e9\u00e9");
  EXPECT_EQ(TruncateToWidth("\u6570\u636e", 3), "\u6570");
  EXPECT_EQ(TruncateToWidth("abc", 0), "");
  EXPECT_EQ(TruncateToWidth("e\u0301f\u0301g", 2), "e\u0301f\u0301") << "marks stay with what they mark";
}

TEST(TimeFormatTest, Rfc3339HasAllNanoseconds) {
  EXPECT_EQ(Rfc3339(0), "1970-01-01T00:00:00.000000000Z");
  EXPECT_EQ(Rfc3339(1767323045123456789), "2026-01-02T03:04:05.123456789Z");
  EXPECT_EQ(Rfc3339(-1), "1969-12-31T23:59:59.999999999Z");
  EXPECT_EQ(Rfc3339(951782400 * kSecond), "2000-02-29T00:00:00.000000000Z");
  EXPECT_EQ(Rfc3339(kEarliest), "1677-09-21T00:12:43.145224192Z");
  EXPECT_EQ(Rfc3339(kLatest), "2262-04-11T23:47:16.854775807Z");
}

TEST(TimeFormatTest, PeopleGetSecondsOrMilliseconds) {
  EXPECT_EQ(HumanTime(1767323045999999999), "2026-01-02 03:04:05 UTC");
  EXPECT_EQ(ColumnTime(-1), "1969-12-31 23:59:59");
  EXPECT_EQ(EventTime(1767323045123999999), "2026-01-02 03:04:05.123Z");
}

TEST(TimeFormatTest, PeopleGetTheirZone) {
  const absl::TimeZone india = absl::FixedTimeZone(19'800);
  EXPECT_EQ(HumanTime(1767323045999999999, india), "2026-01-02 08:34:05 +05:30");
  EXPECT_EQ(ColumnTime(1767323045999999999, india), "2026-01-02 08:34:05");
  EXPECT_EQ(EventTime(1767323045123999999, india), "2026-01-02 08:34:05.123+05:30");
  EXPECT_EQ(ZoneText(0, absl::FixedTimeZone(-3600)), "-01:00");
  EXPECT_EQ(ZoneText(0, absl::UTCTimeZone()), "UTC");
}

TEST(TimeFormatTest, BriefAgesHaveOneUnit) {
  EXPECT_EQ(BriefAgo(0, kSecond - 1), "just now");
  EXPECT_EQ(BriefAgo(0, kMinute - 1), "59 s ago");
  EXPECT_EQ(BriefAgo(0, kHour - 1), "59 min ago");
  EXPECT_EQ(BriefAgo(0, 48 * kHour - 1), "47 h ago");
  EXPECT_EQ(BriefAgo(0, 48 * kHour), "2 d ago");
  EXPECT_EQ(BriefAgo(5 * kMinute, 0), "in 5 min");
  EXPECT_EQ(BriefAgo(kEarliest, kLatest), "213503 d ago");
}

TEST(TimeFormatTest, DurationsHaveAtMostTwoUnits) {
  EXPECT_EQ(HumanDuration(0, 0), "0 s");
  EXPECT_EQ(HumanDuration(0, 999'999), "under 1 ms");
  EXPECT_EQ(HumanDuration(0, 1), "under 1 ms");
  EXPECT_EQ(HumanDuration(0, 340'999'999), "340 ms");
  EXPECT_EQ(HumanDuration(0, 12'399'999'999), "12.3 s");
  EXPECT_EQ(HumanDuration(0, kMinute - 1), "59.9 s");
  EXPECT_EQ(HumanDuration(kMinute, 6 * kMinute + 12 * kSecond), "5 min 12 s");
  EXPECT_EQ(HumanDuration(0, 24 * kHour - 1), "23 h 59 min");
  EXPECT_EQ(HumanDuration(0, 292 * kHour), "12 d 4 h");
}

TEST(TimeFormatTest, DurationsSurviveClocksThatWereSetBackAndTheExtremes) {
  EXPECT_EQ(HumanDuration(12'300'000'000, 0), "-12.3 s");
  EXPECT_EQ(HumanDuration(kEarliest, kLatest), "213503 d 23 h");
  EXPECT_EQ(HumanDuration(kLatest, kEarliest), "-213503 d 23 h");
}

TEST(TimeFormatTest, AgoLooksBothWays) {
  EXPECT_EQ(HumanAgo(0, 12'300'000'000), "12.3 s ago");
  EXPECT_EQ(HumanAgo(12'300'000'000, 0), "12.3 s from now");
  EXPECT_EQ(HumanAgo(kSecond, kSecond + 5), "just now");
}

TEST(TimeFormatTest, TimeLeftIsTheRestAtThePresentRate) {
  EXPECT_EQ(TimeLeft(1000, 400, 60.0), "10.0 s");
  EXPECT_EQ(TimeLeft(1000, 400, 0.0), std::nullopt);
  EXPECT_EQ(TimeLeft(1000, 1000, 60.0), std::nullopt);
  EXPECT_EQ(TimeLeft(1000, 2000, 60.0), std::nullopt) << "more files than there were";
  EXPECT_EQ(TimeLeft(std::numeric_limits<std::int64_t>::max(), 0, 1e-300), std::nullopt);
}

TEST(TimeFormatTest, CountsAreGrouped) {
  EXPECT_EQ(Grouped(std::int64_t{0}), "0");
  EXPECT_EQ(Grouped(std::int64_t{999}), "999");
  EXPECT_EQ(Grouped(std::int64_t{1000}), "1,000");
  EXPECT_EQ(Grouped(std::int64_t{-1234567}), "-1,234,567");
  EXPECT_EQ(Grouped(std::numeric_limits<std::int64_t>::min()), "-9,223,372,036,854,775,808");
  EXPECT_EQ(Grouped(std::numeric_limits<std::uint64_t>::max()), "18,446,744,073,709,551,615");
}

TEST(TimeFormatTest, RatesHaveOneDecimal) {
  EXPECT_EQ(OneDecimal(0.0), "0.0");
  EXPECT_EQ(OneDecimal(1234.56), "1,234.6");
  EXPECT_EQ(OneDecimal(-0.04), "0.0");
  EXPECT_EQ(OneDecimal(-12.34), "-12.3");
  EXPECT_EQ(OneDecimal(std::numeric_limits<double>::infinity()), "-");
  EXPECT_EQ(OneDecimal(1e300), "-");
}

TEST(LayoutTest, ValuesStandBelowEachOtherAndAreEscaped) {
  Fields fields;
  fields.Add("Status", "idle");
  fields.AddAll("Roots", {"/a\nb", "/c"});
  fields.AddAll("None", {});
  EXPECT_THAT(fields.lines(), ElementsAre("Status         idle", "Roots          /a\\nb", "               /c"));
}

TEST(LayoutTest, ColumnsAreAsWideAsTheirWidestCell) {
  Table table({{"NAME"}, {"FILES", Table::Align::kRight}, {"PATH"}});
  table.AddRow({"a", "1,000,000", "/x"});
  table.AddRow({"longer", "2", "/\x1b"});
  EXPECT_THAT(table.Render(),
              ElementsAre("NAME        FILES  PATH", "a       1,000,000  /x", "longer          2  /\\x1b"));
}

TEST(LayoutTest, TableThatIsTooWideIsCutInItsWidestTexts) {
  Table table({{"NAME"}, {"FILES", Table::Align::kRight}, {"PATH"}});
  table.AddRow({"\u6570\u636e\u6570\u636e\u6570\u636e\u6570\u636e", "1", "a path that is long"});
  table.AddRow({"b", "123456", "/"});
  for (std::size_t columns = 45; columns >= 26; --columns) {
    for (const StyledLine& line : table.Render(columns)) EXPECT_LE(Width(line.text), columns) << line.text;
  }
  EXPECT_THAT(table.Render(30), ElementsAre("NAME         FILES  PATH",  //
                                            "\u6570\u636e\u6570\u636e…        1  a path th…", "b           123456  /"));
  EXPECT_EQ(table.Render(std::nullopt, /*heading=*/false).size(), 2u);
}

TEST(LayoutTest, ColumnWithNothingInItMayBeLeftOut) {
  const std::vector<Table::Column> columns = {{"NAME"}, {.heading = "NOTE", .left_out_if_empty = true}, {"PATH"}};
  Table empty(columns);
  empty.AddRow({"a", "", "/x"});
  EXPECT_EQ(empty.width(), 10u);
  EXPECT_THAT(empty.Render(), ElementsAre("NAME  PATH", "a     /x"));
  Table filled(columns);
  filled.AddRow({"a", "", ""});
  filled.AddRow({"b", "n", ""});
  EXPECT_EQ(filled.width(), 16u);
  EXPECT_THAT(filled.Render(), ElementsAre("NAME  NOTE  PATH", "a", "b     n"));
}

TEST(LayoutTest, WhatStandsOutIsCutWithItsCell) {
  Table table({{"NAME"}, {"STATUS"}});
  table.AddRow({"a", {"a long\nstatus", Tone::kBad}});
  EXPECT_THAT(table.Render()[1].tints, ElementsAre(Tint{6, 14, Tone::kBad}));
  const StyledLine line = table.Render(14)[1];
  EXPECT_EQ(line.text, "a     a long\\…");
  EXPECT_THAT(line.tints, ElementsAre(Tint{6, 10, Tone::kBad}));
}

TEST(CsvTest, OnlyWhatNeedsQuotesHasThem) {
  EXPECT_EQ(CsvRecord({"a", "", "b c", "\xff"}), "a,,b c,\xff");
  EXPECT_EQ(CsvRecord({"a,b", "\"", "x\ny", "\r"}), "\"a,b\",\"\"\"\",\"x\ny\",\"\r\"");
  EXPECT_EQ(CsvRecord({""}), "");
}

// ---- help -----------------------------------------------------------------------------------------------------------

TEST(HelpTest, ProseIsWrappedAndExamplesStay) {
  EXPECT_THAT(Wrapped("one two three\nfour\nExamples:\n  a  b  c  d  e  f\n\nend", 9),
              ElementsAre("one two", "three", "four", "Examples:", "  a  b  c  d  e  f", "", "end"));
  EXPECT_THAT(Wrapped("a verylongword b", 5), ElementsAre("a", "verylongword", "b"));
}

TEST(NearestTest, MistypedWordsAreRecognised) {
  const std::vector<std::string> known = {"status", "start", "history", "show", "events", "--since", "--until"};
  EXPECT_THAT(Nearest("histroy", known), ElementsAre("history"));
  EXPECT_THAT(Nearest("sta", known), ElementsAre("status", "start"));
  EXPECT_THAT(Nearest("evnts", known), ElementsAre("events"));
  EXPECT_THAT(Nearest("--sicne", known), ElementsAre("--since"));
  EXPECT_THAT(Nearest("frobnicate", known), ElementsAre());
  EXPECT_THAT(Nearest("x", known), ElementsAre());
  EXPECT_THAT(Nearest("", known), ElementsAre());
  EXPECT_THAT(Nearest(std::string(1000, 's'), known), ElementsAre());
  EXPECT_EQ(DidYouMean("sta", known), "; did you mean status or start?");
  EXPECT_EQ(DidYouMean("x", known), "");
}

// ---- options --------------------------------------------------------------------------------------------------------

// One of each sort, parsed from a command line.
struct Parsed {
  std::string text;
  std::optional<std::int64_t> count;
  std::vector<std::string> list;
  std::vector<std::string> texts;
  Metadata pairs;
  Stats stats;
};

Parsed Parse(std::vector<const char*> arguments) {
  Parsed parsed;
  CLI::App app;
  AddText(app, "--text", parsed.text, "");
  AddCount(app, "--count", parsed.count, "");
  AddTextList(app, "LIST", parsed.list, "");
  AddTexts(app, "--each", parsed.texts, "");
  AddPairs(app, "--pair", parsed.pairs, "");
  AddStats(app, "--stat", parsed.stats, "");
  arguments.insert(arguments.begin(), "program");
  app.parse(GuardedArguments(static_cast<int>(arguments.size()), arguments.data()));
  return parsed;
}

TEST(ArgumentsTest, ValuesArriveAsTheyAre) {
  for (const char* value : {"[a,b]", "[[x]]", "[]", "{}", "%%", "a=b", "--text", "-x", "", " ", "\xff\n"}) {
    EXPECT_EQ(Parse({"--text", value}).text, value);
    EXPECT_THAT(Parse({"--each", value, "--each", value}).texts, ElementsAre(value, value));
  }
  for (const char* value : {"[a,b]", "[[x]]", "[]", "{}", "%%", "a=b", "-x", " ", "\xff\n"}) {
    EXPECT_THAT(Parse({"--", value, value}).list, ElementsAre(value, value));
  }
}

TEST(ArgumentsTest, AnEmptyValueBehindAnEqualsSignTakesNoOther) {
  const Parsed parsed = Parse({"--text=", "next"});
  EXPECT_EQ(parsed.text, "");
  EXPECT_THAT(parsed.list, ElementsAre("next"));
  EXPECT_THAT(Parse({"--", "--text="}).list, ElementsAre("--text="));
}

TEST(ArgumentsTest, AnOptionThatMayBeRepeatedTakesOneValueEachTime) {
  const Parsed parsed = Parse({"--each", "a", "b", "--each", "c"});
  EXPECT_THAT(parsed.texts, ElementsAre("a", "c"));
  EXPECT_THAT(parsed.list, ElementsAre("b"));
}

TEST(ArgumentsTest, CountsAreDecimalAndNotNegative) {
  EXPECT_EQ(Parse({"--count", "010"}).count, 10);
  EXPECT_EQ(Parse({"--count", "9223372036854775807"}).count, std::numeric_limits<std::int64_t>::max());
  for (const char* wrong : {"-1", "", "x", "0x10", "1.0", " 1", "+1", "1 ", "9223372036854775808"}) {
    EXPECT_THROW(Parse({"--count", wrong}), CLI::ValidationError) << wrong;
  }
}

TEST(ArgumentsTest, PairsAreSplitAtTheFirstEqualsSign) {
  EXPECT_THAT(Parse({"--pair", "a=b=c", "--pair", "d="}).pairs, ElementsAre(Pair("a", "b=c"), Pair("d", "")));
  EXPECT_THROW(Parse({"--pair", "ab"}), CLI::ValidationError);
  EXPECT_THROW(Parse({"--pair", "=b"}), CLI::ValidationError);
}

TEST(ArgumentsTest, StatisticsAreNumbersIfTheyLookLikeThem) {
  const auto stat = [](const char* text) { return Parse({"--stat", text}).stats.at(0).second; };
  EXPECT_EQ(stat("n=12"), StatValue(std::int64_t{12}));
  EXPECT_EQ(stat("n=-9223372036854775808"), StatValue(std::numeric_limits<std::int64_t>::min()));
  EXPECT_EQ(stat("n=0"), StatValue(std::int64_t{0}));
  EXPECT_EQ(stat("n=12.5"), StatValue(12.5));
  EXPECT_EQ(stat("n=-1e-3"), StatValue(-0.001));
  EXPECT_EQ(stat("n=1E+2"), StatValue(100.0));
  for (const char* text :
       {"", "007", "+1", "1.", ".5", "1e", "-", "0x10", "nan", "inf", "1 ", "12abc", "1e999", "9223372036854775808"}) {
    EXPECT_EQ(stat((std::string("n=") + text).c_str()), StatValue(std::string(text))) << text;
  }
}

}  // namespace
}  // namespace foldlog::cli
