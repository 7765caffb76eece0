#include "tests/fuzz/changes.h"

#include <xxhash.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <iterator>

#include "engine/codec/frame.h"
#include "engine/log/store/lmdb/page.h"
#include "engine/log/store/records.h"
#include "engine/log/tail/copy.h"
#include "tests/fuzz/sample.h"

namespace foldlog::fuzz {
namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kSector = 512;
constexpr std::size_t kWord = sizeof(std::uint64_t);

// A hash in a file: over `bytes` bytes from `from` on.
struct Seal {
  std::string file;
  std::size_t hash_at;
  std::size_t from;
  std::size_t bytes;
  std::size_t seed_at;  // 0: the seed stands in no file
  Flag kind;
  std::uint64_t seed = 0;  // where seed_at is 0
};

std::uint64_t WordAt(const std::string& bytes, std::size_t at) {
  std::uint64_t word = 0;
  std::memcpy(&word, &bytes[at], sizeof word);
  return word;
}

// Whether there is such a hash in the bytes as they are.
bool Holds(const std::string& bytes, const Seal& seal) {
  if (seal.from + seal.bytes > bytes.size() || seal.hash_at + kWord > bytes.size()) return false;
  const std::uint64_t seed = seal.seed_at == 0 ? seal.seed : WordAt(bytes, seal.seed_at);
  return XXH3_64bits_withSeed(&bytes[seal.from], seal.bytes, seed) == WordAt(bytes, seal.hash_at);
}

// What may begin at an offset: a commit record, a value of a table, a frame.
std::vector<Seal> CandidatesAt(const std::string& name, const std::string& bytes, std::size_t at) {
  constexpr std::size_t kNodeHead = 16;  // of a leaf's entry: sizes and flags, and the key
  std::vector<Seal> found;
  constexpr std::size_t kRecordHash = offsetof(CommitRecord, hash);
  found.push_back({name, at + kRecordHash, at, kRecordHash, 0, kResealRecords});
  if (at >= kNodeHead) {
    std::uint32_t size = 0;
    std::memcpy(&size, &bytes[at - kNodeHead], sizeof size);
    if (size > kWord && size < kPage) {
      found.push_back({name, at, at + kWord, size - kWord, at - kWord, kResealRows});
      found.push_back({name, at, at + kWord, size - kWord, 0, kResealRows});  // a snapshot
    }
  }
  FrameHeader header = {};
  if (at + sizeof header > bytes.size()) return found;
  std::memcpy(&header, &bytes[at], sizeof header);
  if (header.magic == kFrameMagic && header.payload_bytes < bytes.size()) {
    found.push_back({name, at + kWord, at + 2 * kWord, 2 * kWord + header.payload_bytes, 0, kResealFrames});
  }
  return found;
}

std::vector<Seal> FindSeals() {
  std::vector<Seal> seals = {{"tail", 40, 0, 40, 0, kResealRecords}};
  const std::string& tail = TheSample().files.at("tail");
  std::uint32_t ring_at = 0;
  std::memcpy(&ring_at, &tail[12], sizeof ring_at);
  for (std::size_t page = kPage; page < ring_at; page += kPage) {
    const std::size_t claim = page + offsetof(CopyPage, claim);
    seals.push_back(
        {"tail", page + offsetof(CopyPage, hash), claim, sizeof(TailClaim), 0, kResealRecords, page / kPage - 1});
  }
  for (const auto& [name, bytes] : TheSample().files) {
    for (std::size_t at = 0; at + sizeof(CommitRecord) <= bytes.size(); at += kWord) {
      if (WordAt(bytes, at) == 0 && WordAt(bytes, at + kWord) == 0) continue;
      for (const Seal& seal : CandidatesAt(name, bytes, at)) {
        if (Holds(bytes, seal)) seals.push_back(seal);
      }
    }
  }
  return seals;
}

const std::vector<Seal>& Seals() {
  static const std::vector<Seal> seals = FindSeals();
  return seals;
}

void MakeRight(std::uint8_t kinds, Files& files) {
  for (const Seal& seal : Seals()) {
    std::string& bytes = files[seal.file];
    const bool inside = seal.from + seal.bytes <= bytes.size() && seal.hash_at + kWord <= bytes.size();
    if ((kinds & seal.kind) == 0 || !inside) continue;
    const std::uint64_t seed = seal.seed_at == 0 ? seal.seed : WordAt(bytes, seal.seed_at);
    const std::uint64_t hash = XXH3_64bits_withSeed(&bytes[seal.from], seal.bytes, seed);
    std::memcpy(&bytes[seal.hash_at], &hash, sizeof hash);
  }
}

// Where the pages of a tree keep what leads to others: their headers and pointers, and the heads and keys of their
// nodes.
std::vector<std::size_t> FindPlaces(const std::string& bytes) {
  constexpr std::size_t kMetaBytes = 152;
  std::vector<std::size_t> places;
  for (std::size_t at = 0; at < 2 * kPage; at += at % kPage + 2 < kMetaBytes ? 2 : kPage - at % kPage)
    places.push_back(at);
  for (std::size_t page = 2 * kPage; page + kPage <= bytes.size(); page += kPage) {
    lmdb_file::PageHeader header = {};
    std::memcpy(&header, &bytes[page], sizeof header);
    const bool is_tree = header.flags == lmdb_file::kBranchPage || header.flags == lmdb_file::kLeafPage;
    if (!is_tree || header.lower > kPage) continue;
    for (std::size_t at = 0; at < header.lower; at += 2) places.push_back(page + at);
    for (std::size_t at = sizeof header; at + 2 <= header.lower; at += 2) {
      std::uint16_t node = 0;
      std::memcpy(&node, &bytes[page + at], sizeof node);
      constexpr std::size_t kHeadAndKey = 24;  // and what follows: of a value in a run, its page
      for (std::size_t i = 0; i < kHeadAndKey && node + i < kPage; i += 2) places.push_back(page + node + i);
    }
  }
  return places;
}

const std::vector<std::size_t>& Places() {
  static const std::vector<std::size_t> places = FindPlaces(TheSample().files.at("log.mdb"));
  return places;
}

void Write(std::string& bytes, std::size_t at, const void* from, std::size_t count) {
  if (at < bytes.size()) std::memcpy(&bytes[at], from, std::min(count, bytes.size() - at));
}

void ChangePages(const Change& change, const std::string& older, std::string& bytes) {
  const std::size_t pages = bytes.size() / kPage;
  if (pages == 0) return;
  const std::size_t at = change.where % pages * kPage;
  const std::size_t from = change.from_page % pages * kPage;
  const std::string zeros(kPage, '\0');
  switch (change.kind % Change::kKinds) {
    case Change::kCopyPage:
      std::memmove(&bytes[at], &bytes[from], kPage);
      break;
    case Change::kSwapPages:
      std::swap_ranges(bytes.begin() + static_cast<std::ptrdiff_t>(at),
                       bytes.begin() + static_cast<std::ptrdiff_t>(at + (at == from ? 0 : kPage)),
                       bytes.begin() + static_cast<std::ptrdiff_t>(from));
      break;
    case Change::kOlderPage:
      if (at + kPage <= older.size()) Write(bytes, at, &older[at], kPage);
      break;
    default:
      Write(bytes, at, zeros.data(), kPage);
  }
}

constexpr int kPlacesFrom = 4;

void Apply(const Change& change, const std::string& older, std::string& bytes) {
  constexpr std::size_t kGrowMax = 16 * kPage;
  const std::string zeros(kSector, '\0');
  if (bytes.empty()) return;
  const bool at_a_place = change.file % 8 >= kPlacesFrom;
  const std::size_t at = (at_a_place ? Places()[change.where % Places().size()] : change.where) % bytes.size();
  switch (change.kind % Change::kKinds) {
    case Change::kWrite1:
    case Change::kWrite2:
    case Change::kWrite4:
    case Change::kWrite8:
      return Write(bytes, at, &change.value, std::size_t{1} << change.kind % Change::kKinds);
    case Change::kXor:
      bytes[at] = static_cast<char>(bytes[at] ^ static_cast<char>(change.value));
      return;
    case Change::kCutSector:
      return bytes.resize(at / kSector * kSector);
    case Change::kZeroSector:
      return Write(bytes, at / kSector * kSector, zeros.data(), kSector);
    case Change::kGrow:
      return bytes.resize(std::min(bytes.size() + change.where % kGrowMax, bytes.size() + kGrowMax));
    default:
      return ChangePages(change, older, bytes);
  }
}

// log.mdb is the largest by far in what can be wrong with it. From kPlacesFrom on, a change is made at a place of it
// where much depends on the bytes.
std::string FileOf(const Change& change) {
  switch (change.file % 8) {
    case 0:
      return "snapshots";
    case 1:
    case 2:
      return "tail";
    default:
      return "log.mdb";
  }
}

std::string InputOf(std::uint8_t flags, const std::vector<Change>& changes) {
  std::string input(1, static_cast<char>(flags));
  for (const Change& change : changes) input.append(reinterpret_cast<const char*>(&change), sizeof change);
  return input;
}

}  // namespace

Files ChangedFiles(std::string_view input) {
  Files files = TheSample().files;
  for (std::size_t at = 1; at + sizeof(Change) <= input.size(); at += sizeof(Change)) {
    Change change;
    std::memcpy(&change, &input[at], sizeof change);
    const std::string name = FileOf(change);
    Apply(change, TheSample().older.at(name), files[name]);
  }
  if (!input.empty()) MakeRight(static_cast<std::uint8_t>(input[0]), files);
  return files;
}

std::vector<std::string> ChangeSeeds() {
  std::vector<std::string> seeds = {InputOf(0, {}), InputOf(kResealAll | kOpenForWriting, {})};
  for (std::uint8_t kind = 0; kind < Change::kKinds; ++kind) {
    for (const std::uint8_t file : {0, 1, 3, 7}) {
      const Change change{.where = 8200U * kind, .file = file, .kind = kind, .from_page = 3, .value = 1};
      seeds.push_back(
          InputOf(static_cast<std::uint8_t>((kind + file) % 2 == 0 ? kOpenForWriting : kind % 3), {change}));
    }
  }
  return seeds;
}

}  // namespace foldlog::fuzz
