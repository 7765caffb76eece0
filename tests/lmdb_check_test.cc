// The check of LMDB files, against files that LMDB wrote, damaged in every way that is known to hurt it and in random
// ones. The judge is LMDB itself, in a child process: what the check accepts must not crash, hang or hide a row.

#include "engine/log/lmdb_check.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <lmdb.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "engine/log/lmdb_page.h"

namespace foldlog {
namespace {

using ::testing::HasSubstr;

using u16 = std::uint16_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;

constexpr u64 kMapBytes = u64{1} << 30;
constexpr u64 kPageBytes = 4096;

// ---- Files that LMDB writes

void Must(int code) {
  if (code != MDB_SUCCESS) throw std::runtime_error(mdb_strerror(code));
}

class Transaction {
 public:
  explicit Transaction(MDB_txn* txn) : txn_(txn) {}

  void Put(const char* table, u64 key, std::size_t value_bytes, unsigned table_flags = MDB_INTEGERKEY) {
    std::string bytes(value_bytes, static_cast<char>(key));
    MDB_val mdb_key = {sizeof(key), &key};
    MDB_val mdb_value = {bytes.size(), bytes.data()};
    Must(mdb_put(txn_, Open(table, table_flags), &mdb_key, &mdb_value, 0));
  }

  void Delete(const char* table, u64 key) {
    MDB_val mdb_key = {sizeof(key), &key};
    const int code = mdb_del(txn_, Open(table, MDB_INTEGERKEY), &mdb_key, nullptr);
    if (code != MDB_NOTFOUND) Must(code);
  }

 private:
  MDB_dbi Open(const char* table, unsigned flags) {
    MDB_dbi dbi = 0;
    Must(mdb_dbi_open(txn_, table, MDB_CREATE | flags, &dbi));
    return dbi;
  }

  MDB_txn* txn_;
};

class Database {
 public:
  explicit Database(const std::string& path) {
    Must(mdb_env_create(&env_));
    Must(mdb_env_set_maxdbs(env_, 8));
    Must(mdb_env_set_mapsize(env_, kMapBytes));
    Must(mdb_env_open(env_, path.c_str(), MDB_NOSUBDIR | MDB_NOTLS | MDB_NOSYNC, 0600));
  }
  ~Database() {
    mdb_txn_abort(reader_);
    mdb_env_close(env_);
  }
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  void Commit(const std::function<void(Transaction&)>& body) {
    MDB_txn* txn = nullptr;
    Must(mdb_txn_begin(env_, nullptr, 0, &txn));
    Transaction transaction(txn);
    body(transaction);
    Must(mdb_txn_commit(txn));
  }

  // From here on no page is reused, so the free list grows.
  void PinSnapshot() { Must(mdb_txn_begin(env_, nullptr, MDB_RDONLY, &reader_)); }

  void Copy(const std::string& path, unsigned flags) { Must(mdb_env_copy2(env_, path.c_str(), flags)); }

