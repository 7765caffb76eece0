// The lazy fold gives the state that folding event by event gives, whatever the events are.

#include "engine/lazy_fold.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <random>
#include <string>

#include "engine/codec/event_codec.h"
#include "engine/codec/frame_reader.h"
#include "engine/fold.h"
#include "tests/support/random_events.h"
#include "tests/support/test_support.h"

namespace foldlog {
namespace {

using absl::StatusCode;
using testing::HasSubstr;

constexpr TimeNs kSecond = 1'000'000'000;
constexpr char kName[] = "(test)";

// One event folded as it always was: decoded, and applied by itself.
absl::Status FoldOne(const FrameView& frame, State& state) {
  const Sequence sequence = frame.header.sequence;
  const absl::StatusOr<Event> event = DecodeAnyEvent(frame.payload);
  if (event.ok()) return ApplyRecorded({sequence, frame.header.hash, *event}, state);
  const absl::Status named = AboutEvent(sequence, kName, event.status());
  if (!absl::IsDataLoss(named)) return named;
  NoteMisfit(std::string(named.message()), state);
  return absl::OkStatus();
}

// Makes events one after the other, mostly plain checkpoints as an indexer makes them, and between them all that is
// rare: clocks that are set, boots, pauses, errors, counts that go down, stale epochs, numbers at the end of their
// range, events of no sense.
class RandomLog {
 public:
  RandomLog(std::mt19937_64& random, State state) : any_(random), random_(random), eager_(std::move(state)) {
    at_ = eager_.seen;
    whole_seconds_ = any_.Number(2) == 0;
  }

  // The next frame, valid until the next call, folded into eager() already.
  FrameView Next() {
    Step();
    Event event{at_.time, eager_.epoch, Body(), at_.boot};
    if (OpensEpoch(event.body)) ++event.epoch;
    if (any_.Number(500) == 0) event.epoch -= any_.Number(3);
    FrameRun run = RunAfter({eager_.sequence, 0}, {event});
    words_ = std::move(run.words);
    FrameView frame = *FrameAtStartOf(words_);
    if (any_.Number(2000) == 0) words_[kFrameHeaderWords] = ~std::uint64_t{0};  // it holds no event
    EXPECT_OK(FoldOne(frame, eager_));
    return frame;
  }

  const State& eager() const { return eager_; }

  // The memory of the frame that was given last: poisoned, nothing may look at it.
  void Poison() { std::fill(words_.begin(), words_.end(), 0x5a5a5a5a5a5a5a5a); }
  std::vector<std::uint64_t> TakeWords() { return std::move(words_); }

 private:
  static bool OpensEpoch(const EventBody& body) {
    return std::holds_alternative<Started>(body) || std::holds_alternative<Resumed>(body) ||
           std::holds_alternative<Recovered>(body) || std::holds_alternative<Imported>(body);
  }

  // Moves the clocks.
  void Step() {
    if (any_.Number(8) != 0) {
      const std::uint64_t step = any_.Number(8 * kSecond);
      at_.time = SaturatingAdd(at_.time, static_cast<std::int64_t>(whole_seconds_ ? step - step % kSecond : step));
    }
    switch (any_.Number(300)) {
      case 0:
        at_.boot = any_.AnyBoot();
        break;
      case 1:
        at_.boot = {.at = at_.time - at_.time % kSecond, .id = static_cast<std::uint32_t>(any_.Number(3))};
        break;
      case 2: {  // the clock is set
        const std::int64_t step = static_cast<std::int64_t>(any_.Number(200 * kSecond)) - 100 * kSecond;
        at_.time = SaturatingAdd(at_.time, step);
        if (any_.Number(2) == 0) at_.boot.at = SaturatingAdd(at_.boot.at, step);
        break;
      }
      case 3:
        at_.time = static_cast<TimeNs>(random_());
        break;
      case 4:
        at_.time = std::numeric_limits<TimeNs>::max() - static_cast<TimeNs>(any_.Number(60 * kSecond));
        break;
      case 5:
      case 6:
        at_ = {1'800'000'000 * kSecond, {.at = 1'700'000'000 * kSecond, .id = 7}};
        break;
      default:
        break;
    }
  }

