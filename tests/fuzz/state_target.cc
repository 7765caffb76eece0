// Snapshots: a state that is decoded comes back from what it is encoded to, and the file `snapshots` gives no snapshot
// whose hash is not right.

#include <xxhash.h>

#include <cstring>
#include <filesystem>

#include "engine/codec/state_codec.h"
#include "engine/log/store/snapshot_cache.h"
#include "tests/fuzz/sample.h"
#include "tests/fuzz/target.h"

namespace foldlog::fuzz {
namespace {

using Words = std::vector<std::uint64_t>;

constexpr std::size_t kSlotHeadBytes = 32;

void CheckState(const Words& words) {
  const absl::StatusOr<State> state = DecodeState(words);
  Require(state.ok() || absl::IsDataLoss(state.status()) || absl::IsUnimplemented(state.status()),
          "words are a state, or damaged, or of a newer version");
  if (!state.ok()) return;
  Words encoded;
  if (!EncodeState(*state, encoded).ok()) return;
  const absl::StatusOr<State> again = DecodeState(encoded);
  Require(again.ok(), "an encoded state can be decoded");
  Words twice;
  Require(EncodeState(*again, twice).ok() && twice == encoded, "a state comes back from its words");
}

// The input as the first slot of the file.
void CheckSlots(std::string_view input) {
  const std::string directory = ScratchDirectory() + "/snapshots";
  std::filesystem::create_directory(directory);
  WriteBytes(directory + "/snapshots", std::string(input));
  const SnapshotCache cache(directory, SnapshotCache::Access::kRead);
  for (const SnapshotCache::Slot& slot : cache.Slots()) {
    if (!slot.snapshot) continue;
    const std::size_t bytes = kSlotHeadBytes + slot.snapshot->words.size() * sizeof(std::uint64_t);
    Require(slot.offset + bytes <= input.size(), "a snapshot is within the file");
    std::uint64_t hash = 0;
    std::memcpy(&hash, &input[slot.offset], sizeof hash);
    Require(XXH3_64bits(&input[slot.offset + sizeof hash], bytes - sizeof hash) == hash, "a snapshot's hash is right");
    CheckState(slot.snapshot->words);
  }
}

void Run(std::string_view input) {
  CheckState(WordsIn(input));
  CheckSlots(input);
}

std::vector<std::string> Seeds() {
  std::vector<std::string> seeds = TheSample().states;
  const std::string& file = TheSample().files.at("snapshots");
  std::uint64_t words = 0;
  std::memcpy(&words, &file[sizeof words], sizeof words);
  seeds.push_back(file.substr(0, kSlotHeadBytes + words * sizeof words));
  return seeds;
}

// What looks like a slot is given the hash of one.
void Repair(std::string& input) {
  std::uint64_t words = 0;
  if (input.size() < kSlotHeadBytes) return;
  std::memcpy(&words, &input[sizeof words], sizeof words);
  if (words > (input.size() - kSlotHeadBytes) / sizeof words) return;
  const std::uint64_t hash = XXH3_64bits(&input[sizeof words], kSlotHeadBytes - sizeof words + words * sizeof words);
  std::memcpy(input.data(), &hash, sizeof hash);
}

}  // namespace

const Target kStateTarget = {"state", Run, Seeds, Repair};

}  // namespace foldlog::fuzz
