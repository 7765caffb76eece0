#include "tests/damage/fields.h"

#include <algorithm>
#include <cstring>
#include <initializer_list>
#include <utility>

namespace foldlog::damage {
namespace {

constexpr std::uint64_t kBranch = 1;
constexpr std::uint64_t kLeaf = 2;
constexpr std::uint64_t kOverflow = 4;
constexpr std::uint64_t kMeta = 8;
constexpr std::uint64_t kBigData = 1;
constexpr std::uint64_t kSubTree = 2;

constexpr std::uint64_t kFrameMagic = 0x31474c46;

struct Part {
  const char* name;
  std::size_t offset;
  std::size_t bytes;
};

using Parts = std::initializer_list<Part>;

constexpr Parts kHeaderParts = {
    {"page number", 0, 8}, {"pad", 8, 2}, {"flags", 10, 2}, {"lower", 12, 2}, {"upper", 14, 2}};
constexpr Parts kMetaParts = {{"magic", 16, 4},    {"version", 20, 4},    {"address", 24, 8},
                              {"map size", 32, 8}, {"last page", 136, 8}, {"transaction", 144, 8}};
constexpr Parts kTreeParts = {{"pad", 0, 4},          {"flags", 4, 2},       {"depth", 6, 2},
                              {"branch pages", 8, 8}, {"leaf pages", 16, 8}, {"overflow pages", 24, 8},
                              {"entries", 32, 8},     {"root", 40, 8}};
constexpr Parts kNodeParts = {{"low", 0, 2}, {"high", 2, 2}, {"flags", 4, 2}, {"key size", 6, 2}};
constexpr Parts kFrameParts = {
    {"magic", 0, 4}, {"size", 4, 4}, {"hash", 8, 8}, {"previous", 16, 8}, {"sequence", 24, 8}};

// Collects the fields of one file.
class Collector {
 public:
  explicit Collector(const std::string& file) : file_(file) {}

  void Add(const std::string& place, const std::string& kind, std::size_t at, Parts parts) {
    for (const Part& part : parts) Add(place + part.name, kind + part.name, at + part.offset, part.bytes);
  }
  void Add(std::string what, std::string kind, std::size_t offset, std::size_t bytes) {
    if (offset + bytes <= file_.size()) fields_.push_back({std::move(what), std::move(kind), offset, bytes});
  }

  void Page(std::size_t page) {
    const std::uint64_t flags = Word(file_, page + 10, 2);
    const char* type = flags & kMeta       ? "meta: "
                       : flags & kBranch   ? "branch: "
                       : flags & kLeaf     ? "leaf: "
                       : flags & kOverflow ? "overflow: "
                                           : "other: ";
    const std::string place = "page " + std::to_string(page / kPageBytes) + " " + type;
    Add(place, type, page, kHeaderParts);
    if (flags & kMeta) Meta(page, place);
    if (flags & (kBranch | kLeaf)) Nodes(page, place, type, (flags & kLeaf) != 0);
    if (flags & kOverflow) Words(place, type, page + 16, 10);
  }

  void Words(const std::string& place, const std::string& kind, std::size_t at, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      Add(place + "word " + std::to_string(i), kind + "word", at + 8 * i, 8);
    }
  }

  std::vector<Field> Taken() { return std::move(fields_); }

 private:
  void Meta(std::size_t page, const std::string& place) {
    Add(place, "meta: ", page, kMetaParts);
    Add(place + "free list: ", "meta: free list: ", page + 40, kTreeParts);
    Add(place + "main: ", "meta: main: ", page + 88, kTreeParts);
  }

  void Nodes(std::size_t page, const std::string& place, const std::string& type, bool leaf) {
    constexpr std::size_t kNodesMax = 512;
    const std::size_t lower = Word(file_, page + 12, 2);
    for (std::size_t i = 0; 16 + 2 * i < std::min(lower, kPageBytes) && i < kNodesMax; ++i) {
      const std::string node = place + "node " + std::to_string(i) + ": ";
      Add(node + "pointer", type + "pointer", page + 16 + 2 * i, 2);
      const std::size_t at = Word(file_, page + 16 + 2 * i, 2);
      if (at + 16 <= kPageBytes) Node(page + at, node, type + "node: ", leaf);
    }
  }

  void Node(std::size_t at, const std::string& place, const std::string& kind, bool leaf) {
    Add(place, kind, at, kNodeParts);
    const std::size_t key_bytes = Word(file_, at + 6, 2);
    Add(place + "key", kind + "key", at + 8, std::min<std::size_t>(key_bytes, 8));
    const std::size_t data = at + 8 + key_bytes;
    const std::uint64_t flags = Word(file_, at + 4, 2);
    if (!leaf || data + 8 > file_.size()) return;
    if (flags & kSubTree) return Add(place + "tree: ", kind + "tree: ", data, kTreeParts);
    if (flags & kBigData) return Add(place + "overflow page", kind + "overflow page", data, 8);
    Words(place, kind, data, std::min<std::size_t>(Word(file_, at, 2) / 8, 10));
  }

  const std::string& file_;
  std::vector<Field> fields_;
};

}  // namespace

std::uint64_t Word(const std::string& file, std::size_t offset, std::size_t bytes) {
  std::uint64_t value = 0;
  if (offset + bytes <= file.size()) std::memcpy(&value, file.data() + offset, bytes);
  return value;
}

void SetWord(std::string& file, std::size_t offset, std::uint64_t value, std::size_t bytes) {
  if (offset + bytes <= file.size()) std::memcpy(file.data() + offset, &value, bytes);
}

std::vector<Field> MdbFields(const std::string& file) {
  Collector fields(file);
  for (std::size_t page = 0; page + kPageBytes <= file.size(); page += kPageBytes) fields.Page(page);
  return fields.Taken();
}

std::vector<std::size_t> FramesInTail(const std::string& file) {
  std::vector<std::size_t> frames;
  for (std::size_t at = kPageBytes; at + kFrameHeaderBytes < file.size();) {
    const std::size_t bytes = kFrameHeaderBytes + Word(file, at + 4, 4);
    const bool whole = Word(file, at, 4) == kFrameMagic && bytes % 8 == 0 && at + bytes <= file.size();
    if (whole) frames.push_back(at);
    at += whole ? bytes : 8;
  }
  return frames;
}

std::vector<Field> TailFields(const std::string& file) {
  Collector fields(file);
  fields.Add(
      "header: ", "header: ", 0,
      {{"magic", 0, 8}, {"version", 8, 4}, {"size", 12, 4}, {"log id", 16, 8}, {"ring", 32, 8}, {"hash", 40, 8}});
  for (const std::size_t frame : FramesInTail(file)) {
    const std::string place = "frame of event " + std::to_string(Word(file, frame + 24)) + ": ";
    fields.Add(place, "frame: ", frame, kFrameParts);
    fields.Words(place, "frame: ", frame + kFrameHeaderBytes, std::min<std::size_t>(Word(file, frame + 4, 4) / 8, 10));
  }
  return fields.Taken();
}

std::vector<Field> SharedPageFields() {
  const std::string page(kPageBytes, '\0');
  Collector fields(page);
  fields.Words("", "", 0, 12);
  return fields.Taken();
}

std::vector<Field> SnapshotFileFields(const std::string& file) {
  constexpr std::size_t kSlotBytes = 65536;
  Collector fields(file);
  for (std::size_t slot = 0; slot < file.size(); slot += kSlotBytes) {
    fields.Words("slot " + std::to_string(slot / kSlotBytes) + ": ", "slot: ", slot, 16);
  }
  return fields.Taken();
}

}  // namespace foldlog::damage
