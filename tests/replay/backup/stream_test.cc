// The stream of a backup: whole, it gives the frames; with anything changed, cut off or added, it is refused.

#include "replay/backup/stream.h"

#include <algorithm>
#include <cstring>
#include <random>

#include "tests/support/random_log.h"

namespace foldlog::backup {
namespace {

using absl::StatusCode;
using testing::HasSubstr;

class StreamTest : public testing::Test {
 protected:
  StreamTest() : random_(TestSeed()) {
    RandomLog log(random_, 0);
    run_ = RunAfter({0, GenesisHash(id_)}, log.Next(60));
  }

  std::string Write(const FrameRun& run) {
    std::string bytes;
    StreamWriter writer([&](std::span<const std::byte> more) {
      bytes.append(reinterpret_cast<const char*>(more.data()), more.size());
      return absl::OkStatus();
    });
    EXPECT_OK(writer.Begin({.log_id = id_, .base = run.before, .end = run.after, .made_at = 5}));
    EXPECT_OK(writer.Add(run));
    EXPECT_OK(writer.End());
    return bytes;
  }

  // All frames of a stream that comes in pieces of any size.
  absl::StatusOr<FrameRun> Read(const std::string& bytes) {
    std::size_t at = 0;
    StreamReader reader([&](std::span<std::byte> into) -> absl::StatusOr<std::size_t> {
      const std::size_t size = std::min({into.size(), bytes.size() - at, std::size_t{random_() % 900 + 1}});
      std::memcpy(into.data(), bytes.data() + at, size);
      at += size;
      return size;
    });
    const auto head = reader.Begin();
    if (!head.ok()) return head.status();
    EXPECT_EQ(head->log_id, id_);
    FrameRun all{.words = {}, .before = head->base, .after = head->base};
    for (FrameRun run;;) {
      const absl::Status next = reader.Next(run);
      if (!next.ok()) return next;
      if (run.empty()) return all;
      all.words.insert(all.words.end(), run.words.begin(), run.words.end());
      all.after = run.after;
    }
  }

  std::mt19937_64 random_;
  const LogId id_ = {1, 2, 3};
  FrameRun run_;
};

TEST_F(StreamTest, WholeStreamGivesItsFrames) {
  ASSERT_OK_AND_ASSIGN(const FrameRun read, Read(Write(run_)));
  EXPECT_EQ(read, run_);
  const FrameRun empty{.words = {}, .before = run_.before, .after = run_.before};
  ASSERT_OK_AND_ASSIGN(const FrameRun none, Read(Write(empty)));
  EXPECT_EQ(none, empty);
}

// All but the time in the head that nothing else depends on is covered by a hash; so is that.
TEST_F(StreamTest, StreamWithAnyByteChangedIsRefused) {
  const std::string bytes = Write(run_);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    std::string changed = bytes;
    changed[i] = static_cast<char>(changed[i] ^ (1 << random_() % 8));
    EXPECT_FALSE(Read(changed).ok()) << "byte " << i;
  }
}

TEST_F(StreamTest, StreamThatIsCutShortOrGoesOnIsRefused) {
  const std::string bytes = Write(run_);
  for (std::size_t size = 8; size < bytes.size(); ++size) {
    EXPECT_THAT(Read(bytes.substr(0, size)), Fails(StatusCode::kDataLoss, HasSubstr("was cut short"))) << size;
  }
  EXPECT_THAT(Read(bytes + "x"), Fails(StatusCode::kDataLoss, HasSubstr("goes on behind its end")));
  EXPECT_THAT(Read(bytes + bytes), Fails(StatusCode::kDataLoss, HasSubstr("goes on behind its end")));
  EXPECT_THAT(Read(""), Fails(StatusCode::kInvalidArgument, HasSubstr("is no stream of a foldlog backup")));
  EXPECT_THAT(Read("PNG and so on"), Fails(StatusCode::kInvalidArgument, HasSubstr("is no stream")));
}

TEST_F(StreamTest, WholeBlocksThatAreLeftOutOrExchangedAreNoticed) {
  // Many batches: events of 100 KiB, which do not pack.
  std::vector<Event> events;
  for (int i = 0; i < 12; ++i) {
    Event event = CheckpointEvent(i);
    std::string path;
    while (path.size() < 100'000) path += std::to_string(random_());
    std::get<Checkpoint>(event.body).current_path = path;
    events.push_back(event);
  }
  const FrameRun run = RunAfter({0, GenesisHash(id_)}, events);
  const std::string bytes = Write(run);
  std::vector<std::string> blocks;
  for (std::size_t at = 80; at < bytes.size();) {
    std::uint32_t size = 0;
    std::memcpy(&size, bytes.data() + at + 4, sizeof size);
    blocks.push_back(bytes.substr(at, 16 + size));
    at += 16 + size;
  }
  ASSERT_GT(blocks.size(), 3U);
  const auto join = [&](const std::vector<std::string>& some) {
    std::string all = bytes.substr(0, 80);
    for (const std::string& block : some) all += block;
    return all;
  };
  ASSERT_OK(Read(join(blocks)));
  for (std::size_t i = 0; i + 1 < blocks.size(); ++i) {
    std::vector<std::string> fewer = blocks;
    fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(i));
    EXPECT_THAT(Read(join(fewer)), Fails(StatusCode::kDataLoss, testing::_));
    std::vector<std::string> twice = blocks;
    twice.insert(twice.begin() + static_cast<std::ptrdiff_t>(i), blocks[i]);
    EXPECT_THAT(Read(join(twice)), Fails(StatusCode::kDataLoss, testing::_));
  }
  std::swap(blocks[0], blocks[1]);
  EXPECT_THAT(Read(join(blocks)), Fails(StatusCode::kDataLoss, HasSubstr("do not follow")));
}

TEST_F(StreamTest, RandomBytesBehindAHeadAreRefused) {
  const std::string bytes = Write(run_);
  for (int i = 0; i < 2000; ++i) {
    std::string changed = bytes.substr(0, 80 + random_() % (bytes.size() - 80));
    changed += RandomBytes(random_, 300);
    EXPECT_FALSE(Read(changed).ok());
  }
}

}  // namespace
}  // namespace foldlog::backup
