// States as bytes: what goes in comes out, and no bytes do harm.

#include "engine/codec/state_codec.h"

#include "absl/strings/str_cat.h"
#include "tests/support/random_events.h"
#include "tests/support/test_support.h"

namespace foldlog {
namespace {

using testing::HasSubstr;

TEST(StateCodec, EveryStateComesBackAsItWas) {
  std::mt19937_64 random(TestSeed());
  for (int i = 0; i < 1000; ++i) {
    const State state = RandomState(random);
    std::vector<std::uint64_t> words;
    ASSERT_OK(EncodeState(state, words));
    ASSERT_OK_AND_ASSIGN(const State decoded, DecodeState(words));
    ASSERT_EQ(decoded, state);
  }
}

TEST(StateCodec, NoBytesCrashTheDecoder) {
  std::mt19937_64 random(TestSeed());
  for (int i = 0; i < 5000; ++i) {
    std::vector<std::uint64_t> words;
    ASSERT_OK(EncodeState(RandomState(random), words));
    words[random() % words.size()] ^= std::uint64_t{1} << (random() % 64);
    DecodeState(words).IgnoreError();
  }
}

TEST(StateCodec, AnotherFoldVersionIsRefused) {
  std::vector<std::uint64_t> words;
  ASSERT_OK(EncodeState(State{}, words));
  ASSERT_EQ(words[1] & 0xffffffff, kFoldVersion);
  ++words[1];
  EXPECT_THAT(DecodeState(words),
              Fails(absl::StatusCode::kDataLoss, HasSubstr(absl::StrCat("fold version ", kFoldVersion + 1))));
}

}  // namespace
}  // namespace foldlog
