// The printable part of a text ends where a look at each byte says so.

#include "engine/base/ascii.h"

#include <algorithm>
#include <random>
#include <string>

#include "tests/support/test_support.h"

namespace foldlog {
namespace {

TEST(Ascii, PrefixEndsAtTheFirstByteThatIsNotWanted) {
  std::mt19937_64 random(TestSeed());
  for (int round = 0; round < 200'000; ++round) {
    std::string text(random() % 40, 'x');
    for (char& c : text) c = static_cast<char>(' ' + random() % 95);
    for (std::uint64_t odd = random() % 3; odd > 0 && !text.empty(); --odd) {
      text[random() % text.size()] = static_cast<char>(random());
    }
    const auto printable = [](char c) { return c >= 0x20 && c < 0x7f; };
    const auto plain = [&](char c) { return printable(c) && c != '"' && c != '\\'; };
    ASSERT_EQ(PrintableAsciiPrefix(text), std::find_if_not(text.begin(), text.end(), printable) - text.begin()) << text;
    ASSERT_EQ(PrintableAsciiPrefix(text, '"', '\\'), std::find_if_not(text.begin(), text.end(), plain) - text.begin())
        << text;
  }
}

}  // namespace
}  // namespace foldlog
