// Each byte of a small log changed by itself, and its files cut short: salvage gets back every event that is outside of
// the damaged frame or batch.

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/support/salvage_fixture.h"
#include "tests/support/test_support.h"

namespace foldlog {
namespace {

// Some of the bytes, others each time; FOLDLOG_FLIP_STEP=1 tries each.
std::size_t Step() {
#ifdef NDEBUG
  constexpr std::size_t kStep = 29;
#else
  constexpr std::size_t kStep = 1499;
#endif
  const char* const set = std::getenv("FOLDLOG_FLIP_STEP");
  return set != nullptr ? std::stoul(set) : kStep;
}

class SalvageFlipTest : public SalvageTest {
 protected:
  // The events in the batch of log.mdb, or the frame of the tail, that byte `at` is in.
  Gap Around(const std::string& name, std::size_t at) const {
    if (name == "log.mdb") {
      for (std::size_t i = 0; i < batches_.size(); ++i) {
        const Place& batch = batches_[i];
        if (at < batch.offset || at >= batch.offset + batch.bytes) continue;
        return {batch.key, i + 1 < batches_.size() ? batches_[i + 1].key - 1 : stored_};
      }
      return {1, 0};
    }
    for (std::size_t frame = tail_.find("FLG1"); frame != std::string::npos; frame = tail_.find("FLG1", frame + 8)) {
      std::uint32_t payload = 0;
      std::memcpy(&payload, tail_.data() + frame + 4, sizeof payload);
      Sequence sequence = 0;
      std::memcpy(&sequence, tail_.data() + frame + 24, sizeof sequence);
      if (frame <= at && at < frame + 32 + payload) return {sequence, sequence};
    }
    return {1, 0};
  }

  // Changes bytes of the file, and looks each time. Returns how often something was missing.
  int FlipBytes(const std::string& name) {
    batches_ = Values(Image(image_), "events");
    stored_ = Image(image_).Get<u64>(Values(Image(image_), "meta").at(1).offset + 24);
    const std::string file = log_dir_ + "/" + name;
    const std::string bytes = ReadFile(file);
    const int fd = open(file.c_str(), O_RDWR | O_CLOEXEC);
    int lost = 0;
    int tried = 0;
    for (std::size_t at = TestSeed() % Step(); at < bytes.size(); at += Step()) {
      const char changed = static_cast<char>(bytes[at] ^ (1 << at % 8));
      EXPECT_EQ(pwrite(fd, &changed, 1, static_cast<off_t>(at)), 1);
      const SalvageReport report = ++tried % 500 == 0 ? SalvageAll() : LookForEvents();
      const Gap around = Around(name, at);
      const std::vector<Sequence> missing = Missing(report);
      lost += missing.empty() ? 0 : 1;
      for (const Sequence event : missing) {
        EXPECT_TRUE(around.from <= event && event <= around.through) << name << ", byte " << at << ": event " << event;
      }
      EXPECT_EQ(report.others, 0U) << name << ", byte " << at;
      EXPECT_EQ(pwrite(fd, &bytes[at], 1, static_cast<off_t>(at)), 1);
      if (HasFailure()) break;
    }
    close(fd);
    return lost;
  }

  std::vector<Place> batches_;
  Sequence stored_ = 0;
};

TEST_F(SalvageFlipTest, EachByteOfLogMdbCostsNoMoreThanItsBatch) {
  MakeStored();
  SetTruth();
  std::filesystem::remove(tail());  // it has old copies of the newest frames
  FlipBytes("log.mdb");
}

TEST_F(SalvageFlipTest, EachByteOfBothFilesCostsNoMoreThanItsFrame) {
  MakeStored();
  AddToTail();
  SetTruth();
  FlipBytes("tail");
  FlipBytes("log.mdb");
}

// The control: what is damaged is not taken for whole.
TEST_F(SalvageFlipTest, EachByteOfAFrameInTheTailCostsTheEvent) {
  MakeStored();
  AddToTail();
  SetTruth();
  std::uint32_t ring = 0;
  std::memcpy(&ring, tail_.data() + 12, sizeof ring);
  std::fill(tail_.begin() + 4096, tail_.begin() + ring, '\0');  // the copy has it once more
  const std::size_t frame = tail_.rfind("FLG1");
  std::uint32_t payload = 0;
  std::memcpy(&payload, tail_.data() + frame + 4, sizeof payload);
  for (std::size_t at = frame; at < frame + 32 + payload; ++at) {
    std::string bytes = tail_;
    bytes[at] = static_cast<char>(bytes[at] ^ 0x10);
    WriteFile(tail(), bytes);
    EXPECT_EQ(LookForEvents().end.sequence, truth_.size() - 1) << at - frame;
  }
}

TEST_F(SalvageFlipTest, OfAFileCutShortAllComesBackThatIsBeforeTheCut) {
  MakeStored();
  SetTruth();
  std::filesystem::remove(tail());
  const std::vector<Place> batches = Values(Image(image_), "events");
  const Sequence all = truth_.size();
  for (std::size_t size = 0; size <= image_.size(); size += 512) {
    WriteFile(path(), image_.substr(0, size));
    const auto report = Salvage(log_dir_, "", {});
    // Without the page of the format record, nobody knows the id.
    if (!report.ok()) {
      EXPECT_THAT(report.status(), Fails(absl::StatusCode::kInvalidArgument, testing::HasSubstr("--log-id")));
      continue;
    }
    const SalvageReport found = LookForEvents();
    const std::vector<Sequence> missing = Missing(found);
    for (std::size_t i = 0; i < batches.size(); ++i) {
      if (batches[i].offset + batches[i].bytes > size) continue;
      const Sequence last = i + 1 < batches.size() ? batches[i + 1].key - 1 : all;
      for (const Sequence event : missing) EXPECT_FALSE(batches[i].key <= event && event <= last) << size;
    }
  }
  EXPECT_EQ(LookForEvents().end.sequence, all);
}

}  // namespace
}  // namespace foldlog
