#include "engine/log/store/base_record.h"

#include <xxhash.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace foldlog {
namespace {

// The beginning of a row; the two texts follow, then zeros up to a whole word, then the state.
struct BaseHead {
  std::uint64_t hash;  // XXH3-64, with the key as the seed, of all behind it
  ChainEnd before;
  std::uint64_t hash_behind;
  std::int64_t time;
  std::uint64_t times;
  std::uint64_t operations;
  std::uint32_t policy_bytes;
  std::uint32_t by_bytes;
  std::uint64_t state_words;
};
static_assert(sizeof(BaseHead) == kBaseHeadWords * sizeof(std::uint64_t));
static_assert(offsetof(BaseHead, hash_behind) == kBaseHashWord * sizeof(std::uint64_t));
constexpr std::size_t kHeadWords = kBaseHeadWords;

// Enough for any policy, and for any name of a program and a host.
constexpr std::size_t kTextBytesMax = 1024;

std::uint64_t HashOf(std::uint64_t key, std::span<const std::uint64_t> words) {
  const auto hashed = words.subspan(1);
  return XXH3_64bits_withSeed(hashed.data(), hashed.size_bytes(), key);
}

std::size_t WordsOf(std::size_t bytes) { return (bytes + sizeof(std::uint64_t) - 1) / sizeof(std::uint64_t); }

}  // namespace

std::vector<std::uint64_t> EncodeBase(const BaseRecord& record) {
  const PrunedRange& range = record.range;
  std::string texts = range.policy.substr(0, kTextBytesMax);
  BaseHead head{.hash = 0,
                .before = range.before,
                .hash_behind = range.behind.hash,
                .time = range.time,
                .times = range.times,
                .operations = range.operations,
                .policy_bytes = static_cast<std::uint32_t>(texts.size()),
                .by_bytes = static_cast<std::uint32_t>(std::min(range.by.size(), kTextBytesMax)),
                .state_words = record.state.size()};
  texts += range.by.substr(0, kTextBytesMax);
  std::vector<std::uint64_t> words(kHeadWords + WordsOf(texts.size()));
  std::memcpy(words.data(), &head, sizeof head);
  std::memcpy(words.data() + kHeadWords, texts.data(), texts.size());
  words.insert(words.end(), record.state.begin(), record.state.end());
  words[0] = HashOf(range.behind.sequence, words);
  return words;
}

absl::StatusOr<BaseRecord> DecodeBase(std::uint64_t key, std::span<const std::uint64_t> words) {
  const absl::Status damaged =
      absl::DataLossError(absl::StrCat("the record of what was pruned up to event ", key, " is damaged"));
  BaseHead head = {};
  if (words.size() < kHeadWords || words[0] != HashOf(key, words)) return damaged;
  std::memcpy(static_cast<void*>(&head), words.data(), sizeof head);
  const std::size_t text_words = WordsOf(std::size_t{head.policy_bytes} + head.by_bytes);
  const std::size_t behind_head = words.size() - kHeadWords;
  if (text_words > behind_head || head.state_words != behind_head - text_words) return damaged;
  const auto* const texts = reinterpret_cast<const char*>(words.data() + kHeadWords);
  const auto state = words.last(head.state_words);
  return BaseRecord{.range = {.before = head.before,
                              .behind = {key, head.hash_behind},
                              .time = head.time,
                              .times = head.times,
                              .operations = head.operations,
                              .policy = {texts, head.policy_bytes},
                              .by = {texts + head.policy_bytes, head.by_bytes}},
                    .state = {state.begin(), state.end()}};
}

std::uint64_t BaseWords(std::span<const std::uint64_t> words) {
  if (words.size() < kHeadWords) return 0;
  BaseHead head = {};
  std::memcpy(static_cast<void*>(&head), words.data(), sizeof head);
  const std::size_t texts = WordsOf(std::size_t{head.policy_bytes} + head.by_bytes);
  return head.state_words > kBaseWordsMax ? 0 : kHeadWords + texts + head.state_words;
}

PrunedRange Joined(const PrunedRange& earlier, const PrunedRange& later) {
  PrunedRange joined = later;
  joined.before = earlier.before;
  joined.times += earlier.times;
  return joined;
}

}  // namespace foldlog
