// A backup as a stream: what is taken for whole comes out again as the same frames from a stream that is written anew.

#include <xxhash.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <span>

#include "replay/backup/stream.h"
#include "tests/fuzz/frames.h"
#include "tests/fuzz/sample.h"
#include "tests/fuzz/target.h"

namespace foldlog::fuzz {
namespace {

using backup::StreamHead;
using backup::StreamReader;
using backup::StreamWriter;

constexpr std::size_t kHeadBytes = 80;
constexpr std::size_t kHeadHashAt = 72;
constexpr std::size_t kHeadEndAt = 48;
constexpr std::size_t kBlockHeaderBytes = 16;
constexpr std::uint32_t kBatchMagic = 0x44474c46;
constexpr std::uint32_t kEndMagic = 0x45474c46;

std::string Write(const StreamHead& head, const std::vector<FrameRun>& runs) {
  std::string bytes;
  StreamWriter writer([&](std::span<const std::byte> more) {
    bytes.append(reinterpret_cast<const char*>(more.data()), more.size());
    return absl::OkStatus();
  });
  Require(writer.Begin(head).ok(), "a stream begins");
  for (const FrameRun& run : runs) Require(writer.Add(run).ok(), "a stream takes frames");
  Require(writer.End().ok(), "a stream ends");
  return bytes;
}

// All frames of a stream that is whole.
std::optional<std::vector<FrameRun>> Read(std::string_view bytes, StreamHead& head) {
  StreamReader reader([&](std::span<std::byte> into) -> absl::StatusOr<std::size_t> {
    const std::size_t size = std::min(into.size(), bytes.size());
    std::memcpy(into.data(), bytes.data(), size);
    bytes.remove_prefix(size);
    return size;
  });
  const absl::StatusOr<StreamHead> begun = reader.Begin();
  Require(begun.ok() || !begun.status().message().empty(), "a refusal says why");
  if (!begun.ok()) return std::nullopt;
  head = *begun;
  std::vector<FrameRun> runs;
  for (ChainEnd at = head.base;;) {
    FrameRun run;
    const absl::Status next = reader.Next(run);
    Require(next.ok() || absl::IsDataLoss(next), "what is no batch is damage");
    if (!next.ok()) return std::nullopt;
    Require(run.before == at, "runs follow each other");
    at = run.after;
    if (!run.empty()) {
      const Chain chain = FollowChain(run.words, run.before);
      Require(chain.end == run.after && chain.words == run.words.size(), "a run is a chain of intact frames");
      runs.push_back(std::move(run));
      continue;
    }
    Require(at == head.end && bytes.empty(), "a whole stream ends where its head says");
    return runs;
  }
}

void Run(std::string_view input) {
  StreamHead head;
  const auto runs = Read(input, head);
  if (!runs) return;
  const std::string again = Write(head, *runs);
  StreamHead head_again;
  const auto runs_again = Read(again, head_again);
  Require(runs_again && head_again == head, "what was whole can be written");
  std::vector<std::uint64_t> words;
  std::vector<std::uint64_t> words_again;
  for (const FrameRun& run : *runs) words.insert(words.end(), run.words.begin(), run.words.end());
  for (const FrameRun& run : *runs_again) words_again.insert(words_again.end(), run.words.begin(), run.words.end());
  Require(words == words_again, "frames come back");
}

std::vector<std::string> Seeds() {
  std::vector<std::string> seeds = {Write({.log_id = kSampleId, .base = kStart, .end = kStart}, {})};
  const auto& words = TheSample().run.words;
  for (const std::vector<int>& counts : {std::vector<int>{1}, {3}, {1, 2, 3}, {8, 8}, {20}}) {
    std::vector<FrameRun> runs;
    ChainEnd end = kStart;
    std::size_t from = 0;
    for (const int count : counts) {
      FrameRun run{.words = {}, .before = end, .after = end};
      for (int i = 0; i < count; ++i) {
        const FrameView frame = *FrameAtStartOf(std::span(words).subspan(from));
        Require(AppendPayload(frame.payload, run).ok(), "a payload fits into a frame");
        from += frame.size_words();
      }
      end = run.after;
      runs.push_back(std::move(run));
    }
    seeds.push_back(Write({.log_id = kSampleId, .base = kStart, .end = end}, runs));
  }
  return seeds;
}

template <typename T>
T At(const std::string& bytes, std::size_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

void Put(std::string& bytes, std::size_t at, const void* data, std::size_t size) {
  std::memcpy(bytes.data() + at, data, size);
}

// The hashes of the head and of each block, the chain of the frames that are not packed, and what the end says of it.
void Repair(std::string& input) {
  if (input.size() < kHeadBytes) return;
  ChainEnd end = kStart;
  for (std::size_t at = kHeadBytes; at + kBlockHeaderBytes <= input.size();) {
    const auto magic = At<std::uint32_t>(input, at);
    const std::size_t bytes = At<std::uint32_t>(input, at + 4);
    const std::size_t value = at + kBlockHeaderBytes;
    if ((magic != kBatchMagic && magic != kEndMagic) || bytes > input.size() - value) break;
    std::vector<std::uint64_t> words = WordsIn(std::string_view(input).substr(value, bytes));
    RepairChain(words, end);
    end = FollowChain(words, end).end;
    if (magic == kEndMagic && words.size() == 3) words = {end.sequence, end.sequence, end.hash};
    if (!words.empty()) Put(input, value, words.data(), words.size() * sizeof(std::uint64_t));
    const std::uint64_t hash = XXH3_64bits(input.data() + value, bytes);
    Put(input, at + 8, &hash, sizeof hash);
    at = value + bytes;
  }
  Put(input, kHeadEndAt, &end, sizeof end);
  const std::uint64_t hash = XXH3_64bits(input.data(), kHeadHashAt);
  Put(input, kHeadHashAt, &hash, sizeof hash);
}

}  // namespace

const Target kBackupStreamTarget = {"backup_stream", Run, Seeds, Repair};

}  // namespace foldlog::fuzz
