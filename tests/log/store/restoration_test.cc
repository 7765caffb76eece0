// The record of a restored log, from both sides: what was written comes back, and nothing else is believed.

#include "engine/log/store/restoration.h"

#include "tests/support/test_support.h"

namespace foldlog {
namespace {

TEST(RestorationTest, RecordComesBack) {
  for (const std::string source : {"", "/b", "/backups/of/photos"}) {
    const Restoration restoration{.at = 1, .source = source, .host = "nas", .end = {3, 4}};
    EXPECT_EQ(DecodeRestoration(EncodeRestoration(restoration)), restoration);
  }
}

TEST(RestorationTest, RecordWithAnyBitChangedIsNone) {
  const std::vector<std::uint64_t> words = EncodeRestoration({.at = 1, .source = "/b", .host = "nas", .end = {3, 4}});
  for (std::size_t bit = 0; bit < words.size() * 64; ++bit) {
    std::vector<std::uint64_t> changed = words;
    changed[bit / 64] ^= std::uint64_t{1} << bit % 64;
    EXPECT_EQ(DecodeRestoration(changed), std::nullopt);
  }
}

TEST(RestorationTest, RecordThatIsCutShortIsNone) {
  const std::vector<std::uint64_t> words = EncodeRestoration({.at = 1, .source = "/b", .host = "nas", .end = {3, 4}});
  for (std::size_t size = 0; size < words.size(); ++size) {
    EXPECT_EQ(DecodeRestoration(std::span(words).first(size)), std::nullopt);
  }
}

}  // namespace
}  // namespace foldlog
