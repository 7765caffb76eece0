// Which texts were seen, in bounded memory: their hashes, so many that a program that asks for them stays small. Texts
// that are told apart by 128 bits are told apart.

#ifndef FOLDLOG_REPLAY_SEEN_TEXTS_H_
#define FOLDLOG_REPLAY_SEEN_TEXTS_H_

#include <xxhash.h>

#include <cstddef>
#include <string_view>
#include <unordered_map>

namespace foldlog {

// Some 64 bytes each: 32 MB.
inline constexpr std::size_t kSeenMax = 500'000;

// Texts with a mark for each. Threads: one at a time.
class SeenTexts {
 public:
  explicit SeenTexts(std::size_t texts_max = kSeenMax) : texts_max_(texts_max) {}

  enum class Found { kNew, kSeen, kFull };

  // Looks for the text, and remembers it. One that is new and has no room any more is not remembered.
  Found Add(std::string_view text) {
    const Key key = KeyOf(text);
    if (marks_.find(key) != marks_.end()) return Found::kSeen;
    if (marks_.size() >= texts_max_) return Found::kFull;
    marks_.emplace(key, false);
    return Found::kNew;
  }

  // The mark of a text that is remembered, to be read and set; null if it is not.
  bool* Mark(std::string_view text) {
    const auto found = marks_.find(KeyOf(text));
    return found == marks_.end() ? nullptr : &found->second;
  }

 private:
  struct Key {
    XXH64_hash_t low = 0;
    XXH64_hash_t high = 0;
    bool operator==(const Key&) const = default;
  };
  struct Hash {
    std::size_t operator()(const Key& key) const { return key.low; }
  };

  static Key KeyOf(std::string_view text) {
    const XXH128_hash_t hash = XXH3_128bits(text.data(), text.size());
    return {hash.low64, hash.high64};
  }

  const std::size_t texts_max_;
  std::unordered_map<Key, bool, Hash> marks_;
};

}  // namespace foldlog

#endif  // FOLDLOG_REPLAY_SEEN_TEXTS_H_
