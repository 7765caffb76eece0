// Each byte of a small log, changed by itself: verify finds it, or nothing that a log keeps depends on it.

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "foldlog/engine.h"
#include "foldlog/event_index.h"
#include "foldlog/history.h"
#include "foldlog/log_directory.h"
#include "foldlog/replayer.h"
#include "foldlog/retention.h"
#include "foldlog/verify.h"
#include "tests/support/lmdb_image.h"
#include "tests/support/log_directory_fixture.h"
#include "tests/support/tail_bytes.h"
#include "tests/support/test_support.h"

namespace foldlog {
namespace {

// What runs slowly tries some of the bytes, others each time.
#ifdef NDEBUG
constexpr std::size_t kStep = 1;
#else
constexpr std::size_t kStep = 47;
#endif

class FlipTest : public LogDirectoryFixture {
 protected:
  EngineOptions Options() const {
    EngineOptions options = SmallTailOptions();
    options.snapshot_interval_events = 40;
    return options;
  }

  // Some operations in several transactions.
  void MakeStored() { StoreOperations(Options()); }

  // More events, durable and in the tail alone.
  void AddToTail() {
    ASSERT_OK_AND_ASSIGN(engine_, Engine::Open(log_dir_, Options()));
    ASSERT_OK_AND_ASSIGN(const OperationHandle handle, engine_->Start({}));
    for (int i = 1; i <= 60; ++i) {
      ASSERT_OK(engine_->Checkpoint(handle, {.files_processed = i, .current_path = "/b/" + std::to_string(i)}));
    }
    ASSERT_OK(engine_->Flush());
  }

  // All but the last operation.
  void Prune() const {
    LogDirectoryOptions options = SmallTail();
    options.indexer = NewEventIndexer();
    ASSERT_OK_AND_ASSIGN(const WritableLog log, OpenLogForWriting(log_dir_, options));
    ASSERT_OK_AND_ASSIGN(const PrunePlan plan, PlanPrune(*log.log, {.keep_runs = 1}, SystemClock()().time));
    ASSERT_OK(foldlog::Prune(*log.log, plan, "the test"));
    ASSERT_OK(log.log->FreePruned());
    ASSERT_OK(log.log->Close());
  }

  // What people get from the log, or that it fails.
  std::string Answers() const {
    const auto log = OpenLogForReading(log_dir_);
    if (!log.ok()) return "no log";
    std::string answers;
    EventReader reader(**log, (*log)->Extent()->base.sequence + 1);
    auto event = reader.Next();
    for (; event.ok() && *event; event = reader.Next()) answers += std::to_string((*event)->hash) + " ";
    if (!event.ok()) return "no events";
    const auto state = StateAt(**log);
    const auto history = ReadHistory(**log);
    if (!state.ok() || !history.ok()) return "no state";
    answers += std::to_string(state->sequence) + " " + std::to_string(state->operation->files_processed);
    for (const HistoryEntry& entry : *history) answers += " " + entry.operation.operation_id;
    return answers;
  }

  // Changes each byte of the file, or of a part of it. Returns those of which nothing is found.
  std::vector<std::size_t> Unnoticed(const std::string& name, std::size_t begin = 0, std::size_t end = ~std::size_t{0},
                                     std::size_t step = kStep) {
    const std::string path = log_dir_ + "/" + name;
    const std::string bytes = ReadFile(path);
    const std::string truth = Answers();
    const int fd = open(path.c_str(), O_RDWR | O_CLOEXEC);
    std::vector<std::size_t> unnoticed;
    for (std::size_t at = begin + TestSeed() % step; at < std::min(bytes.size(), end); at += step) {
      const char changed = static_cast<char>(bytes[at] ^ (1 << at % 8));
      EXPECT_EQ(pwrite(fd, &changed, 1, static_cast<off_t>(at)), 1);
      const auto report = Verify(log_dir_, {.jobs = 1});
      const bool told = !report.ok() || !report->findings.empty();
      if (!told) unnoticed.push_back(at);
      // What verify calls whole is whole: byte for byte the same events, and the same answers.
      if (!told && Answers() != truth) ADD_FAILURE() << name << ", byte " << at << ": other answers, and no finding";
      EXPECT_EQ(pwrite(fd, &bytes[at], 1, static_cast<off_t>(at)), 1);
    }
    close(fd);
    EXPECT_EQ(Answers(), truth);
    EXPECT_TRUE(Verify(log_dir_)->findings.empty());
    return unnoticed;
  }

