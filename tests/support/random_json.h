// JSON texts of every kind that Python's parser takes.

#ifndef FOLDLOG_TESTS_SUPPORT_RANDOM_JSON_H_
#define FOLDLOG_TESTS_SUPPORT_RANDOM_JSON_H_

#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace foldlog {

class RandomJson {
 public:
  explicit RandomJson(std::mt19937_64& random) : random_(random) {}

  std::string Value(int depth) {
    switch (random_() % (depth > 0 ? 8 : 6)) {
      case 0:
        return Pick({"null", "true", "false", "NaN", "Infinity", "-Infinity"});
      case 1: {
        const std::int64_t number = static_cast<std::int64_t>(random_()) >> (random_() % 64);
        return std::to_string(number) + (number == 0 ? "" : Pick({"", "", "0000000000000"}));
      }
      case 2:
        return Pick({"-0", "-0.0", "1E5", "1e400", "-1e400", "1e-400", "0.10", "1.0e+2", "123456789012345678901.5"});
      case 3:
        return std::to_string(random_() % 1000) + "." + std::to_string(random_() % 1000000) + Pick({"", "e-7", "E+30"});
      case 4:
      case 5:
        return String();
      case 6:
        return Joined("[", "]", depth, [&] { return Value(depth - 1); });
      default:
        return Joined("{", "}", depth, [&] { return String() + Space() + ":" + Space() + Value(depth - 1); });
    }
  }

 private:
  std::string Pick(std::vector<std::string> choices) { return choices[random_() % choices.size()]; }
  std::string Space() { return Pick({"", "", " ", "\t"}); }
  std::string String() {
    std::string text = "\"";
    for (std::uint64_t pieces = random_() % 4; pieces > 0; --pieces) {
      text += Pick({"a", "b", "\\n", "\\/", "\\\"", "\\\\", "\\u0041", "\\u00E9", "\u00e9", "\\ud83d\\ude00", "\\udc80",
                    "\\uD800", "\U0001f600", "\x7f", "\\u001f", "/"});
    }
    return text + "\"";
  }
  template <typename Make>
  std::string Joined(const char* open, const char* close, int, Make make) {
    std::string text = open;
    for (std::uint64_t members = random_() % 5, i = 0; i < members; ++i) text += (i == 0 ? "" : ",") + Space() + make();
    return text + Space() + close;
  }

  std::mt19937_64& random_;
};

}  // namespace foldlog

#endif  // FOLDLOG_TESTS_SUPPORT_RANDOM_JSON_H_
