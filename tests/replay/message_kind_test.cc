// Messages that differ only in what differs from case to case are of one kind.

#include "replay/message_kind.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>

#include "tests/support/test_support.h"

namespace foldlog {
namespace {

std::string Kind(std::string_view message) { return MessageKind(message, "/photos/a b.jpg"); }

TEST(MessageKind, NumbersAreReplaced) {
  EXPECT_EQ(Kind("read 17 of 2,048.5 bytes at 12:30:05."), "read <n> of <n> bytes at <n>.");
  EXPECT_EQ(Kind("page12: -3, 7"), "page<n>: -<n>, <n>");
  EXPECT_EQ(Kind("on 2026-11-30"), "on <n>-<n>-<n>");
  EXPECT_EQ(Kind("20261130"), "<n>");
}

TEST(MessageKind, HexadecimalNumbersAreReplaced) {
  EXPECT_EQ(Kind("bad hash 0b8f3c5e at 0x1F"), "bad hash <hex> at <hex>");
  EXPECT_EQ(Kind("id 550e8400-e29b-41d4-a716-446655440000 unknown"), "id <hex> unknown");
  EXPECT_EQ(Kind("defaced facade 0xyz"), "defaced facade <n>xyz") << "words, and what only begins like one";
}

TEST(MessageKind, QuotedPartsAreReplaced) {
  EXPECT_EQ(Kind("no tag 'Date Time' in \"x, y\""), "no tag <text> in <text>");
  EXPECT_EQ(Kind("‘it's’ is “it”, `that'"), "<text> is <text>, <text>");
  EXPECT_EQ(Kind("can't read, won't wait"), "can't read, won't wait");
  EXPECT_EQ(Kind("left 'open"), "left 'open");
}

TEST(MessageKind, PathsAreReplaced) {
  EXPECT_EQ(Kind("/photos/a b.jpg: too large"), "<path>: too large") << "the file's own, with its blank";
  EXPECT_EQ(Kind("open /etc/x.conf: I/O error"), "open <path>: I/O error");
  EXPECT_EQ(Kind("(../a, ./b, ~/c)"), "(<path>, <path>, <path>)");
  EXPECT_EQ(Kind("a / b and/or c"), "a / b and/or c");
  EXPECT_EQ(MessageKind("a", "a"), "a") << "one letter says nothing";
}

TEST(MessageKind, KindsOfLongMessagesAreShort) {
  const std::string kind = Kind(std::string(511, 'x') + "ä and so on");
  EXPECT_EQ(kind, std::string(511, 'x'));
  EXPECT_EQ(Kind(std::string(100'000, 'x') + "a"), Kind(std::string(100'000, 'x') + "b"));
  EXPECT_EQ(Kind(""), "");
}

TEST(MessageKind, AnyBytesHaveAKindAndNoDigitIsLeft) {
  std::mt19937_64 random(TestSeed());
  for (int i = 0; i < 20'000; ++i) {
    std::string message = RandomBytes(random, 60);
    // Mostly of what means something.
    for (char& byte : message) {
      if (random() % 4 != 0) byte = "0a/.'\"`x- :~‘’"[random() % 18];
    }
    const std::string kind = MessageKind(message, RandomBytes(random, 3));
    EXPECT_LE(kind.size(), kMessageKindBytesMax);
    EXPECT_EQ(kind.find_first_of("0123456789"), std::string::npos) << message;
  }
}

}  // namespace
}  // namespace foldlog
