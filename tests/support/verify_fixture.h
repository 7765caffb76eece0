// A log with operations, rows and snapshots in many batches, and what verify says of it.

#ifndef FOLDLOG_TESTS_SUPPORT_VERIFY_FIXTURE_H_
#define FOLDLOG_TESTS_SUPPORT_VERIFY_FIXTURE_H_

#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "foldlog/verify.h"
#include "tests/support/lmdb_image.h"
#include "tests/support/log_directory_fixture.h"
#include "tests/support/random_driver.h"
#include "tests/support/test_support.h"

namespace foldlog {

class VerifyTest : public LogDirectoryFixture {
 protected:
  VerifyTest() : random_(TestSeed()) {}

  EngineOptions Options() const {
    EngineOptions options = SmallTailOptions();
    options.snapshot_interval_events = 100;
    return options;
  }

  // Operations of every fate in many batches, with rows and snapshots; closed, so that all of it is in log.mdb.
  void MakeLarge() {
    ASSERT_OK_AND_ASSIGN(auto engine, Engine::Open(log_dir_, Options()));
    RandomDriver driver(*engine, random_);
    for (int i = 0; i < 30; ++i) driver.Step();
    engine->Reset("from here on in order").IgnoreError();
    // Batches are what the drain makes of them.
    constexpr std::uint64_t kBatchesWanted = 260;
    for (std::uint64_t batches = 0; batches < kBatchesWanted;) {
      ASSERT_OK_AND_ASSIGN(const OperationHandle handle, engine->Start({.total_files = 400}));
      for (int i = 1; i <= 400; ++i) {
        const std::string path = std::to_string(random_()) + std::to_string(random_()) + std::to_string(random_());
        ASSERT_OK(engine->Checkpoint(handle, {.files_processed = i, .current_path = path}));
      }
      ASSERT_OK(engine->Complete(handle));
      batches = Look(1, VerifyOptions::Depth::kQuick).batches;
    }
    ASSERT_OK(engine->Close());
    image_ = ReadFile(path());
  }

  // What verify says of the log as it is, on so many threads.
  VerifyReport Look(int jobs = 2, VerifyOptions::Depth depth = VerifyOptions::Depth::kFull) const {
    const auto report = Verify(log_dir_, {.depth = depth, .jobs = jobs});
    EXPECT_OK(report);
    return report.ok() ? *report : VerifyReport{};
  }

  // The one damage that there is; a note does not count.
  VerifyFinding TheDamage(const VerifyReport& report) const {
    std::vector<VerifyFinding> damages;
    for (const VerifyFinding& finding : report.findings) {
      if (!finding.is_note) damages.push_back(finding);
    }
    EXPECT_EQ(damages.size(), 1U);
    for (const VerifyFinding& finding : damages) {
      EXPECT_FALSE(finding.next.empty());
      if (damages.size() > 1) ADD_FAILURE() << Name(finding.part) << ": " << finding.message;
    }
    return damages.empty() ? VerifyFinding{} : damages.front();
  }

  void ExpectSound() const {
    for (const int jobs : {1, 3}) {
      const VerifyReport report = Look(jobs);
      for (const VerifyFinding& finding : report.findings) ADD_FAILURE() << finding.message;
      EXPECT_TRUE(report.sound());
    }
    EXPECT_TRUE(Look(1, VerifyOptions::Depth::kQuick).sound());
  }

  std::string path() const { return log_dir_ + "/log.mdb"; }
  void Write(const Image& image) const { WriteFile(path(), image.bytes); }

  static u64 Entries(const Image& image, u64 page) { return (image.Get<u16>(page + kLower) - Image::kPointers) / 2; }

  // The leaves of a table with one branch.
  static std::vector<u64> Leaves(const Image& image, std::string_view table) {
    const u64 tree = image.Table(table);
    if (image.Get<lmdb_file::Tree>(tree).depth == 1) return {image.Root(tree)};
    std::vector<u64> leaves;
    for (u64 i = 0; i < Entries(image, image.Root(tree)); ++i) leaves.push_back(image.Child(image.Root(tree), i));
    return leaves;
  }

  struct Place {
    u64 key;
    u64 offset;
    u64 bytes;
  };

  // The entries of a table, and where their values are.
  static std::vector<Place> Values(const Image& image, std::string_view table) {
    std::vector<Place> places;
    for (const u64 leaf : Leaves(image, table)) {
      for (u64 i = 0; i < Entries(image, leaf); ++i) {
        const u64 node = image.Node(leaf, i);
        const auto header = image.Get<lmdb_file::NodeHeader>(node);
        const bool in_run = (header.flags & lmdb_file::kBigData) != 0;
        const u64 data = Image::Data(node);
        places.push_back({image.Get<u64>(Image::Key(node)),
                          in_run ? image.Get<u64>(data) * kPageBytes + Image::kPointers : data, header.data_bytes()});
      }
    }
    return places;
  }

  std::mt19937_64 random_;
  std::string image_;
};

}  // namespace foldlog

#endif  // FOLDLOG_TESTS_SUPPORT_VERIFY_FIXTURE_H_
