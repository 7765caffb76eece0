// Curves and groups of errors as people see them.

#include "tools/cli/story_text.h"

#include <cmath>
#include <cstdlib>

#include "tests/support/render_support.h"
#include "tests/support/test_support.h"
#include "tools/cli/curve.h"

namespace foldlog::cli {
namespace {

using testing::HasSubstr;

TEST(StoryText, ACurveIsAsHighAsItsValues) {
  EXPECT_EQ(Curve({0, 1, 3.5, 7}, /*unicode=*/true), "▁▂▅█");
  EXPECT_EQ(Curve({0, 1, 3.5, 7}, /*unicode=*/false), "_.=#");
  EXPECT_EQ(Curve({0, 0}, true), "▁▁");
  EXPECT_EQ(Curve({-1, std::nan(""), HUGE_VAL, 2}, true), "▁▁██") << "no number is a height of its own";
  EXPECT_EQ(Curve({}, true), "");
}

TEST(StoryText, ThePlaceSaysWhetherThereIsUnicode) {
  const auto is_unicode = [](const char* all, const char* lang) {
    setenv("LC_ALL", all, 1);
    unsetenv("LC_CTYPE");
    setenv("LANG", lang, 1);
    return IsUnicodeLocale();
  };
  EXPECT_TRUE(is_unicode("", "de_DE.UTF-8"));
  EXPECT_TRUE(is_unicode("C.utf8", "C"));
  EXPECT_FALSE(is_unicode("C", "de_DE.UTF-8")) << "LC_ALL comes first";
  EXPECT_FALSE(is_unicode("", ""));
}

ErrorGroup GroupAt(TimeNs time, const std::string& key) {
  return {.key = key, .count = 2, .first_time = time, .last_time = time};
}

TEST(StoryText, ATimeOfTheOtherHalfOfTheYearSaysItsZone) {
  Look look;
  ASSERT_TRUE(absl::LoadTimeZone("Europe/Berlin", &look.zone));
  const TimeNs summer = kStart + std::int64_t{180} * 24 * 3600 * kSecond;
  const std::string text =
      Joined(ErrorGroupsText({.groups = {GroupAt(kStart, "a"), GroupAt(summer, "b")}}, "KIND", 9, look));
  EXPECT_THAT(text, HasSubstr("FIRST (+01:00)"));
  EXPECT_THAT(text, HasSubstr("2026-01-02 04:04:05  "));
  EXPECT_THAT(text, HasSubstr("2026-07-01 05:04:05 +02:00"));
}

TEST(StoryText, LongExamplesAreCutAndGroupsThatAreNotShownCounted) {
  ErrorGroup group = GroupAt(kStart, "a");
  group.examples = {{.error = {.path = "/p", .message = std::string(1'000'000, 'x')}}};
  const Lines lines = ErrorGroupsText({.groups = {group, GroupAt(kStart, "b")}, .left_out = 3}, "KIND", 1, {});
  ASSERT_EQ(lines.size(), 5u);
  EXPECT_LT(lines[3].text.size(), 500u);
  EXPECT_THAT(lines[3].text, HasSubstr("/p: xxx"));
  EXPECT_EQ(lines[4].text, "… and 5 more errors, of other groups");
}

}  // namespace
}  // namespace foldlog::cli
