// One event after another: what cannot follow is refused, and the state is then as before.

#include "foldlog/state.h"

#include "tests/support/test_support.h"

namespace foldlog {
namespace {

using absl::StatusCode;
using testing::HasSubstr;

State Folded(const std::vector<Event>& events) {
  State state;
  for (const Event& event : events) EXPECT_OK(Apply({state.sequence + 1, 0, event}, state));
  return state;
}

TEST(Apply, RefusesWhatCannotFollowAndLeavesTheStateAlone) {
  const Event started{1, 1, Started{.operation_id = "a"}};
  const Event done{2, 1, Completed{}};
  const Event imported{1, 1, Imported{.operation_id = "a"}};
  const Event paused{2, 1, Paused{}};
  struct Row {
    std::vector<Event> before;
    Event event;
  };
  const std::vector<Row> rows = {
      {{}, {1, 1, Checkpoint{}}},
      {{}, {1, 1, Paused{}}},
      {{}, {1, 1, Resumed{}}},
      {{}, {1, 1, Recovered{}}},
      {{}, {1, 1, Completed{}}},
      {{}, {1, 1, Failed{}}},
      {{}, {1, 1, Cleared{}}},
      {{}, {1, 0, Started{}}},
      {{}, {1, 1, Reset{}}},
      {{started}, {2, 2, Started{}}},
      {{started}, {2, 2, Checkpoint{}}},
      {{started}, {2, 0, Completed{}}},
      {{started}, {2, 1, Resumed{}}},
      {{started}, {2, 1, Recovered{}}},
      {{started}, {2, 1, Cleared{}}},
      {{started, paused}, {3, 1, Resumed{}}},
      {{started, paused}, {3, 2, Recovered{}}},
      {{started, paused}, {3, 1, Paused{}}},
      {{started, done}, {3, 2, Cleared{}}},
      {{started}, {2, 2, Imported{}}},
      {{started, done}, {3, 2, Imported{}}},
      {{}, {1, 0, Imported{}}},
      {{}, {1, 1, Imported{.status = OperationStatus::kIdle}}},
      {{imported}, {2, 2, Imported{}}},
      {{started, done}, {3, 1, Started{}}},
  };
  for (const Row& row : rows) {
    State state = Folded(row.before);
    const State before = state;
    EXPECT_THAT(Apply({state.sequence + 1, 0, row.event}, state),
                Fails(StatusCode::kDataLoss, HasSubstr("does not follow")))
        << KindName(row.event.body) << " after " << row.before.size();
    EXPECT_EQ(state, before);
  }
}

TEST(Apply, RefusesAGapInTheSequence) {
  State state;
  EXPECT_THAT(Apply({2, 0, {1, 1, Started{}}}, state), Fails(StatusCode::kDataLoss, HasSubstr("events are missing")));
}

}  // namespace
}  // namespace foldlog
