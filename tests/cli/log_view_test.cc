// status says what is wrong with an index, in whichever table, and nothing of one that is whole.

#include "tools/cli/log_view.h"

#include <random>
#include <utility>

#include "foldlog/log_directory.h"
#include "tests/support/indexed_log.h"
#include "tests/support/other_index.h"
#include "tests/support/random_log.h"
#include "tests/support/test_support.h"

namespace foldlog::cli {
namespace {

using testing::HasSubstr;

TEST(LogViewTest, ADamagedIndexIsFoundAndTheNextStepTold) {
  std::mt19937_64 random(TestSeed());
  RandomLog events(random, 0);
  IndexedLog log;
  for (int batch = 0; batch < 5; ++batch) log.Store(events.Next(100));
  const auto reader = log.Read();
  ASSERT_OK_AND_ASSIGN(const LogExtent extent, reader->Extent());
  EXPECT_OK(FindIndexDamage(*reader, extent));
  EXPECT_OK(FindIndexDamage(OtherIndex(*reader), extent)) << "no index is none that is damaged";
  for (const IndexTable spoilt : {IndexTable::kBatches, IndexTable::kOperations}) {
    bool first = true;
    const OtherIndex damaged(*reader, [&](IndexTable table, IndexRow& row) {
      if (table == spoilt && std::exchange(first, false)) row.words.back() ^= 1;
      return true;
    });
    EXPECT_THAT(FindIndexDamage(damaged, extent), Fails(absl::StatusCode::kDataLoss, HasSubstr("foldlog reindex")));
  }
}

}  // namespace
}  // namespace foldlog::cli