  // Of log.mdb: what each of the places is, is in the list, or of no use to any log.
  void ExpectHarmless(const std::vector<std::size_t>& places, std::set<std::string> harmless) const;

  std::unique_ptr<Engine> engine_;
};

// What each byte of log.mdb is to the newest transaction.
class Parts {
 public:
  explicit Parts(const std::string& bytes) : image_(bytes), parts_(bytes.size(), "of no page in use") {
    for (const u64 meta : {u64{0}, kPageBytes}) {
      Name(meta, sizeof(lmdb_file::Meta), meta == image_.Newest() ? "the newest meta page" : "the older meta page");
      Name(meta + 8, 2, "padding of a page header");
      Name(meta + kLower, 4, "bounds of a meta page, which has no nodes");
      Name(meta + offsetof(lmdb_file::Meta, address), 16, "map of a meta page, which the opener decides on");
      Name(meta + kLastPage, 8, "last page, which may be too high");
    }
    NameTree(image_.Get<lmdb_file::Tree>(image_.Main()), "main");
    NameTree(image_.Get<lmdb_file::Tree>(image_.FreeList()), "free list");
  }

  const std::string& at(std::size_t offset) const { return parts_.at(offset); }

 private:
  void Name(u64 from, u64 bytes, const std::string& name) {
    std::fill_n(parts_.begin() + static_cast<std::ptrdiff_t>(from), bytes, name);
  }

  void NameTree(const lmdb_file::Tree& tree, const std::string& name) {
    if (tree.root != lmdb_file::kNoRoot) NamePage(tree.root * kPageBytes, name);
  }

  void NamePage(u64 page, const std::string& tree) {
    const auto header = image_.Get<lmdb_file::PageHeader>(page);
    Name(page, kPageBytes, "room between nodes");
    Name(page, header.lower, tree + ", header and pointers");
    Name(page + 8, 2, "padding of a page header");
    const u64 nodes = (header.lower - Image::kPointers) / 2;
    for (u64 i = 0; i < nodes; ++i) NameNode(image_.Node(page, i), header.flags == lmdb_file::kBranchPage, tree);
  }

  void NameNode(u64 node, bool branch, const std::string& tree) {
    const auto head = image_.Get<lmdb_file::NodeHeader>(node);
    const u64 data = node + sizeof head + head.key_bytes;
    Name(node, sizeof head + head.key_bytes, tree + ", node");
    if (branch) return NamePage(head.child() * kPageBytes, tree);
    if (head.flags == lmdb_file::kSubData) {
      Name(data, sizeof(lmdb_file::Tree), "record of a table");
      const std::string table = image_.bytes.substr(node + sizeof head, head.key_bytes);
      if (table == "events") Name(data + kOverflowPages, 8, "pages of batches, which are not counted");
      return NameTree(image_.Get<lmdb_file::Tree>(data), table);
    }
    u64 value = data;
    if (head.flags == lmdb_file::kBigData) {
      Name(data, sizeof(u64), tree + ", place of a run");
      value = image_.Get<u64>(data) * kPageBytes + Image::kPointers;
      Name(value - Image::kPointers, Image::kPointers, tree + ", header of a run");
      Name(value - Image::kPointers + 8, 2, "padding of a page header");
      Name(value - Image::kPointers + kLower, 4, "length of a run, which may be longer than its value");
    }
    Name(value, head.data_bytes(), tree + ", value");
    if (tree == "meta" && image_.Get<u64>(node + sizeof head) == 1) {
      Name(value + 12, 4, "reserved");
      Name(value + 32, 8, "time of creation, which nothing is compared with");
    }
  }

