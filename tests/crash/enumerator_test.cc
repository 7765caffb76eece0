// The enumerator on traces small enough to count their images by hand.

#include "tests/crash/enumerator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

namespace foldlog::power_cut {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

constexpr std::uint64_t kFile = 7;

Call Create(const std::string& path, std::uint64_t file = kFile) {
  return {.kind = CallKind::kCreate, .file = file, .path = path};
}
Call InitialFile(const std::string& path, const std::string& content) {
  return {.kind = CallKind::kInitialFile, .file = kFile, .path = path, .data = content};
}
Call Write(std::uint64_t offset, const std::string& data, std::uint32_t flags = 0) {
  return {.kind = CallKind::kWrite, .flags = flags, .file = kFile, .offset = offset, .data = data};
}
Call SyncFile() { return {.kind = CallKind::kSyncFile, .file = kFile}; }
Call SyncRange(std::uint64_t offset, std::uint64_t size) {
  return {.kind = CallKind::kSyncRange, .file = kFile, .offset = offset, .value = size};
}
Call SyncDirectory(const std::string& path = "") { return {.kind = CallKind::kSyncDirectory, .path = path}; }
Call Rename(const std::string& from, const std::string& to) {
  return {.kind = CallKind::kRename, .path = from, .path2 = to};
}
Call Acknowledged(std::uint64_t number) { return {.kind = CallKind::kMark, .flags = kAcknowledged, .value = number}; }

// One letter a sector: "ab" is a file of 1024 bytes.
std::string Sectors(const std::string& letters) {
  std::string bytes;
  for (const char letter : letters) bytes.append(kSectorBytes, letter);
  return bytes;
}
std::string Letters(const std::string& bytes) {
  std::string letters;
  for (std::size_t i = 0; i < bytes.size(); i += kSectorBytes) letters += bytes[i] == '\0' ? '0' : bytes[i];
  return letters;
}

// An image as text: "name=letters name=letters".
std::string Text(const DiskImage& disk) {
  std::string text;
  for (const auto& [path, content] : disk.files) text += (text.empty() ? "" : " ") + path + "=" + Letters(content);
  return text;
}

std::set<std::string> Images(const Trace& trace, EnumerationOptions options = {}) {
  std::set<std::string> images;
  Enumerate(trace, options, [&](const CrashImage& image) { images.insert(Text(image.disk)); });
  return images;
}

// What the disk may hold once all of the trace has returned.
std::set<std::string> ImagesAfter(const Trace& trace) {
  DiskModel model({});
  for (const Call& call : trace) {
    model.Begin(call);
    model.End(call);
  }
  std::set<std::string> images;
  const std::size_t n = model.pending().size();
  for (std::uint64_t bits = 0; bits < (std::uint64_t{1} << n); ++bits) {
    std::vector<bool> chosen(n);
    for (std::size_t i = 0; i < n; ++i) chosen[i] = ((bits >> i) & 1) != 0;
    images.insert(Text(model.Build(chosen)));
  }
  return images;
}

TEST(EnumeratorTest, EachSectorOfAWriteMayBeOldOrNew) {
  EXPECT_THAT(Images({InitialFile("f", Sectors("abc")), Write(0, Sectors("xyz"))}),
              UnorderedElementsAre("f=abc", "f=xbc", "f=ayc", "f=abz", "f=xyc", "f=xbz", "f=ayz", "f=xyz"));
}

TEST(EnumeratorTest, ASectorMayHoldAnyVersionSinceTheLastBarrier) {
  EXPECT_THAT(ImagesAfter({InitialFile("f", Sectors("a")), Write(0, Sectors("b")), Write(0, Sectors("c"))}),
              UnorderedElementsAre("f=a", "f=b", "f=c"));
  EXPECT_THAT(ImagesAfter({InitialFile("f", Sectors("a")), Write(0, Sectors("b")), SyncFile(), Write(0, Sectors("c"))}),
              UnorderedElementsAre("f=b", "f=c"));
}

TEST(EnumeratorTest, ASynchronousWriteMakesItsOwnRangeDurableOnly) {
  const Trace trace = {InitialFile("f", Sectors("ab")), Write(0, Sectors("x")),
                       Write(kSectorBytes, Sectors("y"), kDurableOnReturn)};
  EXPECT_THAT(ImagesAfter(trace), UnorderedElementsAre("f=ay", "f=xy"));
  EXPECT_THAT(Images(trace), UnorderedElementsAre("f=ab", "f=xb", "f=ay", "f=xy"));  // until it has returned, all four
}

TEST(EnumeratorTest, MsyncMakesItsOwnRangeDurableOnly) {
  EXPECT_THAT(ImagesAfter({InitialFile("f", Sectors("ab")), Write(0, Sectors("xy"), kThroughMapping),
                           SyncRange(kSectorBytes, kSectorBytes)}),
              UnorderedElementsAre("f=ay", "f=xy"));
}

TEST(EnumeratorTest, TheSizeOfAFileIsPendingApartFromItsData) {
  EXPECT_THAT(ImagesAfter({InitialFile("f", Sectors("a")), Write(kSectorBytes, Sectors("b"))}),
              UnorderedElementsAre("f=a", "f=a0", "f=ab"));
  EXPECT_THAT(ImagesAfter({InitialFile("f", Sectors("a")), Write(kSectorBytes, Sectors("b")), SyncFile()}),
              UnorderedElementsAre("f=ab"));
}

TEST(EnumeratorTest, WhatWasCutOffReadsAsZerosIfTheFileGrowsAgain) {
  EXPECT_THAT(ImagesAfter({InitialFile("f", Sectors("ab")),
                           {.kind = CallKind::kResize, .file = kFile, .value = kSectorBytes},
                           {.kind = CallKind::kResize, .file = kFile, .value = 2 * kSectorBytes},
                           SyncFile()}),
              UnorderedElementsAre("f=a0"));
}

TEST(EnumeratorTest, SyncingAFileDoesNotMakeItsNameDurable) {
  const Trace trace = {Create("f"), Write(0, Sectors("a")), SyncFile()};
  EXPECT_THAT(ImagesAfter(trace), UnorderedElementsAre("", "f=a"));
  EXPECT_THAT(Images(trace), UnorderedElementsAre("", "f=", "f=0", "f=a"));
}

TEST(EnumeratorTest, ARenameIsPendingUntilItsDirectoryIsSynced) {
  Trace trace = {Create("new"), Write(0, Sectors("a")), SyncFile(), SyncDirectory(), Rename("new", "f")};
  EXPECT_THAT(ImagesAfter(trace), UnorderedElementsAre("new=a", "f=a"));
  trace.push_back(SyncDirectory("elsewhere"));
  EXPECT_THAT(ImagesAfter(trace), UnorderedElementsAre("new=a", "f=a"));
  trace.push_back(SyncDirectory());
  EXPECT_THAT(ImagesAfter(trace), ElementsAre("f=a"));
}

TEST(EnumeratorTest, ARemovedFileMayComeBackUntilItsDirectoryIsSynced) {
  Trace trace = {InitialFile("f", Sectors("a")), {.kind = CallKind::kRemove, .path = "f"}};
  EXPECT_THAT(ImagesAfter(trace), UnorderedElementsAre("", "f=a"));
  trace.push_back(SyncDirectory());
  EXPECT_THAT(ImagesAfter(trace), ElementsAre(""));
}

TEST(EnumeratorTest, AFileIsNotThereWithoutItsDirectory) {
  const Trace trace = {{.kind = CallKind::kMakeDirectory, .path = "d"}, Create("d/f"), SyncDirectory("d")};
  EXPECT_THAT(ImagesAfter(trace), UnorderedElementsAre("", "d/f="));
}

TEST(EnumeratorTest, IgnoredBarriersLeaveEverythingPending) {
  const Trace trace = {InitialFile("f", Sectors("a")), Write(0, Sectors("b")), SyncFile(), Write(0, Sectors("c"))};
  DiskModel model({});
  std::set<std::string> last;
  Enumerate(trace, {.ignore_barriers = true}, [&](const CrashImage& image) { last.insert(Text(image.disk)); });
  EXPECT_THAT(last, UnorderedElementsAre("f=a", "f=b", "f=c"));
}

TEST(EnumeratorTest, AStoreThroughAMappingMayBeTornIntoWords) {
  std::string three_words = Sectors("a");
  three_words.replace(0, 8, 8, 'x');
  three_words.replace(64, 8, 8, 'y');
  three_words.replace(128, 8, 8, 'z');
  std::set<std::string> seen;
  const auto note = [&](const CrashImage& image) {
    const std::string& content = image.disk.files.at("f");
    seen.insert({content[0], content[64], content[128]});
    EXPECT_FALSE(image.torn_write);
  };
  Enumerate({InitialFile("f", Sectors("a")), Write(0, three_words, kThroughMapping)}, {}, note);
  EXPECT_THAT(seen, UnorderedElementsAre("aaa", "xaa", "aya", "aaz", "xya", "xaz", "ayz", "xyz"));
  seen.clear();
  Enumerate({InitialFile("f", Sectors("a")), Write(0, three_words)}, {}, note);
  EXPECT_THAT(seen, UnorderedElementsAre("aaa", "xyz"));
}

TEST(EnumeratorTest, AStoreMayBeTornWhileLaterOnesHaveArrived) {
  Trace trace = {InitialFile("f", Sectors("aaaaaa"))};
  for (std::uint64_t sector = 0; sector < 6; ++sector) {
    trace.push_back(Write(sector * kSectorBytes, Sectors("b"), kThroughMapping));
  }
  bool seen = false;
  Enumerate(trace, {.seed = 1, .images = 3000}, [&](const CrashImage& image) {
    const std::string& content = image.disk.files.at("f");
    const std::string first = content.substr(0, kSectorBytes);
    const bool torn = first != Sectors("a") && first != Sectors("b");
    if (torn && content.substr(5 * kSectorBytes) == Sectors("b")) seen = true;
    EXPECT_FALSE(image.torn_write);  // no rule of the disk is broken
  });
  EXPECT_TRUE(seen);
}

TEST(EnumeratorTest, OfTooManySystematicImagesARandomPartIsTaken) {
  Trace trace = {InitialFile("f", Sectors(std::string(60, 'a')))};
  for (std::uint64_t sector = 0; sector < 60; ++sector) trace.push_back(Write(sector * kSectorBytes, Sectors("b")));
  const auto count = [&](std::uint64_t images) {
    return Enumerate(trace, {.seed = 1, .images = images}, [](const CrashImage&) {}).images;
  };
  EXPECT_GE(count(1'000), 1'000);
  EXPECT_LE(count(1'000), 1'100);
  EXPECT_GE(count(20'000), 20'000);
}

TEST(EnumeratorTest, AChosenWriteIsTornAndSaysSo) {
  std::string two_words = Sectors("a");
  two_words.replace(32, 8, 8, 'x');
  two_words.replace(40, 8, 8, 'y');
  const Trace trace = {InitialFile("f", Sectors("a")), Write(0, two_words, kDurableOnReturn)};
  std::set<std::string> torn;
  const EnumerationCounts counts =
      Enumerate(trace, {.tears = [](const Call&) { return true; }}, [&](const CrashImage& image) {
        const std::string& content = image.disk.files.at("f");
        if (image.torn_write) torn.insert({content[32], content[40]});
      });
  EXPECT_THAT(torn, UnorderedElementsAre("xa", "ay"));
  EXPECT_EQ(counts.images, 4u);
  EXPECT_EQ(counts.torn, 2u);
}

TEST(EnumeratorTest, AnAcknowledgementAsksMoreOfAnImageAlreadySeen) {
  const Trace trace = {InitialFile("f", Sectors("a")), Write(0, Sectors("b")), Acknowledged(1)};  // without a barrier!
  std::map<std::string, std::int64_t> must;
  const EnumerationCounts counts = Enumerate(trace, {}, [&](const CrashImage& image) {
    std::int64_t& number = must.try_emplace(Text(image.disk), kNoLog).first->second;
    number = std::max(number, image.obligation.acknowledged);
  });
  EXPECT_EQ(counts.images, 2u);
  EXPECT_EQ(must["f=a"], 1);
  EXPECT_EQ(must["f=b"], 1);
}

TEST(EnumeratorTest, TenUnitsGiveAllTheirSubsetsIfSoManyImagesAreWanted) {
  const Trace trace = {InitialFile("f", Sectors("aaaaaaaaaa")), Write(0, Sectors("bcdefghijk"))};
  EXPECT_EQ(Images(trace, {.images = 5000}).size(), 1024u);
  const std::size_t few = Images(trace, {.images = 100}).size();
  EXPECT_GE(few, 100u);
  EXPECT_LT(few, 200u);
}

TEST(EnumeratorTest, ManyUnitsAreSampledUntilThereAreEnoughImages) {
  const Trace trace = {InitialFile("f", Sectors(std::string(40, 'a'))), Write(0, Sectors(std::string(40, 'b')))};
  EXPECT_GE(Images(trace, {.seed = 1, .images = 3000}).size(), 3000u);
  EXPECT_EQ(Images(trace, {.seed = 1, .images = 300}), Images(trace, {.seed = 1, .images = 300}));
  EXPECT_NE(Images(trace, {.seed = 1, .images = 300}), Images(trace, {.seed = 2, .images = 300}));
}

TEST(EnumeratorTest, BackgroundFilesAreThereButDoNotMultiply) {
  const Trace trace = {Create("x.lock"), Write(0, Sectors("abcdefgh"))};
  std::uint64_t images = 0;
  Enumerate(trace, {.background = {".lock"}}, [&](const CrashImage&) { ++images; });
  EXPECT_EQ(images, 1u);
}

}  // namespace
}  // namespace foldlog::power_cut
