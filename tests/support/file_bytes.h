// Whole files as strings, for tests that look at their bytes or change them.

#ifndef FOLDLOG_TESTS_SUPPORT_FILE_BYTES_H_
#define FOLDLOG_TESTS_SUPPORT_FILE_BYTES_H_

#include <fstream>
#include <iterator>
#include <string>

namespace foldlog {

inline void WriteFile(const std::string& path, const std::string& bytes) { std::ofstream(path) << bytes; }

inline std::string ReadFile(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace foldlog

#endif  // FOLDLOG_TESTS_SUPPORT_FILE_BYTES_H_
