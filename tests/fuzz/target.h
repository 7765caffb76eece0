// What is fuzzed: a function of any bytes that ends the program where a property does not hold. Each target is run by
// libFuzzer (fuzz_main.cc, preset `fuzz`) and, so that none rots, by ctest over its seeds and a few thousand mutations
// of them (fuzz_test.cc).

#ifndef FOLDLOG_TESTS_FUZZ_TARGET_H_
#define FOLDLOG_TESTS_FUZZ_TARGET_H_

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace foldlog::fuzz {

struct Target {
  const char* name;
  // Takes any bytes. It says what does not hold, and aborts.
  void (*run)(std::string_view input);
  // Some inputs as logs hold them, the same at each call.
  std::vector<std::string> (*seeds)();
  // Makes the hashes of an input right, as far as it looks like what has some: without, hardly a mutation would get
  // past the first check. May be null.
  void (*repair)(std::string& input);
};

extern const Target kFrameTarget;
extern const Target kEventTarget;
extern const Target kQueryTarget;
extern const Target kBatchTarget;
extern const Target kTailTarget;
extern const Target kPageTarget;
extern const Target kLogTarget;
extern const Target kRowTarget;
extern const Target kStateTarget;
extern const Target kWriterRecordTarget;
extern const Target kJsonTarget;
extern const Target kSingleRowTarget;
extern const Target kJsonLinesTarget;
extern const Target kBackupStreamTarget;
extern const Target kSalvageTarget;

const std::vector<const Target*>& AllTargets();

// Null if there is none of that name.
const Target* FindTarget(std::string_view name);

// A property, in words that tell what is wrong when it does not hold.
inline void Require(bool holds, const char* property) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", property);
  std::abort();
}

// The whole words of `bytes`, in memory of exactly their size: the sanitizer sees a step beyond.
inline std::vector<std::uint64_t> WordsIn(std::string_view bytes) {
  std::vector<std::uint64_t> words(bytes.size() / sizeof(std::uint64_t));
  if (!words.empty()) std::memcpy(words.data(), bytes.data(), words.size() * sizeof(std::uint64_t));
  return words;
}

inline std::string BytesOf(const std::vector<std::uint64_t>& words) {
  return {reinterpret_cast<const char*>(words.data()), words.size() * sizeof(std::uint64_t)};
}

// Puts words back to where WordsIn() took them from.
inline void PutBack(const std::vector<std::uint64_t>& words, std::string& bytes) {
  if (!words.empty()) std::memcpy(bytes.data(), words.data(), words.size() * sizeof(std::uint64_t));
}

}  // namespace foldlog::fuzz

#endif  // FOLDLOG_TESTS_FUZZ_TARGET_H_
