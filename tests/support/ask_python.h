// Python as the judge: a case goes in as a line, an answer comes out as a line.

#ifndef FOLDLOG_TESTS_SUPPORT_ASK_PYTHON_H_
#define FOLDLOG_TESTS_SUPPORT_ASK_PYTHON_H_

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

namespace foldlog {

// What `script` (without single quotes) prints when it is given `inputs`, a line each. FOLDLOG_PYTHON names another
// interpreter.
inline std::vector<std::string> AskPython(const std::vector<std::string>& inputs, const std::string& script) {
  const testing::TestInfo& test = *testing::UnitTest::GetInstance()->current_test_info();
  const std::string path = testing::TempDir() + test.test_suite_name() + "_" + std::to_string(getpid()) + "_cases";
  {
    std::ofstream file(path);
    for (const std::string& input : inputs) file << input << '\n';
  }
  const char* interpreter = std::getenv("FOLDLOG_PYTHON");
  const std::string command =
      std::string(interpreter == nullptr ? "/usr/bin/python3" : interpreter) + " -c '" + script + "' < " + path;
  std::vector<std::string> answers;
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), &pclose);
  std::string line;
  for (int c = std::fgetc(pipe.get()); c != EOF; c = std::fgetc(pipe.get())) {
    if (c != '\n') {
      line += static_cast<char>(c);
    } else {
      answers.push_back(std::exchange(line, {}));
    }
  }
  std::remove(path.c_str());
  return answers;
}

inline std::string Hex(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string hex;
  for (const char c : bytes) {
    hex += kDigits[static_cast<unsigned char>(c) >> 4];
    hex += kDigits[static_cast<unsigned char>(c) & 0xf];
  }
  return hex;
}

}  // namespace foldlog

#endif  // FOLDLOG_TESTS_SUPPORT_ASK_PYTHON_H_
