// The single row after every step of recorded runs of the Python manager, byte for byte.

#include "tests/support/golden_traces.h"

namespace foldlog {
namespace {

TEST(SingleRowGolden, EveryStepOfEveryTraceLeavesTheRecordedRow) {
  int rows = 0;
  int number = 0;
  for (const std::vector<TraceStep>& trace : ReadGoldenTraces()) {
    Replay replay;
    for (const TraceStep& step : trace) {
      ASSERT_OK(replay.Step(Object(*ParseJson(step.text)))) << step.text;
      const std::optional<SingleRow> row = replay.Row();
      ASSERT_TRUE(row == step.row_after) << "trace " << number << ", step " << step.text << "\nis " << Shown(row)
                                         << "\nnot " << Shown(step.row_after);
      if (row) ++rows;
    }
    ++number;
  }
  EXPECT_GT(rows, 2000);
}

}  // namespace
}  // namespace foldlog