 private:
  MDB_env* env_ = nullptr;
  MDB_txn* reader_ = nullptr;
};

class TestDirectory {
 public:
  TestDirectory() : path_(testing::TempDir() + "/lmdb_check_XXXXXX") {
    if (mkdtemp(path_.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
  }
  ~TestDirectory() { std::filesystem::remove_all(path_); }
  TestDirectory(const TestDirectory&) = delete;
  TestDirectory& operator=(const TestDirectory&) = delete;

  std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

std::string ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void WriteFile(const std::string& path, const std::string& bytes) {
  std::filesystem::remove(path);  // ext4 flushes a file that was truncated and written again
  std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

// Three levels of events, overflow runs, and a free list of several records.
std::string BuildSample() {
  const TestDirectory directory;
  const std::string path = directory.file("log.mdb");
  {
    Database database(path);
    database.Commit([](Transaction& txn) {
      for (u64 key = 1; key <= 500; ++key) txn.Put("events", key * 10, key % 8 == 0 ? 48 : 2000);
      for (u64 key = 1; key <= 4; ++key) txn.Put("snapshots", key, 9000 * 8 * key);
    });
    database.PinSnapshot();
    for (u64 commit = 1; commit <= 6; ++commit) {
      database.Commit([&](Transaction& txn) {
        for (u64 key = 1; key <= 6; ++key) txn.Delete("events", (commit * 70 + key) * 10);
        if (commit == 3) txn.Delete("snapshots", 2);
        txn.Put("meta", commit, 24);
      });
    }
  }
  return ReadFile(path);
}

const std::string& Sample() {
  static const std::string sample = BuildSample();
  return sample;
}

// ---- Checking

absl::StatusOr<LmdbFileSummary> Check(const std::string& path, u64 map_bytes = kMapBytes) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  absl::StatusOr<LmdbFileSummary> summary = absl::NotFoundError(path);
  if (const auto newest = CheckLmdbMetas(fd, path, map_bytes); newest.ok()) {
    summary = CheckLmdbSnapshot(fd, path, map_bytes, *newest);
  } else {
    summary = newest.status();
  }
  close(fd);
  return summary;
}

absl::StatusOr<LmdbFileSummary> CheckSnapshot(const std::string& path, u64 txn_id) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  auto summary = CheckLmdbSnapshot(fd, path, kMapBytes, txn_id);
  close(fd);
  return summary;
}

// Reads all rows in both directions, then deletes and writes in all tables.
class LmdbUser {
 public:
  LmdbUser(const std::string& path, const std::vector<LmdbTable>& expected) : expected_(expected) {
    Try(mdb_env_create(&env_));
    Try(mdb_env_set_maxdbs(env_, 64));
    Try(mdb_env_set_mapsize(env_, 4 * kMapBytes));  // room to write, even if the last page is at the end of the map
    Try(mdb_env_open(env_, path.c_str(), MDB_NOSUBDIR | MDB_NOTLS | MDB_NOSYNC, 0600));
  }

  static constexpr int kRefused = 2;
  static constexpr int kRowsHidden = 3;

  void ReadAll() {
    Try(mdb_txn_begin(env_, nullptr, MDB_RDONLY, &txn_));
    for (const LmdbTable& table : expected_) {
      for (const auto& [first, step] : {std::pair(MDB_FIRST, MDB_NEXT), std::pair(MDB_LAST, MDB_PREV)}) {
        if (CountRows(Open(table), first, step) != table.entries) _exit(kRowsHidden);
      }
    }
    mdb_txn_abort(txn_);
  }

  void Write() {
    for (u64 commit = 0; commit < 3; ++commit) {
      Try(mdb_txn_begin(env_, nullptr, 0, &txn_));
      for (const LmdbTable& table : expected_) {
        const MDB_dbi dbi = Open(table);
        for (u64 i = 0; i < 8; ++i) Put(dbi, 7 + commit * 997 + i * 613, i == 5 ? 30000 : 8 * i * i);
        DeleteFirst(dbi, 5);
      }
      Try(mdb_txn_commit(txn_));
    }
  }

 private:
  static void Try(int code) {
    if (code != MDB_SUCCESS) _exit(kRefused);
  }

  MDB_dbi Open(const LmdbTable& table) {
    MDB_dbi dbi = 0;
    Try(mdb_dbi_open(txn_, table.name.c_str(), MDB_INTEGERKEY, &dbi));
    return dbi;
  }

  u64 CountRows(MDB_dbi dbi, MDB_cursor_op first, MDB_cursor_op step) {
    MDB_cursor* cursor = nullptr;
    Try(mdb_cursor_open(txn_, dbi, &cursor));
    u64 rows = 0;
    MDB_val key = {};
    MDB_val value = {};
    int code = mdb_cursor_get(cursor, &key, &value, first);
    for (; code == MDB_SUCCESS; code = mdb_cursor_get(cursor, &key, &value, step)) {
      const auto* bytes = static_cast<const volatile char*>(value.mv_data);
      for (std::size_t i = 0; i < value.mv_size; ++i) static_cast<void>(bytes[i]);
      ++rows;
    }
    if (code != MDB_NOTFOUND) _exit(kRefused);
    mdb_cursor_close(cursor);
    return rows;
  }

  void Put(MDB_dbi dbi, u64 key, std::size_t value_bytes) {
    std::string bytes(value_bytes, 'x');
    MDB_val mdb_key = {sizeof(key), &key};
    MDB_val mdb_value = {bytes.size(), bytes.data()};
    Try(mdb_put(txn_, dbi, &mdb_key, &mdb_value, 0));
  }

  void DeleteFirst(MDB_dbi dbi, int count) {
    MDB_cursor* cursor = nullptr;
    Try(mdb_cursor_open(txn_, dbi, &cursor));
    MDB_val key = {};
    MDB_val value = {};
    for (int i = 0; i < count && mdb_cursor_get(cursor, &key, &value, MDB_FIRST) == MDB_SUCCESS; ++i) {
      Try(mdb_cursor_del(cursor, 0));
    }
    mdb_cursor_close(cursor);
  }

  std::vector<LmdbTable> expected_;
  MDB_env* env_ = nullptr;
  MDB_txn* txn_ = nullptr;
};

// Lets LMDB loose on the file in a child. Returns the wait status: 0 if all went well.
int UseInChild(const std::string& path, const std::vector<LmdbTable>& expected, unsigned limit_s) {
  const pid_t child = fork();
  if (child == 0) {
    // A sanitizer would turn the signals into reports. Here they are the result.
    for (const int number : {SIGSEGV, SIGBUS, SIGFPE, SIGABRT, SIGILL, SIGALRM}) std::signal(number, SIG_DFL);
    const rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    const int null = open("/dev/null", O_WRONLY);
    dup2(null, STDERR_FILENO);
    alarm(limit_s);
    LmdbUser user(path, expected);
    user.ReadAll();
    user.Write();
    _exit(0);
  }
  int status = -1;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  std::filesystem::remove(path + "-lock");
  return status;
}

bool Crashed(int status) { return WIFSIGNALED(status) && WTERMSIG(status) != SIGALRM; }

// ---- Damage

// A file in memory, with the way to its parts. All places are offsets in the file.
class Image {
 public:
  explicit Image(std::string content) : bytes(std::move(content)) {}

  template <typename T>
  T Get(u64 offset) const {
    T value;
    std::memcpy(&value, bytes.data() + offset, sizeof(value));
    return value;
  }

  template <typename T>
  void Set(u64 offset, T value) {
    std::memcpy(bytes.data() + offset, &value, sizeof(value));
  }

  // Metas, and the records of trees.
  u64 Newest() const { return TxnId(0) > TxnId(kPageBytes) ? 0 : kPageBytes; }
  u64 Older() const { return kPageBytes - Newest(); }
  u64 FreeList() const { return Newest() + offsetof(lmdb_file::Meta, free_list); }
  u64 Main() const { return Newest() + offsetof(lmdb_file::Meta, main); }
  u64 Table(std::string_view name) const {
    for (std::size_t index = 0;; ++index) {
      const u64 key = Key(Node(Root(Main()), index));
      if (bytes.compare(key, name.size(), name) == 0) return key + name.size();
    }
  }
  u64 Events() const { return Table("events"); }
  u64 TxnId(u64 meta) const { return Get<lmdb_file::Meta>(meta).txn_id; }
  u64 LastPage() const { return Get<lmdb_file::Meta>(Newest()).last_page; }

  // Pages: a tree's root; the top of the events, the first leaves below it; the run of a value; and their nodes.
  u64 Root(u64 tree) const { return Get<lmdb_file::Tree>(tree).root * kPageBytes; }
  u64 Child(u64 page, std::size_t index) const {
    return Get<lmdb_file::NodeHeader>(Node(page, index)).child() * kPageBytes;
  }
  u64 Branch() const { return Root(Events()); }
  u64 Leaf() const { return Child(Child(Branch(), 0), 0); }
  u64 Run() const { return Get<u64>(RunNumber()) * kPageBytes; }
  u64 Node(u64 page, std::size_t index) const { return page + Get<u16>(page + kPointers + 2 * index); }
  u64 BranchNode() const { return Node(Branch(), 0); }
  u64 LeafNode() const { return Node(Leaf(), 0); }
  u64 SecondLeafNode() const { return Node(Child(Child(Branch(), 0), 1), 0); }
  u64 RunNumber() const { return Data(Node(Root(Table("snapshots")), 0)); }
  u64 FreeRecord(std::size_t index) const { return Node(Root(FreeList()), index); }
  u64 FirstFreeKey() const { return Key(FreeRecord(0)); }
  u64 LastFreeKey() const { return Key(FreeRecord(Get<lmdb_file::Tree>(FreeList()).entries - 1)); }
  u64 FreeCount() const { return Data(FreeRecord(0)); }
  u64 FreePage() const { return Data(FreeRecord(0)) + 8; }  // the first and greatest
  static u64 Key(u64 node) { return node + sizeof(lmdb_file::NodeHeader); }
  static u64 Data(u64 node) { return Key(node) + sizeof(u64); }

  static constexpr u64 kPointers = sizeof(lmdb_file::PageHeader);

  std::string bytes;
};

constexpr u64 kFlags = offsetof(lmdb_file::PageHeader, flags);
constexpr u64 kLower = offsetof(lmdb_file::PageHeader, lower);
constexpr u64 kUpper = offsetof(lmdb_file::PageHeader, upper);
constexpr u64 kPageSize = offsetof(lmdb_file::Meta, free_list);
constexpr u64 kMagic = offsetof(lmdb_file::Meta, magic);
constexpr u64 kVersion = offsetof(lmdb_file::Meta, version);
constexpr u64 kLastPage = offsetof(lmdb_file::Meta, last_page);
constexpr u64 kTxnId = offsetof(lmdb_file::Meta, txn_id);
constexpr u64 kTreeFlags = offsetof(lmdb_file::Tree, flags);
constexpr u64 kDepth = offsetof(lmdb_file::Tree, depth);
constexpr u64 kBranchPages = offsetof(lmdb_file::Tree, branch_pages);
constexpr u64 kLeafPages = offsetof(lmdb_file::Tree, leaf_pages);
constexpr u64 kOverflowPages = offsetof(lmdb_file::Tree, overflow_pages);
constexpr u64 kEntries = offsetof(lmdb_file::Tree, entries);
constexpr u64 kRoot = offsetof(lmdb_file::Tree, root);
constexpr u64 kNodeHigh = offsetof(lmdb_file::NodeHeader, high);
constexpr u64 kNodeFlags = offsetof(lmdb_file::NodeHeader, flags);
constexpr u64 kKeyBytes = offsetof(lmdb_file::NodeHeader, key_bytes);
constexpr u64 kFirstPointer = Image::kPointers;

using Inflict = std::function<void(Image&)>;
using Place = u64 (Image::*)() const;

template <typename T>
Inflict Put(Place place, u64 offset, std::type_identity_t<T> value) {
  return [=](Image& image) { image.Set<T>((image.*place)() + offset, value); };
}

template <typename T>
Inflict Add(Place place, u64 offset, int delta) {
  return [=](Image& image) {
    const u64 at = (image.*place)() + offset;
    image.Set<T>(at, static_cast<T>(image.Get<T>(at) + static_cast<T>(delta)));
  };
}

// Writes the number of another page, or one that is none.
template <typename T>
Inflict PutPage(Place place, u64 offset, const std::function<u64(const Image&)>& page) {
  return [=](Image& image) { image.Set<T>((image.*place)() + offset, static_cast<T>(page(image))); };
}

Inflict Zero(Place place, std::size_t count) {
  return [=](Image& image) { image.bytes.replace((image.*place)(), count, count, '\0'); };
}

Inflict Resize(const std::function<u64(const Image&)>& size) {
  return [=](Image& image) { image.bytes.resize(size(image)); };
}

Inflict Both(const Inflict& first, const Inflict& second) {
  return [=](Image& image) {
    first(image);
    second(image);
  };
}

u64 BeyondLast(const Image& image) { return image.LastPage() + 1; }

struct Damage {
  const char* claim;
  Inflict inflict;
  const char* message;  // part of it
};

void PrintTo(const Damage& damage, std::ostream* out) { *out << damage.claim; }

// One damage a line.
// clang-format off

std::vector<Damage> MetaDamages() {
  const Inflict two_pages = Resize([](const Image&) { return 2 * kPageBytes; });
  return {
      {"EmptyFile", Resize([](const Image&) { return 0; }), "the file has 0 bytes"},
      {"FileOfOnePage", Resize([](const Image&) { return kPageBytes; }), "the file has 4096 bytes"},
      {"PageSizeZero", Put<u32>(&Image::Newest, kPageSize, 0), "page size 0"},
      {"PageSizeThatIsNoPowerOfTwo", Put<u32>(&Image::Newest, kPageSize, 4095), "page size 4095"},
      {"ZeroedNewestMetaIsNotReplacedByTheOlder", Zero(&Image::Newest, 512), "passes. Do not patch it"},
      {"BothMetasUnmarked", Both(Put<u16>(&Image::Newest, kFlags, 0), Put<u16>(&Image::Older, kFlags, 0)), "both meta"},
      {"BrokenMagicOfOlderMeta", Put<u32>(&Image::Older, kMagic, 7), "magic number"},
      {"UnmarkedMeta", Put<u16>(&Image::Newest, kFlags, 0), "not marked"},
      {"TransactionInTheWrongMeta", Add<u64>(&Image::Newest, kTxnId, 1), "belongs to the other"},
      {"TransactionsThatAreNoNeighbours", Add<u64>(&Image::Newest, kTxnId, 2), "the meta pages hold transactions"},
      {"LastPageOutsideTheMap", Put<u64>(&Image::Newest, kLastPage, kMapBytes / kPageBytes), "outside the map"},
      {"LastPageFarBeyondTheFile", Both(two_pages, Put<u64>(&Image::Newest, kLastPage, 2000)), "but the file has 2"},
      {"ImpossibleDepth", Put<u16>(&Image::Main, kDepth, 33), "depth 33"},
      {"RootWithoutDepth", Put<u16>(&Image::Main, kDepth, 0), "contradicts"},
      {"EmptyTreeWithEntries",
       Both(Put<u16>(&Image::Main, kDepth, 0), Put<u64>(&Image::Main, kRoot, ~u64{0})), "an empty tree counts"},
      {"UnknownFlagsOfFreeList", Put<u16>(&Image::FreeList, kTreeFlags, 0x0c), "unknown database flags"},
  };
}

std::vector<Damage> PageDamages() {
  return {
      {"TruncatedFile", Resize([](const Image& i) { return i.bytes.size() / 2; }), "beyond the end of the file"},
      {"FileCutInsideAPage", Resize([](const Image& i) { return i.Run() + kPageBytes - 1; }), "beyond the end"},
      {"ZeroedLeaf", Zero(&Image::Leaf, kPageBytes), "says that it is page 0"},
      {"PageOfAnotherNumber", Add<u64>(&Image::Leaf, 0, 1), "says that it is page"},
      {"LowerBoundZero", Put<u16>(&Image::Leaf, kLower, 0), "impossible bounds"},
      {"OddLowerBound", Add<u16>(&Image::Leaf, kLower, 1), "impossible bounds"},
      {"UpperBelowLower", Put<u16>(&Image::Leaf, kUpper, 2), "impossible bounds"},
      {"UpperBeyondThePage", Put<u16>(&Image::Leaf, kUpper, 4098), "impossible bounds"},
      {"LeafWithoutNodes", Put<u16>(&Image::Leaf, kLower, 16), "has 0 nodes"},
      {"BranchWithOneNode", Put<u16>(&Image::Branch, kLower, 18), "has 1 nodes"},
      {"BranchFlaggedAsLeaf", Put<u16>(&Image::Branch, kFlags, 2), "has flags 0x2"},
      {"LeafFlaggedAsBranch", Put<u16>(&Image::Leaf, kFlags, 1), "has flags 0x1"},
      {"UnknownPageFlag", Put<u16>(&Image::Leaf, kFlags, 0x12), "has flags 0x12"},
      {"NodeOutsideThePage", Put<u16>(&Image::Leaf, kFirstPointer, 4092), "node 0 points outside"},
      {"NodeInThePageHeader", Put<u16>(&Image::Leaf, kFirstPointer, 8), "node 0 points outside"},
      {"TwoPointersToOneNode",
       [](Image& i) { i.Set(i.Branch() + kFirstPointer, i.Get<u16>(i.Branch() + kFirstPointer + 2)); }, "overlap"},
      {"MisalignedNode", Add<u16>(&Image::Branch, kFirstPointer, 1), "node"},
      {"NodeOfHugeSize", Put<u16>(&Image::LeafNode, kNodeHigh, 0x4000), "impossible size"},
      {"ShrunkNode", Add<u16>(&Image::LeafNode, 0, -8), "nodes do not end with the page"},
      {"UnknownNodeFlag", Put<u16>(&Image::LeafNode, kNodeFlags, 4), "has flags 0x4"},
      {"TableInsideATable", Put<u16>(&Image::LeafNode, kNodeFlags, 2), "do not belong there"},
  };
}

std::vector<Damage> TreeDamages() {
  const auto next_run = [](const Image& i) { return i.Get<u64>(i.Data(i.Node(i.Root(i.Table("snapshots")), 1))); };
  const auto branch = [](const Image& i) { return i.Branch() / kPageBytes; };
  return {
      {"MetaRootZero", Put<u64>(&Image::Main, kRoot, 0), "outside pages 2 to"},
      {"RootBeyondTheLastPage", PutPage<u64>(&Image::Events, kRoot, BeyondLast), "outside pages 2 to"},
      {"ChildThatIsAMeta", Put<u16>(&Image::BranchNode, 0, 1), "outside pages 2 to"},
      {"PageVisitedTwice", PutPage<u64>(&Image::RunNumber, 0, next_run), "in use elsewhere"},
      {"Cycle", PutPage<u16>(&Image::BranchNode, 0, branch), "in use elsewhere"},
      {"WrongDepth", Add<u16>(&Image::Events, kDepth, -1), "has flags 0x1"},
      {"WrongCountOfBranches", Add<u64>(&Image::Events, kBranchPages, 1), "branch pages, but its record says"},
      {"WrongCountOfLeaves", Add<u64>(&Image::Events, kLeafPages, 1), "leaf pages, but its record says"},
      {"WrongCountOfRuns", Add<u64>(&Image::Events, kOverflowPages, 1), "overflow pages, but its record says"},
      {"WrongCountOfEntries", Add<u64>(&Image::Events, kEntries, 1), "entries, but its record says"},
      {"UnsortedKeys", [](Image& i) { i.Set<u64>(i.Key(i.Node(i.Branch(), 1)), ~u64{0}); }, "out of order"},
      {"KeyBelowItsBranch", Put<u64>(&Image::SecondLeafNode, 8, 1), "does not belong below its branch"},
      {"KeyOfItsRightNeighbour", Put<u64>(&Image::LeafNode, 8, 4999), "does not belong below its branch"},
      {"KeyOfSevenBytes", Put<u16>(&Image::LeafNode, kKeyBytes, 7), "has a key of 7 bytes"},
      {"TableWithDuplicates", Put<u16>(&Image::Events, kTreeFlags, 0x0c), "table events has flags 0xc"},
      {"TableWithStringKeys", Put<u16>(&Image::Events, kTreeFlags, 0), "table events has flags 0x0"},
      {"TableNameWithZeroByte", [](Image& i) { i.bytes[i.Events() - 1] = '\0'; }, "table name event\\x00 holds a zero"},
      {"RunOfAnotherPageNumber", Add<u64>(&Image::Run, 0, 1), "by its own header"},
      {"RunWithoutItsFlag", Put<u16>(&Image::Run, kFlags, 2), "by its own header"},
      {"RunTooShortForItsValue", Put<u32>(&Image::Run, kLower, 2), "has 2 pages"},
      {"RunIntoOtherPages", Put<u32>(&Image::Run, kLower, 60), "which is on the free list"},
      {"RunOfFourBillionPages", Put<u32>(&Image::Run, kLower, ~0U), "outside pages 2 to"},
      {"RunBeyondTheLastPage", PutPage<u64>(&Image::RunNumber, 0, BeyondLast), "outside pages 2 to"},
  };
}

std::vector<Damage> FreeListDamages() {
  const auto main = [](const Image& i) { return i.Root(i.Main()) / kPageBytes; };
  const auto free_list = [](const Image& i) { return i.Root(i.FreeList()) / kPageBytes; };
  const auto freed_later = [](const Image& i) { return i.Get<u64>(i.Data(i.FreeRecord(1)) + 8); };
  return {
      {"FreeListLongerThanItsRecord", Put<u64>(&Image::FreeCount, 0, 9999), "lists 9999 free pages"},
      {"EndlessFreeList", Put<u64>(&Image::FreeCount, 0, ~u64{0}), "free pages in"},
      {"FreeMeta", Put<u64>(&Image::FreePage, 0, 1), "lists page 1 as free"},
      {"FreePageBeyondTheLast", PutPage<u64>(&Image::FreePage, 0, BeyondLast), "as free"},
      {"UnsortedFreeList", Put<u64>(&Image::FreePage, 0, 2), "out of order"},
      {"PageFreedTwice", PutPage<u64>(&Image::FreePage, 0, freed_later), "as free a second time"},
      {"FreePageInUse", PutPage<u64>(&Image::FreePage, 0, main), "which is on the free list"},
      {"FreeListWithItsOwnPage", PutPage<u64>(&Image::FreePage, 0, free_list), "as free, but it is in use"},
      {"PagesFreedByTransactionZero", Put<u64>(&Image::FirstFreeKey, 0, 0), "transaction 0 cannot have freed"},
      {"PagesFreedInTheFuture", Add<u64>(&Image::LastFreeKey, 0, 1), "cannot have freed"},
  };
}

// clang-format on

class DamageTest : public testing::TestWithParam<Damage> {};

TEST_P(DamageTest, IsDataLoss) {
  const TestDirectory directory;
  const std::string path = directory.file("log.mdb");
  Image image(Sample());
  GetParam().inflict(image);
  WriteFile(path, image.bytes);
  const auto summary = Check(path);
  EXPECT_EQ(summary.status().code(), absl::StatusCode::kDataLoss) << summary.status();
  EXPECT_THAT(std::string(summary.status().message()), HasSubstr(GetParam().message));
  EXPECT_THAT(std::string(summary.status().message()), HasSubstr(path));
}

std::string ClaimOf(const testing::TestParamInfo<Damage>& info) { return info.param.claim; }
INSTANTIATE_TEST_SUITE_P(Metas, DamageTest, testing::ValuesIn(MetaDamages()), ClaimOf);
INSTANTIATE_TEST_SUITE_P(Pages, DamageTest, testing::ValuesIn(PageDamages()), ClaimOf);
INSTANTIATE_TEST_SUITE_P(Trees, DamageTest, testing::ValuesIn(TreeDamages()), ClaimOf);
INSTANTIATE_TEST_SUITE_P(FreeList, DamageTest, testing::ValuesIn(FreeListDamages()), ClaimOf);

TEST(LmdbCheck, FileThatIsNotLmdbIsRefused) {
  const TestDirectory directory;
  const std::string path = directory.file("log.mdb");
  WriteFile(path, std::string(64 * 1024, 'x'));
  EXPECT_EQ(Check(path).status().code(), absl::StatusCode::kFailedPrecondition) << Check(path).status();
}

TEST(LmdbCheck, OtherFormatVersionIsRefused) {
  const TestDirectory directory;
  const std::string path = directory.file("log.mdb");
  Image image(Sample());
  for (const u64 meta : {image.Newest(), image.Older()}) image.Set<u32>(meta + kVersion, 2);
  WriteFile(path, image.bytes);
  EXPECT_EQ(Check(path).status().code(), absl::StatusCode::kFailedPrecondition) << Check(path).status();
}

TEST(LmdbCheck, FileLargerThanTheMapIsDataLoss) {
  const TestDirectory directory;
  const std::string path = directory.file("log.mdb");
  WriteFile(path, Sample());
  EXPECT_TRUE(Check(path, Sample().size() + (u64{1} << 20)).ok());
  EXPECT_THAT(std::string(Check(path, Sample().size() / 2).status().message()), HasSubstr("outside the map"));
}

// What the tables of a log must not be, although LMDB is at ease with it.
TEST(LmdbCheck, TableOfAnotherKindIsDataLoss) {
  const TestDirectory directory;
  const auto status_with = [&](const std::string& name, const std::function<void(Transaction&)>& body) {
    Database(directory.file(name)).Commit(body);
    return std::string(Check(directory.file(name)).status().message());
  };
  EXPECT_THAT(status_with("odd", [](Transaction& txn) { txn.Put("events", 1, 12); }), HasSubstr("not a multiple of 8"));
  EXPECT_THAT(status_with("odd run", [](Transaction& txn) { txn.Put("events", 1, 30001); }),
              HasSubstr("not a multiple of 8"));
  EXPECT_THAT(status_with("string keys", [](Transaction& txn) { txn.Put("events", 1, 8, 0); }),
              HasSubstr("only integer keys"));
  EXPECT_THAT(
      status_with("duplicates", [](Transaction& txn) { txn.Put("events", 1, 8, MDB_INTEGERKEY | MDB_DUPSORT); }),
      HasSubstr("only integer keys"));
  EXPECT_THAT(status_with("row in the main database", [](Transaction& txn) { txn.Put(nullptr, 1, 48, 0); }),
              HasSubstr("do not belong there"));
}

TEST(LmdbCheck, FreshFileIsAccepted) {
  const TestDirectory directory;
  const std::string path = directory.file("log.mdb");
  Database database(path);
  const auto summary = Check(path);
  ASSERT_TRUE(summary.ok()) << summary.status();
  EXPECT_EQ(summary->txn_id, 0);
  EXPECT_EQ(summary->page_bytes, kPageBytes);
  EXPECT_EQ(summary->last_page, 1);
  EXPECT_TRUE(summary->tables.empty());
}

TEST(LmdbCheck, EveryCommitOfAHistoryIsAccepted) {
  const TestDirectory directory;
  const std::string path = directory.file("log.mdb");
  Database database(path);
  u64 key = 0;
  for (u64 commit = 1; commit <= 120; ++commit) {
    database.Commit([&](Transaction& txn) {
      for (int i = 0; i < 60; ++i, ++key) txn.Put("events", key, 8 * (key * 37 % 120));
      if (commit % 3 == 0) txn.Put("snapshots", commit, 300 * 1024);
      if (commit % 6 == 0) txn.Delete("snapshots", commit - 3);
      if (commit > 60) {
        for (u64 gone = 0; gone < 90; ++gone) txn.Delete("events", (commit - 61) * 90 + gone);
      }
      txn.Put("meta", 0, 24);
    });
    const auto summary = Check(path);
    ASSERT_TRUE(summary.ok()) << "commit " << commit << ": " << summary.status();
    EXPECT_EQ(summary->txn_id, commit);
    // The snapshot before it stays whole for its readers.
    const auto previous = CheckSnapshot(path, commit - 1);
    ASSERT_TRUE(previous.ok()) << previous.status();
    if (commit == 60) {
      const Image image(ReadFile(path));
      EXPECT_GE(image.Get<lmdb_file::Tree>(image.Events()).depth, 3);
    }
  }
  const auto summary = Check(path);
  ASSERT_EQ(summary->tables.size(), 3);
  EXPECT_EQ(summary->tables[0].name, "events");
  EXPECT_EQ(summary->tables[0].entries, 120 * 60 - 60 * 90);
  EXPECT_EQ(summary->tables[1].name, "meta");
  EXPECT_EQ(summary->tables[1].entries, 1);
}

TEST(LmdbCheck, SnapshotThatWasOverwrittenIsAborted) {
  const TestDirectory directory;
  const std::string path = directory.file("log.mdb");
  Database database(path);
  for (int commit = 1; commit <= 5; ++commit) database.Commit([](Transaction& txn) { txn.Put("meta", 1, 8); });
  EXPECT_TRUE(CheckSnapshot(path, 5).ok());
  EXPECT_TRUE(CheckSnapshot(path, 4).ok());
  EXPECT_EQ(CheckSnapshot(path, 3).status().code(), absl::StatusCode::kAborted);
  EXPECT_EQ(CheckSnapshot(path, 6).status().code(), absl::StatusCode::kAborted);
}

// The way out when the newest meta is lost: the older snapshot can still be vouched for, and exported.
TEST(LmdbCheck, OlderSnapshotIsCheckedBesideADamagedMeta) {
  const TestDirectory directory;
  const std::string path = directory.file("log.mdb");
  Image image(Sample());
  const u64 older = image.TxnId(image.Older());
  Zero(&Image::Newest, 512)(image);
  WriteFile(path, image.bytes);
  EXPECT_TRUE(CheckSnapshot(path, older).ok());
  EXPECT_EQ(CheckSnapshot(path, older + 1).status().code(), absl::StatusCode::kDataLoss);
}

// LMDB does not write a page that was allocated and freed within one transaction, so a sound file may be too short.
TEST(LmdbCheck, FreePagesBeyondTheEndOfTheFileAreAccepted) {
  const TestDirectory directory;
  const std::string path = directory.file("log.mdb");
  {
    Database database(path);
    for (u64 key = 1; key <= 4; ++key) {
      database.Commit([&](Transaction& txn) { txn.Put("events", key, 300 * 1024); });
      database.Commit([&](Transaction& txn) { txn.Delete("events", key); });
    }
    database.Commit([](Transaction& txn) {
      for (u64 key = 10; key <= 20; ++key) txn.Put("events", key, 300 * 1024);
      for (u64 key = 10; key <= 20; ++key) txn.Delete("events", key);
      txn.Put("events", 1, 64);
    });
  }
  const auto summary = Check(path);
  ASSERT_TRUE(summary.ok()) << summary.status();
  EXPECT_LT(std::filesystem::file_size(path), (summary->last_page + 1) * kPageBytes);
  EXPECT_EQ(UseInChild(path, summary->tables, 20), 0);
}

TEST(LmdbCheck, RunThatOutlivesItsLongerValueIsAccepted) {
  const TestDirectory directory;
  const std::string path = directory.file("log.mdb");
  {
    Database database(path);
    database.Commit([](Transaction& txn) {
      txn.Put("events", 1, 300 * 1024);
      txn.Put("events", 1, 64);
    });
  }
  const Image image(ReadFile(path));
  ASSERT_GT(image.Get<lmdb_file::Tree>(image.Events()).overflow_pages, 70);
  const auto summary = Check(path);
  ASSERT_TRUE(summary.ok()) << summary.status();
  EXPECT_EQ(UseInChild(path, summary->tables, 20), 0);
}

TEST(LmdbCheck, CopiesAreAccepted) {
  const TestDirectory directory;
  WriteFile(directory.file("log.mdb"), Sample());
  Database database(directory.file("log.mdb"));
  for (const unsigned flags : {0U, unsigned{MDB_CP_COMPACT}}) {
    const std::string copy = directory.file("copy" + std::to_string(flags));
    database.Copy(copy, flags);
    EXPECT_TRUE(Check(copy).ok()) << Check(copy).status();
  }
}

// ---- Random damage

// Enough to prove the control; each rejected file that hangs LMDB costs a second.
constexpr u64 kCrashesWanted = 5;

class Mutator {
 public:
  explicit Mutator(u64 seed) : random_(seed) {
    const Image image(Sample());
    for (u64 page = 2 * kPageBytes; page < image.bytes.size(); page += kPageBytes) {
      const auto header = image.Get<lmdb_file::PageHeader>(page);
      if (header.pgno == page / kPageBytes && header.flags <= lmdb_file::kOverflowPage) pages_.push_back(page);
    }
  }

  u64 Below(u64 bound) { return std::uniform_int_distribution<u64>(0, bound - 1)(random_); }

  Image Mutate() {
    Image image(Sample());
    for (u64 left = 1 + Below(3); left > 0; --left) MutateOnce(image);
    return image;
  }

 private:
  void MutateOnce(Image& image) {
    switch (Below(20)) {
      case 0:
        image.bytes.resize(Below(2) == 0 ? Below(image.bytes.size()) + 1 : (Below(pages_.size()) + 1) * kPageBytes);
        image.bytes.resize(std::max<std::size_t>(image.bytes.size(), 2 * kPageBytes));
        break;
      case 1:
        Overwrite(image, Page(), std::string(kPageBytes, '\0'));
        break;
      case 2:
        SwapPages(image, Page(), Page());
        break;
      case 3:
      case 4:
      case 5:
      case 6:
      case 7:
        FlipBit(image, Offset(image));
        break;
      default:
        OverwriteWord(image, Offset(image));
    }
  }

  u64 Page() { return pages_[Below(pages_.size())]; }

  // Mostly where LMDB's own fields are: a hit on a value proves little.
  u64 Offset(const Image& image) {
    const u64 page = Page();
    if (page + kPageBytes > image.bytes.size()) return Below(image.bytes.size());
    const auto header = image.Get<lmdb_file::PageHeader>(page);
    const u64 nodes = header.flags == lmdb_file::kOverflowPage ? 0 : (header.lower - 16U) / 2 % 2000;
    switch (Below(8)) {
      case 0:
        return Below(image.bytes.size());
      case 1:
        return Below(2) * kPageBytes + Below(sizeof(lmdb_file::Meta));
      case 2:
      case 3:
        return page + Below(16 + 2 * nodes);
      default:
        return nodes == 0 ? page : (image.Node(page, Below(nodes)) + Below(24)) & ~u64{1};
    }
  }

  static void Overwrite(Image& image, u64 offset, const std::string& content) {
    if (offset + content.size() <= image.bytes.size()) image.bytes.replace(offset, content.size(), content);
  }

  void FlipBit(Image& image, u64 offset) {
    if (offset < image.bytes.size()) image.bytes[offset] = static_cast<char>(image.bytes[offset] ^ 1 << Below(8));
  }

  void SwapPages(Image& image, u64 a, u64 b) {
    if (std::max(a, b) + kPageBytes > image.bytes.size()) return;
    const std::string old = image.bytes.substr(a, kPageBytes);
    image.bytes.replace(a, kPageBytes, image.bytes.substr(b, kPageBytes));
    image.bytes.replace(b, kPageBytes, old);
  }

  void OverwriteWord(Image& image, u64 offset) {
    const u64 last = Sample().size() / kPageBytes - 1;
    const std::array<u64, 12> words = {
        0, 1, 2, 3, 8, 16, Page() / kPageBytes, last, last + 1, Below(4096), ~u64{0}, u64{1} << Below(64)};
    const u64 word = words[Below(words.size())];
    const std::array<std::size_t, 3> widths = {2, 4, 8};
    std::string content(widths[Below(widths.size())], '\0');
    std::memcpy(content.data(), &word, content.size());
    Overwrite(image, offset, content);
  }

  std::mt19937_64 random_;
  std::vector<u64> pages_;
};

u64 Setting(const char* name, u64 fallback) {
  const char* text = std::getenv(name);
  return text == nullptr ? fallback : std::strtoull(text, nullptr, 10);
}

std::vector<LmdbTable> TablesOfSample() {
  const TestDirectory directory;
  WriteFile(directory.file("log.mdb"), Sample());
  return Check(directory.file("log.mdb"))->tables;
}

TEST(LmdbCheckCampaign, LmdbSurvivesWhatTheCheckAccepts) {
  const u64 seed = Setting("FOLDLOG_TEST_SEED", 20240607);
  const u64 mutants = Setting("FOLDLOG_TEST_MUTANTS", 500);
  std::cout << "FOLDLOG_TEST_SEED=" << seed << " FOLDLOG_TEST_MUTANTS=" << mutants << std::endl;
  const TestDirectory directory;
  const std::string path = directory.file("log.mdb");
  const std::vector<LmdbTable> tables = TablesOfSample();
  Mutator mutator(seed);
  u64 accepted = 0;
  u64 rejected = 0;
  u64 rejected_tried = 0;
  u64 rejected_crashed = 0;
  for (u64 mutant = 0; mutant < mutants; ++mutant) {
    SCOPED_TRACE(testing::Message() << "seed " << seed << ", mutant " << mutant);
    WriteFile(path, mutator.Mutate().bytes);
    const auto summary = Check(path);
    if (summary.ok()) {
      ++accepted;
      ASSERT_EQ(UseInChild(path, summary->tables, 20), 0);
      ASSERT_TRUE(Check(path).ok()) << "after LMDB wrote to it: " << Check(path).status();
    } else {
      ++rejected;
      ASSERT_NE(summary.status().code(), absl::StatusCode::kAborted) << summary.status();
      // The control: were the check to accept everything, this campaign would see LMDB crash.
      if (rejected_crashed < kCrashesWanted) {
        ++rejected_tried;
        rejected_crashed += Crashed(UseInChild(path, tables, 1)) ? 1 : 0;
      }
    }
  }
  std::cout << accepted << " accepted, " << rejected << " rejected; of " << rejected_tried << " rejected ones, "
            << rejected_crashed << " crash LMDB" << std::endl;
  EXPECT_GT(accepted, 0);
  EXPECT_GT(rejected, 0);
  EXPECT_GT(rejected_crashed, 0);
}

TEST(LmdbCheckCampaign, TruncatedFileCrashesLmdbWithoutTheCheck) {
  const TestDirectory directory;
  const std::string path = directory.file("log.mdb");
  WriteFile(path, Sample().substr(0, Sample().size() / 2));
  const int status = UseInChild(path, TablesOfSample(), 20);
  EXPECT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(WTERMSIG(status), SIGBUS);
}

}  // namespace
}  // namespace foldlog
