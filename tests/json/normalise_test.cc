// Normalised JSON against Python itself.

#include "engine/json/normalise.h"

#include "tests/support/ask_python.h"
#include "tests/support/random_json.h"
#include "tests/support/test_support.h"

namespace foldlog {
namespace {

TEST(NormaliseJsonDifferential, IsWhatPythonLoadsAndDumps) {
  std::mt19937_64 random(TestSeed());
  RandomJson any(random);
  std::vector<std::string> inputs;
  std::vector<std::string> ours;
  for (int i = 0; i < 100'000; ++i) {
    inputs.push_back(any.Value(4));
    const auto value = ParseJson(inputs.back());
    ASSERT_OK(value) << inputs.back();
    ASSERT_OK_AND_ASSIGN(const std::string again, NormaliseJson(*value));
    ours.push_back(again);
  }
  const std::vector<std::string> pythons = AskPython(inputs, R"(
import json, sys
for line in open(0, encoding="utf-8", newline="\n"):
    print(json.dumps(json.loads(line)))
)");
  ASSERT_EQ(pythons.size(), ours.size()) << "Python stopped early";
  for (std::size_t i = 0; i < ours.size(); ++i) ASSERT_EQ(ours[i], pythons[i]) << inputs[i];
}

}  // namespace
}  // namespace foldlog
