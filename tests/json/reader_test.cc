// The JSON reader against claims, and against Python itself.

#include "engine/json/reader.h"

#include "tests/support/ask_python.h"
#include "tests/support/random_json.h"
#include "tests/support/test_support.h"

namespace foldlog {
namespace {

TEST(JsonReaderTest, EachSliceIsAPartOfItsText) {
  const std::string text = R"({"a": [null, true, false, NaN, Infinity, -Infinity, -1.5e3, "b", {}]})";
  const auto is_part = [&](const JsonSlice& slice) {
    return slice.text.data() >= text.data() && slice.text.data() + slice.text.size() <= text.data() + text.size();
  };
  const auto value = ParseJson(text);
  ASSERT_OK(value);
  EXPECT_TRUE(is_part(*value));
  for (const auto& [key, list] : JsonMembers(*value)) {
    EXPECT_TRUE(is_part(key) && is_part(list));
    EXPECT_EQ(JsonElements(list).size(), 9U);
    for (const JsonSlice& element : JsonElements(list)) EXPECT_TRUE(is_part(element)) << element.text;
  }
}

// Whatever is left of valid text after a change, both take it or neither does.
TEST(JsonReaderDifferential, TakesWhatPythonTakes) {
  std::mt19937_64 random(TestSeed());
  RandomJson any(random);
  std::vector<std::string> inputs;
  std::vector<std::string> ours;
  int refused = 0;
  for (int i = 0; i < 100'000; ++i) {
    std::string text = any.Value(3);
    if (!text.empty()) {
      const std::size_t at = random() % text.size();
      switch (random() % 3) {
        case 0:
          text.erase(at, 1);
          break;
        case 1:
          text.insert(at, 1, "{}[],:\"\\0-+.eEu tnN"[random() % 19]);
          break;
        default:
          text[at] = "{}[],:\"\\0-+.eEu tnN"[random() % 19];
      }
    }
    // Bytes that are no UTF-8 never reach Python's parser.
    for (char& c : text) {
      if ((c & 0x80) != 0) c = 'x';
    }
    ours.emplace_back(ParseJson(text).ok() ? "yes" : "no");
    if (ours.back() == "no") ++refused;
    inputs.push_back(std::move(text));
  }
  EXPECT_GT(refused, 10'000);
  EXPECT_LT(refused, 90'000);
  const std::vector<std::string> pythons = AskPython(inputs, R"(
import json, sys
for line in open(0, newline="\n"):
    try:
        json.loads(line)
        print("yes")
    except ValueError:
        print("no")
)");
  ASSERT_EQ(pythons.size(), ours.size()) << "Python stopped early";
  for (std::size_t i = 0; i < ours.size(); ++i) ASSERT_EQ(ours[i], pythons[i]) << inputs[i];
}

}  // namespace
}  // namespace foldlog
