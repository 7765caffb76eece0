// Files of a log with changes made to them. An input is a list of changes, not a file: so it stays small, and each
// mutation of it changes a whole log in one place.

#ifndef FOLDLOG_TESTS_FUZZ_CHANGES_H_
#define FOLDLOG_TESTS_FUZZ_CHANGES_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace foldlog::fuzz {

using Files = std::map<std::string, std::string>;

// 16 bytes of an input.
struct Change {
  enum Kind : std::uint8_t {
    kWrite1,
    kWrite2,
    kWrite4,
    kWrite8,
    kXor,
    kCopyPage,
    kZeroPage,
    kCutSector,
    kZeroSector,
    kSwapPages,
    kOlderPage,
    kGrow,
    kKinds
  };
  std::uint32_t where;  // an offset, or the number of a page or sector; taken modulo what there is
  std::uint8_t file;
  std::uint8_t kind;
  std::uint16_t from_page;
  std::uint64_t value;
};
static_assert(sizeof(Change) == 16);

// Bits of the first byte of an input: which hashes are made right after the changes, and whether the log is opened for
// writing, too.
enum Flag : std::uint8_t { kResealRecords = 1, kResealRows = 2, kResealFrames = 4, kOpenForWriting = 8 };
inline constexpr std::uint8_t kResealAll = kResealRecords | kResealRows | kResealFrames;

// The files of the sample log, changed as the input says behind its first byte.
Files ChangedFiles(std::string_view input);

// Some inputs that change something.
std::vector<std::string> ChangeSeeds();

}  // namespace foldlog::fuzz

#endif  // FOLDLOG_TESTS_FUZZ_CHANGES_H_
