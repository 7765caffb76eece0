// The hash of a record whose first word holds the hash, such as a stored snapshot.

#ifndef FOLDLOG_BASE_WORD_HASH_H_
#define FOLDLOG_BASE_WORD_HASH_H_

#include <xxhash.h>

#include <cstdint>
#include <span>

namespace foldlog {

// XXH3-64 of all words but the first. `words` must not be empty.
inline std::uint64_t HashBehindFirstWord(std::span<const std::uint64_t> words) {
  return XXH3_64bits(words.data() + 1, (words.size() - 1) * sizeof(std::uint64_t));
}

}  // namespace foldlog

#endif  // FOLDLOG_BASE_WORD_HASH_H_