  EventBody Body() {
    if (!eager_.active() || any_.Number(60) == 0) return Rare();
    Checkpoint body{.files_processed = files_};
    files_ = SaturatingAdd(files_, static_cast<std::int64_t>(any_.Number(12)));
    if (any_.Number(200) == 0) files_ = static_cast<std::int64_t>(any_.Number(100));
    if (any_.Number(400) == 0) files_ = any_.Count();
    body.files_processed = files_;
    body.current_path = any_.Maybe([&] { return any_.Bytes(); });
    body.last_processed_file = any_.Maybe([&] { return any_.Bytes(); });
    if (any_.Number(3) == 0) body.batch_num = static_cast<std::int64_t>(any_.Number(1000));
    if (any_.Number(40) == 0) body.error = FileError{any_.Bytes(), any_.Bytes(), ""};
    return body;
  }

  // What may come, most times; otherwise anything.
  EventBody Rare() {
    if (eager_.misfit) return any_.Body(8);
    if (any_.Number(20) == 0) return any_.Body(any_.Number(std::variant_size_v<EventBody>));
    switch (eager_.status()) {
      case OperationStatus::kIdle:
        files_ = 0;
        return any_.Body(any_.Number(4) == 0 ? 9 : 0);
      case OperationStatus::kInProgress:
        return any_.Body(std::array<std::size_t, 6>{2, 2, 4, 5, 6, 8}[any_.Number(6)]);
      case OperationStatus::kPaused:
        return any_.Body(std::array<std::size_t, 4>{3, 3, 3, 5}[any_.Number(4)]);
      default:
        return any_.Body(7);
    }
  }

  static std::int64_t SaturatingAdd(std::int64_t a, std::int64_t b) {
    std::int64_t sum = 0;
    return __builtin_add_overflow(a, b, &sum) ? a : sum;
  }

