// The file `snapshots`: what outlives a writer, and what is never believed.

#include "engine/log/store/snapshot_cache.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "tests/support/file_bytes.h"
#include "tests/support/test_support.h"

namespace foldlog {
namespace {

using Access = SnapshotCache::Access;

constexpr Sequence kAny = ~Sequence{0};

Snapshot SnapshotAt(Sequence sequence, std::size_t words = 20) {
  return {{sequence, sequence * 31}, std::vector<std::uint64_t>(words, sequence)};
}

class SnapshotCacheTest : public testing::Test {
 protected:
  SnapshotCache Writer() const { return SnapshotCache(directory_.path(), Access::kWrite); }
  SnapshotCache Reader() const { return SnapshotCache(directory_.path(), Access::kRead); }
  std::string File() const { return directory_ / "snapshots"; }

  static void ExpectFound(const SnapshotCache& cache, Sequence at_most, Sequence expected) {
    const auto found = cache.Find(at_most);
    ASSERT_TRUE(found.has_value());
    EXPECT_EQ(found->at, SnapshotAt(expected).at);
    EXPECT_EQ(found->words, SnapshotAt(expected, found->words.size()).words);
  }

  TempDir directory_;
};

TEST_F(SnapshotCacheTest, EmptyOrMissingHasNone) {
  EXPECT_FALSE(Reader().Find(kAny).has_value());
  EXPECT_FALSE(std::filesystem::exists(File()));
  EXPECT_FALSE(Writer().Find(kAny).has_value());
}

TEST_F(SnapshotCacheTest, TheTwoNewestAreFound) {
  SnapshotCache cache = Writer();
  for (const Sequence sequence : {10, 20, 30, 40, 50}) {
    cache.Put(SnapshotAt(sequence, sequence * 7));
    ExpectFound(cache, kAny, sequence);
  }
  ExpectFound(cache, 50, 50);
  ExpectFound(cache, 49, 40);
  ExpectFound(cache, 40, 40);
  EXPECT_FALSE(cache.Find(39).has_value());
}

TEST_F(SnapshotCacheTest, OutlivesItsWriterAndTheNextReplacesTheOlder) {
  Writer().Put(SnapshotAt(10));
  ExpectFound(Reader(), kAny, 10);
  Writer().Put(SnapshotAt(20));
  ExpectFound(Reader(), kAny, 20);
  ExpectFound(Reader(), 19, 10);
  Writer().Put(SnapshotAt(30));
  ExpectFound(Reader(), 29, 20);
}

TEST_F(SnapshotCacheTest, TooLargeIsLeftOut) {
  constexpr std::size_t kLargest = (64 << 10) / 8 - 4;
  SnapshotCache cache = Writer();
  cache.Put(SnapshotAt(10, kLargest));
  cache.Put(SnapshotAt(20, kLargest + 1));
  ExpectFound(cache, kAny, 10);
  cache.Put(SnapshotAt(30, kLargest));
  ExpectFound(cache, 29, 10);
}

TEST_F(SnapshotCacheTest, AnyFlippedBitMakesItNone) {
  std::mt19937_64 random(TestSeed());
  Writer().Put(SnapshotAt(10));
  const std::string sound = ReadFile(File());
  for (std::size_t bit = 0; bit < sound.size() * 8; ++bit) {
    std::string bytes = sound;
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ 1 << bit % 8);
    WriteFile(File(), bytes);
    ASSERT_FALSE(Reader().Find(kAny).has_value()) << "bit " << bit;
  }
  WriteFile(File(), sound);
  ExpectFound(Reader(), kAny, 10);
}

TEST_F(SnapshotCacheTest, AnythingInItsPlaceIsPassedOver) {
  std::filesystem::create_directory(File());
  SnapshotCache cache = Writer();
  cache.Put(SnapshotAt(10));
  EXPECT_FALSE(cache.Find(kAny).has_value());
  std::filesystem::remove(File());
  WriteFile(File(), "short");
  EXPECT_FALSE(Reader().Find(kAny).has_value());
  Writer().Put(SnapshotAt(10));
  ExpectFound(Reader(), kAny, 10);
}

}  // namespace
}  // namespace foldlog
