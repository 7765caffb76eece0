// The hash of a row of the index: over its key and all words behind the first, where it stands.

#ifndef FOLDLOG_INDEX_ROW_HASH_H_
#define FOLDLOG_INDEX_ROW_HASH_H_

#include <xxhash.h>

#include <cstdint>
#include <span>

#include "foldlog/log_index.h"

namespace foldlog {

inline std::uint64_t HashOfRow(const IndexRow& row) {
  const std::span<const std::uint64_t> hashed = std::span(row.words).subspan(1);
  return XXH3_64bits_withSeed(hashed.data(), hashed.size_bytes(), row.key);
}

inline void Seal(IndexRow& row) { row.words[0] = HashOfRow(row); }

inline bool IsSealed(const IndexRow& row) { return !row.words.empty() && row.words[0] == HashOfRow(row); }

}  // namespace foldlog

#endif  // FOLDLOG_INDEX_ROW_HASH_H_
