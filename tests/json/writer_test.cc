// The JSON writer against claims, and against Python itself.

#include "engine/json/writer.h"

#include <bit>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/ask_python.h"

namespace foldlog {
namespace {

std::string JsonString(std::string_view bytes) {
  std::string out;
  AppendJsonString(bytes, out);
  return out;
}

std::string JsonFloat(double value) {
  JsonWriter json;
  json.Float(value);
  return json.Take();
}

std::string JsonInteger(std::int64_t value) {
  JsonWriter json;
  json.Integer(value);
  return json.Take();
}

TEST(JsonWriterTest, SeparatorsAreThoseOfPythonsDefault) {
  JsonWriter json;
  json.BeginObject();
  json.Key("list");
  json.BeginArray();
  json.Integer(-1);
  json.Unsigned(18446744073709551615U);
  json.BeginObject();
  json.EndObject();
  json.BeginArray();
  json.EndArray();
  json.EndArray();
  json.Key("yes");
  json.Bool(true);
  json.Key("no");
  json.Bool(false);
  json.Key("none");
  json.Null();
  json.Key("inner");
  json.BeginObject();
  json.Key("a");
  json.String("b");
  json.EndObject();
  json.EndObject();
  EXPECT_EQ(json.text(), R"({"list": [-1, 18446744073709551615, {}, []], "yes": true, "no": false, "none": null, )"
                         R"("inner": {"a": "b"}})");
}

TEST(JsonWriterTest, TakeLeavesTheWriterReadyForAnother) {
  JsonWriter json;
  json.Integer(std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(json.Take(), "-9223372036854775808");
  json.BeginArray();
  json.EndArray();
  EXPECT_EQ(json.Take(), "[]");
}

TEST(JsonStringTest, ControlCharactersQuotesAndDelAreEscaped) {
  EXPECT_EQ(JsonString(std::string_view("\0\x01\b\t\n\x0b\f\r\x1f \"\\/~\x7f", 15)),
            R"("\u0000\u0001\b\t\n\u000b\f\r\u001f \"\\/~\u007f")");
}

TEST(JsonStringTest, CharactersOutsideAsciiAreEscapedAsUtf16) {
  EXPECT_EQ(JsonString("R\u00e9sum\u00e9 \uffff"), R"("R\u00e9sum\u00e9 \uffff")");
  EXPECT_EQ(JsonString("\U0001f600\U00010000\U0010ffff"), R"("\ud83d\ude00\ud800\udc00\udbff\udfff")");
}

TEST(JsonStringTest, BytesThatAreNotUtf8BecomeLoneSurrogates) {
  EXPECT_EQ(JsonString("a\xff"), R"("a\udcff")");
  EXPECT_EQ(JsonString("\x80"), R"("\udc80")");
  EXPECT_EQ(JsonString("\xc0\xaf"), R"("\udcc0\udcaf")") << "overlong, two bytes";
  EXPECT_EQ(JsonString("\xe0\x9f\xbf"), R"("\udce0\udc9f\udcbf")") << "overlong, three bytes";
  EXPECT_EQ(JsonString("\xf0\x8f\xbf\xbf"), R"("\udcf0\udc8f\udcbf\udcbf")") << "overlong, four bytes";
  EXPECT_EQ(JsonString("\xed\xa0\x80"), R"("\udced\udca0\udc80")") << "an encoded surrogate";
  EXPECT_EQ(JsonString("\xf4\x90\x80\x80"), R"("\udcf4\udc90\udc80\udc80")") << "beyond U+10FFFF";
  EXPECT_EQ(JsonString("\xe2\x82"), R"("\udce2\udc82")") << "truncated";
  EXPECT_EQ(JsonString("\xe2\x82(\xc3\xa9"), R"("\udce2\udc82(\u00e9")") << "the character behind is intact";
}

TEST(JsonFloatTest, DigitsAreTheShortestThatReadBack) {
  EXPECT_EQ(JsonFloat(0.0), "0.0");
  EXPECT_EQ(JsonFloat(-0.0), "-0.0");
  EXPECT_EQ(JsonFloat(1.0), "1.0");
  EXPECT_EQ(JsonFloat(-2.5), "-2.5");
  EXPECT_EQ(JsonFloat(0.1), "0.1");
  EXPECT_EQ(JsonFloat(100.0), "100.0");
  EXPECT_EQ(JsonFloat(1701387606.2875762), "1701387606.2875762");
  EXPECT_EQ(JsonFloat(5e-324), "5e-324");
  EXPECT_EQ(JsonFloat(std::numeric_limits<double>::max()), "1.7976931348623157e+308");
}

TEST(JsonFloatTest, ExponentsStartAt1e16AndBelow1eMinus4) {
  EXPECT_EQ(JsonFloat(9999999999999998.0), "9999999999999998.0");
  EXPECT_EQ(JsonFloat(1e16), "1e+16");
  EXPECT_EQ(JsonFloat(1.5e100), "1.5e+100");
  EXPECT_EQ(JsonFloat(0.0001), "0.0001");
  EXPECT_EQ(JsonFloat(0.00012), "0.00012");
  EXPECT_EQ(JsonFloat(0.00001), "1e-05");
  EXPECT_EQ(JsonFloat(-1.25e-7), "-1.25e-07");
}

TEST(JsonFloatTest, WhatIsNoNumberIsSpelledAsPythonDoes) {
  EXPECT_EQ(JsonFloat(std::nan("")), "NaN");
  EXPECT_EQ(JsonFloat(HUGE_VAL), "Infinity");
  EXPECT_EQ(JsonFloat(-HUGE_VAL), "-Infinity");
  std::string repr;
  AppendPythonFloat(-HUGE_VAL, repr);
  EXPECT_EQ(repr, "-inf");
}

TEST(Utf8Test, FirstCharacterSaysHowManyBytesItTook) {
  EXPECT_EQ(FirstCharacter("a").size, 1U);
  const Utf8Character euro = FirstCharacter("\u20acx");
  EXPECT_TRUE(euro.valid);
  EXPECT_EQ(euro.size, 3U);
  EXPECT_EQ(euro.code_point, U'\u20ac');
  const Utf8Character broken = FirstCharacter("\xe2\x82x");
  EXPECT_FALSE(broken.valid);
  EXPECT_EQ(broken.size, 1U);
}

// ---- against Python -------------------------------------------------------------------------------------------------

std::string BigEndian(double value) {
  const auto bits = std::bit_cast<std::uint64_t>(value);
  std::string bytes;
  for (int shift = 56; shift >= 0; shift -= 8) bytes += static_cast<char>(bits >> shift);
  return bytes;
}

std::uint64_t FromEnvironment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

// Cases for Python, a line each, and what our writer makes of them.
class Cases {
 public:
  void AddFloat(double value) { Add("f " + Hex(BigEndian(value)), JsonFloat(value)); }
  void AddInteger(std::int64_t value) { Add("i " + std::to_string(value), JsonInteger(value)); }
  void AddString(std::string_view bytes) { Add("s " + Hex(bytes), JsonString(bytes)); }

  const std::vector<std::string>& inputs() const { return inputs_; }
  const std::vector<std::string>& ours() const { return ours_; }

 private:
  void Add(std::string input, std::string answer) {
    inputs_.push_back(std::move(input));
    ours_.push_back(std::move(answer));
  }

  std::vector<std::string> inputs_;
  std::vector<std::string> ours_;
};

// Where shortest-digit algorithms err, if they do: powers of two and ten with their neighbours, and short decimals.
void AddHardFloats(Cases& cases) {
  for (int exponent = -1074; exponent < 1024; ++exponent) {
    const double power = std::ldexp(1.0, exponent);
    for (const double value : {power, std::nextafter(power, 0.0), std::nextafter(power, HUGE_VAL)}) {
      cases.AddFloat(value);
      cases.AddFloat(-value);
    }
  }
  for (int exponent = -324; exponent <= 308; ++exponent) {
    const double power = std::strtod(("1e" + std::to_string(exponent)).c_str(), nullptr);
    for (const double value : {power, std::nextafter(power, 0.0), std::nextafter(power, HUGE_VAL)}) {
      cases.AddFloat(value);
    }
  }
}

void AddRandomFloats(std::uint64_t count, std::mt19937_64& random, Cases& cases) {
  for (std::uint64_t i = 0; i < count; ++i) {
    cases.AddFloat(std::bit_cast<double>(random()));
    cases.AddFloat(static_cast<double>(random() % 10'000'000) / 1000.0);
    cases.AddFloat(1.7e9 + static_cast<double>(random() % 1'000'000'000) / 1e6);
  }
}

// Mostly bytes that begin or almost complete a sequence: uniform ones seldom get past the first check.
void AddRandomStrings(std::uint64_t count, std::mt19937_64& random, Cases& cases) {
  constexpr std::string_view kLikely =
      "\x7f\x80\x8f\x90\x9f\xa0\xbf\xc0\xc1\xc2\xdf\xe0\xe1\xec\xed\xee\xef\xf0\xf1\xf3\xf4\xf5\xff\\\"/\n a";
  for (std::uint64_t i = 0; i < count; ++i) {
    std::string bytes(random() % 24, '\0');
    for (char& c : bytes) {
      c = random() % 4 == 0 ? static_cast<char>(random()) : kLikely[random() % kLikely.size()];
    }
    cases.AddString(bytes);
  }
}

std::string Utf8(std::uint32_t code) {
  if (code < 0x80) return {static_cast<char>(code)};
  std::string bytes;
  for (; code >= 0x40U >> bytes.size(); code >>= 6)
    bytes.insert(bytes.begin(), static_cast<char>(0x80 | (code & 0x3f)));
  const std::uint32_t lead = 0xff00U >> (bytes.size() + 1);  // as many ones as there are bytes
  bytes.insert(bytes.begin(), static_cast<char>(lead | code));
  return bytes;
}

// Whole characters of every plane, the surrogates left out.
void AddRandomText(std::uint64_t count, std::mt19937_64& random, Cases& cases) {
  for (std::uint64_t i = 0; i < count; ++i) {
    std::string text;
    for (std::uint64_t characters = random() % 8; characters > 0; --characters) {
      auto code = static_cast<std::uint32_t>((random() % 0x110000) >> (random() % 21));
      if (code >= 0xd800 && code < 0xe000) code -= 0xd800;
      text += Utf8(code);
    }
    cases.AddString(text);
  }
}

void AddRandomIntegers(std::uint64_t count, std::mt19937_64& random, Cases& cases) {
  for (std::uint64_t i = 0; i < count; ++i) cases.AddInteger(static_cast<std::int64_t>(random()) >> (random() % 64));
  cases.AddInteger(std::numeric_limits<std::int64_t>::min());
  cases.AddInteger(std::numeric_limits<std::int64_t>::max());
}

TEST(JsonDifferentialTest, EveryFloatAndByteStringIsWrittenAsPythonWritesIt) {
  const std::uint64_t count = FromEnvironment("FOLDLOG_JSON_CASES", 170'000);  // a million in all
  const std::uint64_t seed = FromEnvironment("FOLDLOG_SEED", std::random_device()());
  std::printf("seed %llu: FOLDLOG_SEED repeats it; %llu cases of each sort: FOLDLOG_JSON_CASES changes that\n",
              static_cast<unsigned long long>(seed), static_cast<unsigned long long>(count));
  std::mt19937_64 random(seed);
  Cases cases;
  AddHardFloats(cases);
  AddRandomFloats(count, random, cases);
  AddRandomStrings(count, random, cases);
  AddRandomText(count, random, cases);
  AddRandomIntegers(count, random, cases);

  const std::vector<std::string> pythons = AskPython(cases.inputs(), R"(
import json, struct, sys
for line in sys.stdin:
    kind, _, data = line.rstrip("\n").partition(" ")
    if kind == "f":
        print(json.dumps(struct.unpack(">d", bytes.fromhex(data))[0]))
    elif kind == "i":
        print(json.dumps(int(data)))
    else:
        print(json.dumps(bytes.fromhex(data).decode("utf-8", "surrogateescape")))
)");
  ASSERT_EQ(pythons.size(), cases.ours().size()) << "Python stopped early";
  for (std::size_t i = 0; i < pythons.size(); ++i) {
    ASSERT_EQ(cases.ours()[i], pythons[i]) << "case " << cases.inputs()[i];
  }
}

}  // namespace
}  // namespace foldlog
