// The check of LMDB files against every damage that is known to hurt LMDB: each is inflicted on a sound file, and
// found.

#include "tests/support/lmdb_check_support.h"
#include "tests/support/lmdb_image.h"

namespace foldlog {
namespace {

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
      {"RunIntoOtherPages", Put<u32>(&Image::Run, kLower, 60), "in use"},
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
      {"FreePageInUse", PutPage<u64>(&Image::FreePage, 0, main), "as free, but it is in use"},
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

// The runs of a table whose entries are never replaced are not read, but must lie in the file, and belong to nobody
// else.
TEST(LmdbDamage, RunsOfAnAppendOnlyTableAreHeldAgainstTheFileWithoutBeingRead) {
  const TestDirectory directory;
  const std::string path = directory.file("log.mdb");
  const LmdbTraits traits{.append_only = "snapshots"};
  Image garbage(Sample());
  garbage.Set<u64>(garbage.Run(), 0);
  WriteFile(path, garbage.bytes);
  EXPECT_FALSE(Check(path).ok());
  EXPECT_TRUE(CheckWith(path, traits).ok());
  for (const u64 page : {u64{0}, garbage.Leaf() / kPageBytes, garbage.LastPage() + 5}) {
    Image image(Sample());
    image.Set<u64>(image.RunNumber(), page);
    WriteFile(path, image.bytes);
    EXPECT_FALSE(CheckWith(path, traits).ok()) << "page " << page;
  }
}

// What can be made anew is told apart from what cannot, also where one of them claims a page of the other.
TEST(LmdbDamage, DamageOfACacheIsNoDamageOfTheFile) {
  const TestDirectory directory;
  const std::string path = directory.file("log.mdb");
  constexpr std::array<std::string_view, 2> kCaches = {"batches", "snapshots"};
  const LmdbTraits traits{.append_only = "events", .caches = kCaches};
  const auto check = [&](const Inflict& inflict) {
    Image image(Sample());
    inflict(image);
    WriteFile(path, image.bytes);
    return CheckWith(path, traits);
  };
  const auto leaf = [](const Image& i) { return i.Leaf() / kPageBytes; };
  const std::vector<Inflict> of_snapshots = {
      [](Image& i) { i.Set<u64>(i.Table("snapshots") + kRoot, 0); },
      [](Image& i) { i.Set<u16>(i.Table("snapshots") + kTreeFlags, 0); },
      [&](Image& i) { i.Set<u64>(i.Table("snapshots") + kRoot, leaf(i)); },
      PutPage<u64>(&Image::RunNumber, 0, leaf),
      Put<u32>(&Image::Run, kLower, 2),
  };
  for (const Inflict& inflict : of_snapshots) {
    const auto summary = check(inflict);
    ASSERT_TRUE(summary.ok()) << summary.status();
    ASSERT_EQ(summary->damaged_caches.size(), 1);
    EXPECT_EQ(summary->damaged_caches[0].table, "snapshots");
    EXPECT_TRUE(summary->free_list.ok()) << summary->free_list;
  }
  const auto summary = check(PutPage<u64>(&Image::FreePage, 0, leaf));
  ASSERT_TRUE(summary.ok()) << summary.status();
  EXPECT_TRUE(summary->damaged_caches.empty());
  EXPECT_FALSE(summary->free_list.ok());
  EXPECT_FALSE(check(Put<u64>(&Image::Events, kRoot, 0)).ok());
}

std::string ClaimOf(const testing::TestParamInfo<Damage>& info) { return info.param.claim; }
INSTANTIATE_TEST_SUITE_P(Metas, DamageTest, testing::ValuesIn(MetaDamages()), ClaimOf);
INSTANTIATE_TEST_SUITE_P(Pages, DamageTest, testing::ValuesIn(PageDamages()), ClaimOf);
INSTANTIATE_TEST_SUITE_P(Trees, DamageTest, testing::ValuesIn(TreeDamages()), ClaimOf);
INSTANTIATE_TEST_SUITE_P(FreeList, DamageTest, testing::ValuesIn(FreeListDamages()), ClaimOf);

}  // namespace
}  // namespace foldlog
