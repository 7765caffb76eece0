// The check of LMDB files against random damage. The judge is LMDB itself, in a child process: what the check accepts
// must not crash, hang or hide a row.

#include "tests/support/lmdb_check_support.h"
#include "tests/support/lmdb_image.h"

namespace foldlog {
namespace {

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
