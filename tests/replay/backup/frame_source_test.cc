// The frames of a log for who copies them: all in order, read ahead or not, and none that is not proven.

#include "replay/backup/frame_source.h"

#include "tests/support/log_directory_fixture.h"

namespace foldlog::backup {
namespace {

using absl::StatusCode;
using testing::HasSubstr;

// A log whose frames can be spoilt on their way to the reader.
class SpoiltLog final : public EventLog {
 public:
  SpoiltLog(const EventLog& log, Sequence spoilt) : log_(log), spoilt_(spoilt) {}

  absl::Status ReadInto(Sequence from, std::size_t bytes_max, FrameRun& run) const override {
    const absl::Status read = log_.ReadInto(from, bytes_max, run);
    std::size_t at = 0;
    for (Sequence sequence = from; read.ok() && at < run.words.size(); ++sequence) {
      const FrameView frame = *FrameAtStartOf(std::span(run.words).subspan(at));
      at += frame.size_words();
      if (sequence == spoilt_) run.words[at - 1] ^= 1;
    }
    return read;
  }
  absl::StatusOr<LogExtent> Extent() const override { return log_.Extent(); }
  absl::StatusOr<std::optional<Snapshot>> FindSnapshot(Sequence) const override { return std::nullopt; }
  absl::Status Append(const FrameRun&, Space) override { return absl::UnimplementedError("read only"); }
  absl::Status Sync(Sequence) override { return absl::UnimplementedError("read only"); }
  absl::Status PutSnapshot(const Snapshot&) override { return absl::UnimplementedError("read only"); }
  absl::StatusOr<bool> WaitForMore(Sequence, std::chrono::milliseconds) const override { return false; }
  absl::Status Close() override { return absl::OkStatus(); }
  const std::string& name() const override { return log_.name(); }

 private:
  const EventLog& log_;
  const Sequence spoilt_;
};

class FrameSourceTest : public testing::Test {
 protected:
  // So many runs that both sides have to wait for each other.
  FrameSourceTest() {
    ChainEnd end = (*log_->Extent()).end;
    for (int i = 0; i < 40; ++i) {
      Event event = CheckpointEvent(i);
      std::get<Checkpoint>(event.body).current_path = std::string(std::size_t{1} << 20, 'p');
      const FrameRun run = RunAfter(end, {event, CheckpointEvent(i)});
      EXPECT_OK(log_->Append(run, Space::kUnreserved));
      end = run.after;
    }
  }

  ChainEnd base() const { return (*log_->Extent()).base; }

  const std::unique_ptr<EventLog> log_ = NewMemoryLog();
};

TEST_F(FrameSourceTest, GivesAllFramesInOrderUpToTheOneWanted) {
  for (const Sequence through : {Sequence{0}, Sequence{1}, Sequence{33}, Sequence{80}}) {
    FrameSource source(*log_, base(), through);
    ChainEnd at = base();
    int runs = 0;
    for (FrameRun run;;) {
      ASSERT_OK(source.Next(run));
      EXPECT_EQ(run.before, at);
      if (run.empty()) break;
      at = run.after;
      ++runs;
    }
    EXPECT_EQ(at.sequence, through);
    EXPECT_GE(runs, through == 80 ? 5 : 0);
  }
}

TEST_F(FrameSourceTest, MayBeGivenUpAtAnyTime) {
  for (int wanted = 0; wanted < 4; ++wanted) {
    FrameSource source(*log_, base(), 80);
    FrameRun run;
    for (int i = 0; i < wanted; ++i) ASSERT_OK(source.Next(run));
  }
}

TEST_F(FrameSourceTest, WhatIsBeforeADamagedFrameIsGivenAndThenTheError) {
  for (const Sequence spoilt : {Sequence{1}, Sequence{50}, Sequence{80}}) {
    const SpoiltLog log(*log_, spoilt);
    FrameSource source(log, base(), 80);
    FrameRun run;
    absl::Status next;
    ChainEnd at = base();
    while (next.ok()) {
      next = source.Next(run);
      if (next.ok()) at = run.after;
      ASSERT_FALSE(next.ok() && run.empty());
    }
    EXPECT_THAT(next, Fails(StatusCode::kDataLoss, HasSubstr("event " + std::to_string(spoilt))));
    EXPECT_EQ(at.sequence, spoilt - 1);
  }
}

TEST_F(FrameSourceTest, FramesOfAnotherChainAreRefused) {
  FrameSource source(*log_, {3, 12345}, 80);
  FrameRun run;
  EXPECT_THAT(source.Next(run), Fails(StatusCode::kDataLoss, HasSubstr("event 4")));
}

}  // namespace
}  // namespace foldlog::backup
