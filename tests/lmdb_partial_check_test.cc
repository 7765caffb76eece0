// The check of LMDB files that walks only the way to the last keys: what it passes over LMDB must not come to.

#include <sys/mman.h>

#include <limits>
#include <new>

#include "tests/lmdb_check_support.h"
#include "tests/lmdb_image.h"

namespace foldlog {
namespace {

constexpr u64 kLastKeysOnly = std::numeric_limits<u64>::max();
constexpr std::array<const char*, 2> kTables = {"events", "snapshots"};

// Rows from the last key on that is at most `from`: as a log seeks and reads on.
std::vector<u64> KeysFrom(MDB_txn* txn, const char* table, u64 from) {
  MDB_dbi dbi = 0;
  Must(mdb_dbi_open(txn, table, MDB_INTEGERKEY, &dbi));
  MDB_cursor* cursor = nullptr;
  Must(mdb_cursor_open(txn, dbi, &cursor));
  std::vector<u64> keys;
  MDB_val key = {sizeof from, &from};
  MDB_val value = {};
  const auto take = [&](int code) {
    if (code == MDB_NOTFOUND) return false;
    Must(code);
    keys.push_back(lmdb_file::LoadU64({static_cast<const char*>(key.mv_data), key.mv_size}));
    const auto* bytes = static_cast<const volatile char*>(value.mv_data);
    for (std::size_t i = 0; i < value.mv_size; ++i) static_cast<void>(bytes[i]);
    return true;
  };
  const bool found = take(mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE));
  if (!found || keys.front() != from) take(mdb_cursor_get(cursor, &key, &value, found ? MDB_PREV : MDB_LAST));
  while (take(mdb_cursor_get(cursor, &key, &value, MDB_NEXT))) {
  }
  mdb_cursor_close(cursor);
  return keys;
}

std::vector<u64> KeysOfFile(const std::string& path, u64 from) {
  MDB_env* env = nullptr;
  Must(mdb_env_create(&env));
  Must(mdb_env_set_maxdbs(env, 8));
  Must(mdb_env_set_mapsize(env, kMapBytes));
  Must(mdb_env_open(env, path.c_str(), MDB_NOSUBDIR | MDB_NOTLS | MDB_RDONLY | MDB_NOLOCK, 0600));
  MDB_txn* txn = nullptr;
  Must(mdb_txn_begin(env, nullptr, MDB_RDONLY, &txn));
  std::vector<u64> keys;
  for (const char* table : kTables) {
    const std::vector<u64> of_table = KeysFrom(txn, table, from);
    keys.insert(keys.end(), of_table.begin(), of_table.end());
  }
  mdb_txn_abort(txn);
  mdb_env_close(env);
  return keys;
}

// What a child that may crash has come to, for its parent.
struct Progress {
  u64 page;
  u64 passed_over;
};

// In a child: makes one page after the other useless; what the check accepts nevertheless must read like the whole
// file. Returns the exit status.
int ReadWithEachPageUseless(const std::string& path, u64 from, Progress& progress) {
  for (const int number : {SIGSEGV, SIGBUS, SIGFPE, SIGABRT}) std::signal(number, SIG_DFL);
  try {
    const std::vector<u64> expected = KeysOfFile(path, from);
    for (progress.page = 2; progress.page < Sample().size() / kPageBytes; ++progress.page) {
      std::string bytes = Sample();
      std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(progress.page * kPageBytes), kPageBytes, '\xa5');
      WriteFile(path, bytes);
      if (!CheckFrom(path, from).ok()) continue;
      ++progress.passed_over;
      if (KeysOfFile(path, from) != expected) return 1;
    }
  } catch (const std::runtime_error&) {
    return 2;
  }
  return 0;
}

TEST(LmdbPartialCheck, WhatIsPassedOverIsNeverReadByLmdb) {
  const TestDirectory directory;
  const std::string path = directory.file("log.mdb");
  const u64 pages = Sample().size() / kPageBytes;
  for (const u64 from : {u64{10}, u64{2505}, u64{4000}, u64{5000}, kLastKeysOnly}) {
    SCOPED_TRACE(from);
    WriteFile(path, Sample());
    void* const shared = mmap(nullptr, sizeof(Progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(shared, MAP_FAILED);
    auto& progress = *new (shared) Progress{};
    const pid_t child = fork();
    if (child == 0) _exit(ReadWithEachPageUseless(path, from, progress));
    int status = -1;
    waitpid(child, &status, 0);
    EXPECT_EQ(status, 0) << "page " << progress.page << " of " << pages;
    if (from >= 4000) {
      EXPECT_GT(progress.passed_over, pages / 2) << "of " << pages;
    }
    EXPECT_LT(progress.passed_over, pages - 2);
    munmap(shared, sizeof(Progress));
  }
}

TEST(LmdbPartialCheck, NothingIsPassedOverFromTheFirstKeyOn) {
  const TestDirectory directory;
  const std::string path = directory.file("log.mdb");
  for (const auto& leaf : {&Image::Leaf, &Image::Branch}) {
    Image image(Sample());
    image.Set<u16>((image.*leaf)() + 10, 0);  // the page's flags
    WriteFile(path, image.bytes);
    EXPECT_FALSE(CheckFrom(path, 0).ok());
  }
  WriteFile(path, Sample());
  EXPECT_TRUE(CheckFrom(path, 0).ok());
}

// A page that is free and in use is found by the whole check, which comes before the first write.
TEST(LmdbPartialCheck, PageThatIsFreeAndInUseIsFoundByTheWholeCheck) {
  const TestDirectory directory;
  const std::string path = directory.file("log.mdb");
  Image image(Sample());
  image.Set<u64>(image.FreePage(), image.Leaf() / kPageBytes);
  image.Set<u64>(image.FreeCount(), 1);
  WriteFile(path, image.bytes);
  EXPECT_THAT(std::string(CheckFrom(path, 0).status().message()), HasSubstr("free list"));
}

// The runs of values are not read, but must lie in the file, and belong to nobody else.
TEST(LmdbPartialCheck, RunsAreHeldAgainstTheFileWithoutBeingRead) {
  const TestDirectory directory;
  const std::string path = directory.file("log.mdb");
  Image garbage(Sample());
  garbage.Set<u64>(garbage.Run(), 0);
  WriteFile(path, garbage.bytes);
  EXPECT_FALSE(Check(path).ok());
  EXPECT_TRUE(CheckFrom(path, 0).ok());
  for (const u64 page : {u64{0}, garbage.Leaf() / kPageBytes, garbage.LastPage(), garbage.LastPage() + 5}) {
    Image image(Sample());
    image.Set<u64>(image.RunNumber(), page);
    WriteFile(path, image.bytes);
    EXPECT_FALSE(CheckFrom(path, 0).ok()) << "page " << page;
  }
}

}  // namespace
}  // namespace foldlog