  Randomizer any_;
  std::mt19937_64& random_;
  State eager_;
  Moment at_;
  bool whole_seconds_;  // so that a stretch of the recent rate often ends exactly when it may
  std::int64_t files_ = 0;
  std::vector<std::uint64_t> words_;
};

// Folds `count` events both ways. The state is asked for, and the memory of the frames taken away, at random.
void FoldBothWays(std::mt19937_64& random, State start, int count) {
  RandomLog log(random, start);
  LazyFold lazy(start, kName);
  std::vector<std::vector<std::uint64_t>> kept;
  for (int i = 0; i < count; ++i) {
    const FrameView frame = log.Next();
    ASSERT_OK(lazy.Add(frame));
    ASSERT_EQ(lazy.sequence(), log.eager().sequence);
    if (random() % 32 == 0) {
      lazy.Settle();
      for (auto& words : kept) std::fill(words.begin(), words.end(), 0x5a5a5a5a5a5a5a5a);
      kept.clear();
      log.Poison();
    }
    kept.push_back(log.TakeWords());
    if (random() % 16 == 0) {
      ASSERT_EQ(lazy.Settled(), log.eager()) << "event " << frame.header.sequence;
    }
  }
  ASSERT_EQ(lazy.Settled(), log.eager());
}

TEST(LazyFoldProperty, EqualsTheFoldEventByEvent) {
  std::mt19937_64 random(TestSeed());
  for (int i = 0; i < 40; ++i) ASSERT_NO_FATAL_FAILURE(FoldBothWays(random, {}, 2000)) << "log " << i;
}

// From states that no log leads to, but that a snapshot may hold.
TEST(LazyFoldProperty, EqualsItFromAnyStateOn) {
  std::mt19937_64 random(TestSeed());
  Randomizer any(random);
  for (int i = 0; i < 3000; ++i) {
    State start = RandomState(random);
    start.sequence = any.Number(1000);
    start.epoch = any.Number(1000);
    if (start.operation) {
      Operation& operation = *start.operation;
      operation.checkpoints = 5;
      operation.epoch = start.epoch;
      if (any.Number(4) != 0) operation.status = OperationStatus::kInProgress;
      if (any.Number(8) == 0) operation.active_ns = -operation.active_ns;
      if (any.Number(8) == 0) operation.recent_next.active_ns = -operation.recent_next.active_ns;
      if (any.Number(8) == 0) operation.recent_next.files = -operation.recent_next.files;
    }
    if (any.Number(2) == 0) start.seen = {static_cast<TimeNs>(any.Count()), {}};
    ASSERT_NO_FATAL_FAILURE(FoldBothWays(random, start, 30)) << "state " << i;
  }
}

// No fold gives a negative time at work, but a snapshot may hold one; all of time then does not fit into one sum.
TEST(LazyFoldProperty, EqualsItAtTheEndsOfTheNumbers) {
  State eager{.sequence = 1,
              .epoch = 1,
              .operation = Operation{.operation_id = "a", .epoch = 1, .active_ns = -kSecond},
              .seen = std::numeric_limits<TimeNs>::min()};
  LazyFold lazy(eager, kName);
  const FrameRun run = RunAfter({1, 0}, {{0, 1, Checkpoint{}}, {std::numeric_limits<TimeNs>::max(), 1, Checkpoint{}}});
  for (std::span<const std::uint64_t> rest = run.words; !rest.empty();) {
    const FrameView frame = *FrameAtStartOf(rest);
    ASSERT_OK(FoldOne(frame, eager));
    ASSERT_OK(lazy.Add(frame));
    rest = rest.subspan(frame.size_words());
  }
  EXPECT_EQ(lazy.Settled(), eager);
}

class LazyFoldTest : public testing::Test {
 protected:
  // Adds the events; their frames stay.
  void Add(const std::vector<Event>& events) {
    runs_.push_back(RunAfter({fold_.sequence(), 0}, events));
    std::span<const std::uint64_t> rest = runs_.back().words;
    while (!rest.empty()) {
      const FrameView frame = *FrameAtStartOf(rest);
      ASSERT_OK(fold_.Add(frame));
      rest = rest.subspan(frame.size_words());
    }
  }

