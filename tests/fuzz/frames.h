// Frames of any words: a log that holds nothing else, and the repair of their hashes and links.

#ifndef FOLDLOG_TESTS_FUZZ_FRAMES_H_
#define FOLDLOG_TESTS_FUZZ_FRAMES_H_

#include <xxhash.h>

#include <chrono>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "engine/codec/frame.h"
#include "foldlog/event_log.h"
#include "foldlog/log_id.h"

namespace foldlog::fuzz {

inline constexpr LogId kSampleId = {7, 7, 7};
inline const ChainEnd kStart = {0, GenesisHash(kSampleId)};

// Makes the frames that stand back to back from the first word on a chain behind `end`, up to what is no frame. Gives
// the words that they take.
inline std::size_t RepairChain(std::span<std::uint64_t> words, ChainEnd end) {
  std::size_t at = 0;
  while (const std::optional<FrameView> frame = FrameAtStartOf(words.subspan(at))) {
    FrameHeader header = frame->header;
    header.previous_hash = end.hash;
    header.sequence = end.sequence + 1;
    std::memcpy(&words[at], &header, sizeof header);
    header.hash = XXH3_64bits(&words[at + 2], (frame->size_words() - 2) * sizeof(std::uint64_t));
    std::memcpy(&words[at], &header, sizeof header);
    end = {header.sequence, header.hash};
    at += frame->size_words();
  }
  return at;
}

// The leading frames of `words` that are a chain behind `end`: how far it goes.
struct Chain {
  ChainEnd end;
  std::size_t words = 0;
};
inline Chain FollowChain(std::span<const std::uint64_t> words, ChainEnd end) {
  Chain chain{end};
  while (const std::optional<FrameView> frame = FrameAtStartOf(words.subspan(chain.words))) {
    const bool next = frame->header.sequence == chain.end.sequence + 1 &&
                      frame->header.previous_hash == chain.end.hash && IsIntact(*frame);
    if (!next) break;
    chain.end = frame->end();
    chain.words += frame->size_words();
  }
  return chain;
}

// A log that claims to have `events` events behind kStart and gives `words` for them.
class WordsLog final : public EventLog {
 public:
  WordsLog(std::vector<std::uint64_t> words, Sequence events, std::uint64_t last_hash)
      : words_(std::move(words)), end_{events, last_hash} {}

  // The first words that could be of event `from`: so many frames are stepped over, whatever they are.
  absl::Status ReadInto(Sequence from, std::size_t, FrameRun& run) const override {
    run = {};
    run.before.sequence = from - 1;
    if (from > end_.sequence) return absl::OkStatus();
    std::span<const std::uint64_t> rest = words_;
    for (Sequence i = 1; i < from; ++i) {
      const std::optional<FrameView> frame = FrameAtStartOf(rest);
      if (!frame) return absl::DataLossError("no frame");
      rest = rest.subspan(frame->size_words());
    }
    if (rest.empty()) return absl::DataLossError("no words");
    run.words.assign(rest.begin(), rest.end());
    return absl::OkStatus();
  }
  absl::StatusOr<LogExtent> Extent() const override {
    return LogExtent{
        .base = kStart, .end = end_, .durable_through = end_.sequence, .stored_through = 0, .missing_through = 0};
  }
  absl::Status Append(const FrameRun&, Space) override { return absl::OkStatus(); }
  absl::Status Sync(Sequence) override { return absl::OkStatus(); }
  absl::Status PutSnapshot(const Snapshot&) override { return absl::OkStatus(); }
  absl::StatusOr<std::optional<Snapshot>> FindSnapshot(Sequence) const override { return std::optional<Snapshot>(); }
  absl::StatusOr<bool> WaitForMore(Sequence, std::chrono::milliseconds) const override { return false; }
  absl::Status Close() override { return absl::OkStatus(); }
  const std::string& name() const override { return name_; }

 private:
  const std::vector<std::uint64_t> words_;
  const ChainEnd end_;
  std::string name_ = "(words)";
};

}  // namespace foldlog::fuzz

#endif  // FOLDLOG_TESTS_FUZZ_FRAMES_H_
