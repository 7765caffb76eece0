// Times as seconds in a double: exact in both directions, by the word of Python's fractions.

#include "engine/seconds.h"

#include <bit>
#include <cmath>
#include <limits>

#include "tests/support/ask_python.h"
#include "tests/support/test_support.h"

namespace foldlog {
namespace {

constexpr TimeNs kMin = std::numeric_limits<TimeNs>::min();
constexpr TimeNs kMax = std::numeric_limits<TimeNs>::max();

TEST(SecondsOf, IsRoundedOnce) {
  EXPECT_EQ(SecondsOf(0), 0.0);
  EXPECT_EQ(SecondsOf(1), 1e-9);
  EXPECT_EQ(SecondsOf(-1'500'000'000), -1.5);
  EXPECT_EQ(SecondsOf(1'701'387'606'287'576'199), 1701387606.2875762);
  // Half-way between two doubles of nanoseconds: dividing the rounded count would end up at the wrong neighbour.
  constexpr TimeNs kTwiceRounded = 1'704'931'233'089'714'052;
  EXPECT_NE(SecondsOf(kTwiceRounded), static_cast<double>(kTwiceRounded) / 1e9);
}

TEST(TimeOf, RefusesWhatIsNoTime) {
  for (const double seconds : {std::nan(""), HUGE_VAL, -HUGE_VAL, 1e300, 9223372036.854776, -9223372036.854777}) {
    EXPECT_THAT(TimeOf(seconds), Fails(absl::StatusCode::kInvalidArgument, testing::HasSubstr("time"))) << seconds;
  }
  EXPECT_EQ(*TimeOf(-9223372036.854774), -9'223'372'036'854'774'475);
  EXPECT_EQ(*TimeOf(9223372036.854774), 9'223'372'036'854'774'475);
}

TEST(TimeOf, AHalfGoesToTheEvenNanosecond) {
  // 2^-10 s is 976562.5 ns, 3 * 2^-10 is 2929687.5 ns.
  EXPECT_EQ(*TimeOf(std::ldexp(1.0, -10)), 976'562);
  EXPECT_EQ(*TimeOf(std::ldexp(3.0, -10)), 2'929'688);
  EXPECT_EQ(*TimeOf(-std::ldexp(3.0, -10)), -2'929'688);
}

TEST(Seconds, EveryDoubleFromTheSpringOf1970To2262ComesBack) {
  std::mt19937_64 random(TestSeed());
  std::uniform_real_distribution<double> any(8'388'608.0, 9'223'372'036.0);
  for (int i = 0; i < 300'000; ++i) {
    const double seconds = i % 2 == 0 ? any(random) : -std::exp2(23 + 10 * std::generate_canonical<double, 53>(random));
    ASSERT_OK_AND_ASSIGN(const TimeNs time, TimeOf(seconds));
    ASSERT_EQ(SecondsOf(time), seconds);
  }
  const double too_fine = std::nextafter(4'194'304.0, 0.0);
  EXPECT_NE(SecondsOf(*TimeOf(too_fine)), too_fine);
}

// Python divides integers and fractions into the closest double, and rounds a fraction to the closest integer; even if
// two are as close.
TEST(SecondsDifferential, BothDirectionsAreWhatExactFractionsGive) {
  std::mt19937_64 random(TestSeed());
  std::vector<std::string> inputs;
  std::vector<std::string> ours;
  const auto bits = [](double value) { return std::to_string(std::bit_cast<std::uint64_t>(value)); };
  const auto add = [&](TimeNs time, double seconds) {
    const auto back = TimeOf(seconds);
    inputs.push_back(std::to_string(time) + " " + bits(seconds));
    ours.push_back(bits(SecondsOf(time)) + " " + (back.ok() ? std::to_string(*back) : "none"));
  };
  for (const TimeNs time : {kMin, kMin + 1, kMax, TimeNs{1} << 53, (TimeNs{1} << 53) + 1, TimeNs{0}}) {
    add(time, static_cast<double>(time) / 1e9);
  }
  for (int i = 0; i < 60'000; ++i) {
    const TimeNs time = static_cast<TimeNs>(random()) >> (random() % 64);
    // Multiples of a power of two hit the halves between nanoseconds, or come close.
    const double binary =
        std::ldexp(static_cast<double>(random() >> (random() % 64)), -static_cast<int>(random() % 70));
    add(time, random() % 2 == 0 ? binary : -SecondsOf(time));
    // The closest double to a half: its product with 1e9 looks like one, but is a little more or less.
    add(time, (static_cast<double>(random() % 1'000'000'000) + 0.5) / 1e9);
    add(1'700'000'000'000'000'000 + static_cast<TimeNs>(random() % 100'000'000'000'000'000),
        std::bit_cast<double>(random()));
  }
  const std::vector<std::string> pythons = AskPython(inputs, R"(
import math, struct, sys
from fractions import Fraction
for line in sys.stdin:
    time, bits = map(int, line.split())
    seconds = struct.unpack("<d", struct.pack("<Q", bits))[0]
    back = round(Fraction(seconds) * 10**9) if math.isfinite(seconds) else None
    kept = back is not None and -2**63 <= back < 2**63
    print(struct.unpack("<Q", struct.pack("<d", time / 10**9))[0], back if kept else "none")
)");
  ASSERT_EQ(pythons.size(), ours.size()) << "Python stopped early";
  for (std::size_t i = 0; i < ours.size(); ++i) ASSERT_EQ(ours[i], pythons[i]) << inputs[i];
}

}  // namespace
}  // namespace foldlog
