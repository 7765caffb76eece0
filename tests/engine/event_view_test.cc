// Views of events say what their copies say, and last as long as they promise.

#include "foldlog/event_view.h"

#include <utility>

#include "tests/support/random_events.h"
#include "tests/support/test_support.h"

namespace foldlog {
namespace {

class EventViewTest : public testing::Test {
 protected:
  void Append(const std::vector<Event>& events) {
    ASSERT_OK(log_->Append(RunAfter(log_->Extent()->end, events), Space::kUnreserved));
  }

  std::unique_ptr<EventLog> log_ = NewMemoryLog();
};

TEST_F(EventViewTest, EachKindIsSeenAsItWasRecorded) {
  std::mt19937_64 random(TestSeed());
  std::vector<Event> events;
  for (int i = 0; i < 3000; ++i) events.push_back(RandomEvent(random));
  Append(events);
  ViewReader reader(*log_, 1);
  std::uint64_t previous_hash = log_->Extent()->base.hash;
  for (std::size_t i = 0; i < events.size(); ++i) {
    ASSERT_OK_AND_ASSIGN(const EventView* const view, reader.Next());
    ASSERT_NE(view, nullptr);
    ASSERT_EQ(CopyOf(*view), (RecordedEvent{i + 1, reader.position().hash, events[i]}));
    ASSERT_EQ(view->previous_hash, std::exchange(previous_hash, view->hash));
    ASSERT_EQ(view->kind, events[i].body.index());
    ASSERT_EQ(view->at, (Moment{events[i].time, events[i].boot}));
    ASSERT_EQ(view->epoch, events[i].epoch);
    const auto* checkpoint = std::get_if<Checkpoint>(&events[i].body);
    ASSERT_EQ(view->decoded == nullptr, checkpoint != nullptr && !checkpoint->error);
    // What an event does not have is not left over from the event before.
    const Checkpoint expected = checkpoint != nullptr ? *checkpoint : Checkpoint{};
    ASSERT_EQ(view->files_processed, expected.files_processed);
    ASSERT_EQ(view->batch_num, expected.batch_num);
    ASSERT_EQ(view->has_error, expected.error.has_value());
    ASSERT_EQ(IsPresent(view->current_path), expected.current_path.has_value());
    ASSERT_EQ(view->current_path, expected.current_path.value_or(""));
    ASSERT_EQ(IsPresent(view->last_processed_file), expected.last_processed_file.has_value());
    ASSERT_EQ(view->last_processed_file, expected.last_processed_file.value_or(""));
  }
  ASSERT_OK_AND_ASSIGN(const EventView* const end, reader.Next());
  EXPECT_EQ(end, nullptr);
}

TEST_F(EventViewTest, ReaderContinuesWithWhatIsAppendedLater) {
  ViewReader reader(*log_, log_->Extent()->base);
  EXPECT_EQ(*reader.Next(), nullptr);
  Append({CheckpointEvent(5)});
  EXPECT_EQ((*reader.Next())->files_processed, 5);
}

// While the run is not done, texts stay; when it is, the next call may take their memory.
TEST_F(EventViewTest, TextsStayUntilTheRunIsDone) {
  std::vector<Event> events;
  for (int i = 0; i < 5000; ++i) {
    events.push_back({i, 1, Checkpoint{.files_processed = i, .current_path = "/a/path/number/" + std::to_string(i)}});
  }
  Append(events);
  ViewReader reader(*log_, 1);
  std::vector<std::string_view> texts;
  int runs = 0;
  for (int i = 0; i < 5000; ++i) {
    if (reader.IsRunDone()) {
      for (std::size_t j = 0; j < texts.size(); ++j) {
        const std::size_t place = static_cast<std::size_t>(i) - texts.size() + j;
        ASSERT_EQ(texts[j], *std::get<Checkpoint>(events[place].body).current_path);
      }
      texts.clear();
      ++runs;
    }
    ASSERT_OK_AND_ASSIGN(const EventView* const view, reader.Next());
    texts.push_back(view->current_path);
  }
  EXPECT_GT(runs, 1);
}

}  // namespace
}  // namespace foldlog