  LazyFold fold_{State{}, kName};
  std::vector<FrameRun> runs_;
};

// Without this, the property would hold of a fold that is not lazy at all.
TEST_F(LazyFoldTest, PlainCheckpointsAreNotedAndNotFolded) {
  Add({{kSecond, 1, Started{.operation_id = "a"}}});
  for (int i = 1; i <= 1000; ++i) {
    // Kept: the fold has views of its words.
    runs_.push_back(RunAfter({fold_.sequence(), 0},
                             {{kSecond + i, 1, Checkpoint{.files_processed = i, .current_path = std::to_string(i)}}}));
    const FrameRun& run = runs_.back();
    CheckpointView plain;
    ASSERT_TRUE(DecodePlainCheckpoint(FrameAtStartOf(run.words)->payload, plain));
    ASSERT_TRUE(fold_.Note(fold_.sequence() + 1, plain)) << "checkpoint " << i;
  }
  EXPECT_EQ(fold_.Settled().operation->checkpoints, 1000);
}

TEST_F(LazyFoldTest, SettledFoldKeepsNoViewOfTheFrames) {
  Add({{1, 1, Started{.operation_id = "a"}}, {2, 1, Checkpoint{.files_processed = 5, .current_path = "/a/long/path"}}});
  fold_.Settle();
  for (FrameRun& run : runs_) std::fill(run.words.begin(), run.words.end(), 0);
  EXPECT_EQ(fold_.Settled().operation->current_path, "/a/long/path");
}

TEST_F(LazyFoldTest, GapIsRefusedAndNothingIsFolded) {
  Add({{1, 1, Started{.operation_id = "a"}}, CheckpointEvent(2)});
  const State before = fold_.Settled();
  const FrameRun run = RunAfter({5, 0}, {CheckpointEvent(3)});
  EXPECT_THAT(fold_.Add(*FrameAtStartOf(run.words)), Fails(StatusCode::kDataLoss, HasSubstr("events are missing")));
  EXPECT_EQ(fold_.Settled(), before);
}

TEST_F(LazyFoldTest, EventOfANewerVersionIsAnErrorAndNoMisfit) {
  Add({{1, 1, Started{.operation_id = "a"}}});
  FrameRun run = RunAfter({1, 0}, {CheckpointEvent(3)});
  run.words[kFrameHeaderWords + 3] |= 0xffff;  // the tag of the kind
  EXPECT_THAT(fold_.Add(*FrameAtStartOf(run.words)),
              Fails(StatusCode::kUnimplemented, HasSubstr("event 2 of the log")));
  EXPECT_FALSE(fold_.Settled().misfit);
  EXPECT_EQ(fold_.sequence(), 1u);
}

TEST_F(LazyFoldTest, FrameThatHoldsNoEventIsAMisfit) {
  Add({{1, 1, Started{.operation_id = "a"}}, CheckpointEvent(2)});
  FrameRun run = RunAfter({2, 0}, {CheckpointEvent(3)});
  run.words[kFrameHeaderWords] = ~std::uint64_t{0};
  ASSERT_OK(fold_.Add(*FrameAtStartOf(run.words)));
  ASSERT_TRUE(fold_.Settled().misfit);
  EXPECT_EQ(fold_.Settled().misfit->sequence, 3u);
  EXPECT_THAT(fold_.Settled().misfit->why, HasSubstr("event 3 of the log (test)"));
}

TEST_F(LazyFoldTest, MisfitThatTheCallerFoundIsNotedBehindTheRest) {
  Add({{1, 1, Started{.operation_id = "a"}}, CheckpointEvent(2)});
  fold_.AddMisfit("unreadable");
  const State& state = fold_.Settled();
  EXPECT_EQ(state.operation->files_processed, 2);
  EXPECT_EQ(state.misfit, (Misfit{3, "unreadable"}));
}

// Checkpoints are folded when somebody asks, and the caller's texts may be gone by then.
TEST(LazyFoldProperty, EnginesStateIsTheFoldOfTheLogWheneverItIsAskedFor) {
  ASSERT_OK_AND_ASSIGN(const auto engine, Engine::Open(NewWritableMemoryLog(), DeterministicOptions()));
  ASSERT_OK_AND_ASSIGN(const OperationHandle handle, engine->Start({}));
  std::mt19937_64 random(TestSeed());
  for (std::int64_t i = 1; i <= 2000; ++i) {
    foldlog::Checkpoint checkpoint{.files_processed = static_cast<std::int64_t>(random() % 4 == 0 ? i / 2 : i)};
    if (random() % 2 == 0) checkpoint.current_path = std::string(random() % 100, static_cast<char>('a' + i % 26));
    if (random() % 2 == 0) checkpoint.last_processed_file = std::to_string(i);
    if (random() % 20 == 0) checkpoint.batch_num = i;
    if (random() % 50 == 0) checkpoint.error = FileError{"/f", "no", ""};
    ASSERT_OK(engine->Checkpoint(handle, checkpoint, Durability::kInterval, Decrease::kAllowed));
    if (random() % 40 != 0) continue;
    ASSERT_OK_AND_ASSIGN(const Fold fold, FoldLog(engine->log()));
    ASSERT_EQ(engine->state(), fold.state);
  }
}

}  // namespace
}  // namespace foldlog
