// The promises of a log's writer: durable never falls, readers are told no more than that, and a writer that has
// stopped says why for ever.

#include "engine/log/writer/progress.h"

#include <atomic>
#include <thread>

#include "tests/support/writer_parts.h"

namespace foldlog {
namespace {

using absl::StatusCode;
using testing::AllOf;
using testing::HasSubstr;

class WriterProgressTest : public testing::Test {
 protected:
  Sequence DurableForReaders() const { return readers_.durable(parts_.tail()); }

  const TempDir directory_;
  WriterParts parts_{directory_.path()};
  WriterProgress& progress_ = parts_.progress();
  const TailShared readers_ = TailShared::OpenForReading(directory_.path());
};

TEST_F(WriterProgressTest, DurableGrowsAndNeverFalls) {
  EXPECT_EQ(progress_.durable(), 0u);
  for (const auto& [noted, durable] : std::vector<std::pair<Sequence, Sequence>>{{5, 5}, {3, 5}, {5, 5}, {6, 6}}) {
    progress_.NoteDurable(noted);
    EXPECT_EQ(progress_.durable(), durable) << noted;
    EXPECT_EQ(DurableForReaders(), durable) << noted;
  }
}

TEST_F(WriterProgressTest, ReadersAreToldOfEachGrowthAndOfNothingElse) {
  const std::uint32_t before = readers_.wake_count();
  progress_.NoteDurable(5);
  EXPECT_EQ(readers_.wake_count(), before + 1);
  progress_.NoteDurable(5);
  EXPECT_EQ(readers_.wake_count(), before + 1);
  progress_.TellReaders();
  EXPECT_EQ(readers_.wake_count(), before + 2);
}

TEST_F(WriterProgressTest, ReadersNeverSeeMoreThanIsDurableAndThreadsNeverPutItBack) {
  constexpr Sequence kLast = 60'000;
  constexpr Sequence kThreads = 3;
  std::atomic<bool> done = false;
  std::atomic<int> wrong = 0;
  std::thread watcher([&] {
    for (Sequence durable = 0; !done;) {
      const Sequence for_readers = DurableForReaders();  // first: the other grows before it
      const Sequence now = progress_.durable();
      if (for_readers > now || now < durable) ++wrong;
      durable = now;
    }
  });
  std::vector<std::thread> threads;
  for (Sequence first = 1; first <= kThreads; ++first) {
    threads.emplace_back([&, first] {
      for (Sequence through = first; through <= kLast; through += kThreads) {
        progress_.NoteDurable(through);
        if (progress_.durable() < through || DurableForReaders() < through) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  done = true;
  watcher.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(progress_.durable(), kLast);
  EXPECT_EQ(DurableForReaders(), kLast);
}

TEST_F(WriterProgressTest, FirstCauseIsGivenForEver) {
  EXPECT_OK(progress_.Check());
  progress_.NoteDurable(4);
  const auto stopped =
      Fails(StatusCode::kUnavailable, AllOf(HasSubstr(directory_.path() + " has stopped: no more flushes"),
                                            HasSubstr("events up to 4 are durable"), HasSubstr("open it anew")));
  EXPECT_THAT(progress_.Stop(absl::InternalError("no more flushes")), stopped);
  EXPECT_THAT(progress_.Stop(absl::DataLossError("bad sector")), stopped);
  EXPECT_THAT(progress_.Check(), stopped);
}

TEST_F(WriterProgressTest, DamageIsToldFromWhatMayPass) {
  progress_.NoteDurable(4);
  EXPECT_THAT(progress_.Stop(absl::DataLossError("bad sector")),
              Fails(StatusCode::kDataLoss, AllOf(HasSubstr("bad sector"), HasSubstr("up to 4 were durable before that"),
                                                 HasSubstr("restore the last backup"))));
}

TEST_F(WriterProgressTest, CauseWithoutAMessageIsNamedByItsCode) {
  EXPECT_THAT(progress_.Stop(absl::InternalError("")), Fails(StatusCode::kUnavailable, HasSubstr("stopped: INTERNAL")));
}

TEST_F(WriterProgressTest, ThreadsThatStopItAtTheSameTimeAreToldTheSame) {
  constexpr int kThreads = 4;
  std::vector<absl::Status> told(kThreads);
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      told[static_cast<std::size_t>(i)] = progress_.Stop(absl::InternalError("cause " + std::to_string(i)));
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(told, testing::Each(progress_.Check()));
}

}  // namespace
}  // namespace foldlog