  const Image image_;
  std::vector<std::string> parts_;
};

std::string Ranges(const std::vector<std::size_t>& places) {
  std::string text;
  for (std::size_t i = 0; i < places.size();) {
    std::size_t end = i + 1;
    while (end < places.size() && places[end] == places[end - 1] + 1) ++end;
    text += std::to_string(places[i]) + "+" + std::to_string(end - i) + " ";
    i = end;
  }
  return text;
}

// Where a change may go unnoticed. Of batches, LZ4 can name the same bytes in several ways; of the free list, a page
// may be missing.
void FlipTest::ExpectHarmless(const std::vector<std::size_t>& places, std::set<std::string> harmless) const {
  harmless.insert({
      "of no page in use",
      "room between nodes",
      "the older meta page",
      "padding of a page header",
      "bounds of a meta page, which has no nodes",
      "map of a meta page, which the opener decides on",
      "last page, which may be too high",
      "pages of batches, which are not counted",
      "length of a run, which may be longer than its value",
      "reserved",
      "time of creation, which nothing is compared with",
      "events, value",
      "free list, node",
      "free list, value",
  });
  const Parts parts(ReadFile(log_dir_ + "/log.mdb"));
  std::string unexpected;
  for (const std::size_t at : places) {
    if (!harmless.contains(parts.at(at))) unexpected += std::to_string(at) + ": " + parts.at(at) + "\n";
  }
  EXPECT_EQ(unexpected, "");
}

TEST_F(FlipTest, EachByteOfLogMdbIsFoundOrOneThatNothingDependsOn) {
  MakeStored();
  ExpectHarmless(Unnoticed("log.mdb"), {});
}

// What the log keeps of pruned operations can't be made anew, but is found all the same. Of a batch that the base lies
// in, the row tells of more than there is.
TEST_F(FlipTest, EachByteOfAPrunedLogIsFoundOrOneThatNothingDependsOn) {
  MakeStored();
  Prune();
  ASSERT_GT((*OpenLogForReading(log_dir_))->Extent()->base.sequence, 0U);
  constexpr std::size_t kSome = 7;
  ExpectHarmless(Unnoticed("log.mdb", 0, ~std::size_t{0}, kSome * kStep), {"batches, value"});
}

// Of the header's page what is in use; of the ring, the words between the place that the commit record names and the
// end of the chain; of the copy the marks, for its words are read only where the ring lacks them.
TEST_F(FlipTest, EachByteOfTheTailIsFoundOrOneThatNothingReads) {
  MakeStored();
  AddToTail();
  const std::string bytes = ReadFile(log_dir_ + "/tail");
  std::set<std::size_t> in_use;
  const auto use = [&](std::size_t from, std::size_t count) {
    for (std::size_t at = from; at < from + count; ++at) in_use.insert(at);
  };
  const std::size_t ring = TailRingOffset(bytes);
  use(0, 48);
  for (std::size_t page = kTailCopyOffset; page < ring; page += sizeof(CopyPage)) {
    const std::size_t mark = page + kCopyPageWords * 8;
    if (bytes.compare(mark, 24, std::string(24, '\0')) != 0) use(mark, 24);
  }
  const Image image(ReadFile(log_dir_ + "/log.mdb"));
  const u64 tree = image.Table("meta");
  const u64 position = image.Get<u64>(Image::Data(image.Node(image.Root(tree), 1)) + 48);
  std::size_t at = ring + position * 8 % (bytes.size() - ring);
  while (bytes.compare(at, 4, "FLG1") == 0) {
    std::uint32_t payload = 0;
    std::memcpy(&payload, bytes.data() + at + 4, sizeof payload);
    use(at, 32 + payload);
    at += 32 + payload;
  }
  std::vector<std::size_t> missed;
  for (const std::size_t place : Unnoticed("tail")) {
    if (in_use.contains(place)) missed.push_back(place);
  }
  EXPECT_EQ(Ranges(missed), "");
  EXPECT_GT(in_use.size(), 61U * 32);
}

// Two slots, of which the words that their heads tell of are in use.
TEST_F(FlipTest, EachByteOfTheFileSnapshotsIsFound) {
  MakeStored();
  constexpr std::size_t kSlot = 65'536;
  constexpr std::size_t kHead = 32;
  const Image image(ReadFile(log_dir_ + "/snapshots"));
  for (const std::size_t slot : {std::size_t{0}, kSlot}) {
    const std::size_t bytes = kHead + 8 * image.Get<u64>(slot + 8);
    ASSERT_GT(bytes, 10 * kHead);
    EXPECT_EQ(Ranges(Unnoticed("snapshots", slot, slot + bytes)), "");
  }
}

}  // namespace
}  // namespace foldlog
