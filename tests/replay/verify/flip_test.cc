// Each byte of a small log, changed by itself: verify finds it, or nothing that a log keeps depends on it.

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
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

// Where nothing reads, so many bytes that are changed at once tell as much as one by one.
constexpr std::size_t kTogether = 256;

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

  // Which bytes may be changed and noticed by nobody.
  using Quiet = std::function<bool(std::size_t)>;

  // Changes each byte of the file from `begin` on, or to before `end`. Returns those of which nothing is found. Bytes
  // that are `quiet` are changed many at a time, and one by one where that is noticed.
  std::vector<std::size_t> Unnoticed(const std::string& name, const Quiet& quiet, std::size_t begin = 0,
                                     std::size_t end = ~std::size_t{0}) {
    Changing file{.name = name, .path = log_dir_ + "/" + name, .truth = Answers()};
    file.bytes = ReadFile(file.path);
    file.fd = open(file.path.c_str(), O_RDWR | O_CLOEXEC);
    end = std::min(file.bytes.size(), end);
    std::vector<std::size_t> unnoticed;
    for (std::size_t at = begin + TestSeed() % kStep; at < end;) {
      std::size_t count = 0;
      while (count < kTogether && at + count < end && quiet(at + count)) ++count;
      if (count > 1 && !IsNoticed(file, at, count)) {
        for (std::size_t i = 0; i < count; ++i) unnoticed.push_back(at + i);
        at += count + kStep - 1;
        continue;
      }
      const std::size_t behind = at + std::max<std::size_t>(1, count);
      for (; at < behind; at += kStep) {
        if (!IsNoticed(file, at, 1)) unnoticed.push_back(at);
      }
    }
    close(file.fd);
    EXPECT_EQ(Answers(), file.truth);
    EXPECT_TRUE(Verify(log_dir_)->findings.empty());
    return unnoticed;
  }

  // All of log.mdb, of which nobody reads what is in no page or node.
  std::vector<std::size_t> UnnoticedInLogMdb();

  // Of log.mdb: what each of the places is, is in the list, or of no use to any log.
  void ExpectHarmless(const std::vector<std::size_t>& places, std::set<std::string> harmless) const;

  std::unique_ptr<Engine> engine_;

 private:
  // A file that is being changed, and what the log answered before.
  struct Changing {
    std::string name;
    std::string path;
    std::string truth;
    std::string bytes = {};
    int fd = -1;
  };

  // With `count` bytes changed. What verify calls whole is whole: byte for byte the same events, and the same answers.
  bool IsNoticed(const Changing& file, std::size_t at, std::size_t count) const {
    std::string changed = file.bytes.substr(at, count);
    for (std::size_t i = 0; i < count; ++i) changed[i] = static_cast<char>(changed[i] ^ (1 << (at + i) % 8));
    const auto place = static_cast<off_t>(at);
    EXPECT_EQ(pwrite(file.fd, changed.data(), count, place), static_cast<ssize_t>(count));
    const auto report = Verify(log_dir_, {.jobs = 1});
    const bool told = !report.ok() || !report->findings.empty();
    if (!told && Answers() != file.truth) {
      ADD_FAILURE() << file.name << ", byte " << at << "+" << count << ": other answers, and no finding";
    }
    EXPECT_EQ(pwrite(file.fd, &file.bytes[at], count, place), static_cast<ssize_t>(count));
    return told;
  }
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

std::vector<std::size_t> FlipTest::UnnoticedInLogMdb() {
  const Parts parts(ReadFile(log_dir_ + "/log.mdb"));
  const std::set<std::string> unread = {"of no page in use", "room between nodes"};
  return Unnoticed("log.mdb", [&](std::size_t at) { return unread.contains(parts.at(at)); });
}

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
  ExpectHarmless(UnnoticedInLogMdb(), {});
}

// What the log keeps of pruned operations can't be made anew, but is found all the same. Of a batch that the base lies
// in, the row tells of more than there is.
TEST_F(FlipTest, EachByteOfAPrunedLogIsFoundOrOneThatNothingDependsOn) {
  MakeStored();
  Prune();
  ASSERT_GT((*OpenLogForReading(log_dir_))->Extent()->base.sequence, 0U);
  ExpectHarmless(UnnoticedInLogMdb(), {"batches, value"});
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
  for (const std::size_t place : Unnoticed("tail", [&](std::size_t byte) { return !in_use.contains(byte); })) {
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
    EXPECT_EQ(Ranges(Unnoticed(
                  "snapshots", [](std::size_t) { return false; }, slot, slot + bytes)),
              "");
  }
}

}  // namespace
}  // namespace foldlog
