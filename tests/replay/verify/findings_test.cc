// Every kind of finding, made for real in the files of a log.

#include <xxhash.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "engine/codec/state_codec.h"
#include "engine/index/row_hash.h"
#include "foldlog/backup.h"
#include "foldlog/event_index.h"
#include "foldlog/log_directory.h"
#include "foldlog/verify.h"
#include "tests/support/tail_bytes.h"
#include "tests/support/test_support.h"
#include "tests/support/verify_fixture.h"

namespace foldlog {
namespace {

using testing::HasSubstr;

// Gives the frame the hash of its bytes.
void Reseal(Image& image, u64 frame) {
  const u64 bytes = 32 + image.Get<std::uint32_t>(frame + 4);
  image.Set<u64>(frame + 8, XXH3_64bits(image.bytes.data() + frame + 16, bytes - 16));
}

TEST_F(VerifyTest, LostOrEmptyFileIsFound) {
  MakeLog(3);
  WriteFile(path(), "");
  EXPECT_EQ(TheDamage(Look()).part, VerifyPart::kMetaPage);
  std::filesystem::remove(path());
  EXPECT_THAT(TheDamage(Look()).message, HasSubstr("missing"));
  EXPECT_FALSE(Look(1, VerifyOptions::Depth::kQuick).sound());
}

TEST_F(VerifyTest, DamagedMetaPageIsFoundAndTheOtherOneRead) {
  MakeLarge();
  for (const u64 slot : {0, 1}) {
    Image image(image_);
    image.Set<std::uint32_t>(slot * kPageBytes + kMagic, 7);
    Write(image);
    const VerifyReport report = Look();
    const VerifyFinding damage = TheDamage(report);
    EXPECT_EQ(damage.part, VerifyPart::kMetaPage);
    EXPECT_EQ(damage.page, slot);
    EXPECT_GT(report.events, 20'000U);
  }
}

TEST_F(VerifyTest, DamagedLeafHidesItsEventsAndNoOthers) {
  MakeLarge();
  Image image(image_);
  const std::vector<u64> leaves = Leaves(image, "events");
  ASSERT_GE(leaves.size(), 2U);
  const u64 first = image.Get<u64>(Image::Key(image.Node(leaves[0], 0)));
  const u64 behind = image.Get<u64>(Image::Key(image.Node(leaves[1], 0)));
  ASSERT_EQ(first, 1U);
  image.bytes.replace(leaves[0], kPageBytes, kPageBytes, '\0');
  const u64 events = Look().events;
  Write(image);
  const VerifyReport report = Look();
  const VerifyFinding damage = TheDamage(report);
  EXPECT_EQ(damage.part, VerifyPart::kPage);
  EXPECT_EQ(damage.page, leaves[0] / kPageBytes);
  EXPECT_EQ(damage.hides_from, 1U);
  EXPECT_EQ(damage.hides_through, behind - 1);
  EXPECT_EQ(report.events, events - (behind - 1));
  EXPECT_THAT(damage.next, HasSubstr("events --from " + std::to_string(behind)));
  EXPECT_TRUE(Look(1, VerifyOptions::Depth::kQuick).sound()) << "leaves are not read";
}

TEST_F(VerifyTest, DamagedBranchIsFoundQuickly) {
  MakeLarge();
  Image image(image_);
  image.bytes.replace(image.Root(image.Events()), kPageBytes, kPageBytes, '\0');
  Write(image);
  EXPECT_EQ(TheDamage(Look()).part, VerifyPart::kPage);
  EXPECT_FALSE(Look(1, VerifyOptions::Depth::kQuick).sound());
}

TEST_F(VerifyTest, DamagedBatchHidesItsEvents) {
  MakeLarge();
  Image image(image_);
  const std::vector<Place> batches = Values(image, "events");
  const Place& batch = batches.at(batches.size() / 2);
  // One bit may make no difference: LZ4 can name the same bytes in several ways.
  const u64 middle = batch.offset + 8 * (batch.bytes / 16);
  image.Set<u64>(middle, ~image.Get<u64>(middle));
  Write(image);
  const VerifyReport report = Look();
  ASSERT_FALSE(report.sound());
  for (const VerifyFinding& finding : report.findings) {
    if (finding.is_note) continue;
    EXPECT_EQ(finding.part, VerifyPart::kBatch);
    EXPECT_GE(finding.hides_from, batch.key);
    EXPECT_LT(finding.hides_through, batches.at(batches.size() / 2 + 1).key);
    EXPECT_EQ(finding.offset.value_or(0) / kPageBytes, batch.offset / kPageBytes);
  }
  EXPECT_TRUE(Look(1, VerifyOptions::Depth::kQuick).sound()) << "only the last batch is read";
}

TEST_F(VerifyTest, DamagedLastBatchIsFoundQuickly) {
  MakeLarge();
  Image image(image_);
  const Place batch = Values(image, "events").back();
  image.Set<u64>(batch.offset + 8 * (batch.bytes / 16), 0x5555);
  Write(image);
  EXPECT_FALSE(Look(1, VerifyOptions::Depth::kQuick).sound());
}

// One event a batch, with a text that nothing packs: so frames stand there as they are.
class VerifyFramesTest : public VerifyTest {
 protected:
  void SetUp() override {
    LogDirectoryOptions options = SmallTail();
    options.indexer = NewEventIndexer();
    ASSERT_OK_AND_ASSIGN(const WritableLog written, OpenLogForWriting(log_dir_, options));
    ASSERT_OK_AND_ASSIGN(LogExtent extent, written.log->Extent());
    const Event start{1, 1, Started{.operation_id = "op"}};
    for (int i = 0; i < 6; ++i) {
      std::string text(20'000, ' ');
      for (char& letter : text) letter = static_cast<char>(random_());
      const Event event = i == 0 ? start : Event{i, 1, Checkpoint{.files_processed = i, .current_path = text}};
      const FrameRun run = RunAfter(extent.end, {event});
      ASSERT_OK(written.log->Append(run, Space::kUnreserved));
      extent.end = run.after;
    }
    ASSERT_OK(written.log->Close());
    image_ = ReadFile(path());
  }
};

TEST_F(VerifyFramesTest, DamagedFrameHidesOneEvent) {
  ExpectSound();
  Image image(image_);
  const Place batch = Values(image, "events").at(2);
  image.Set<char>(batch.offset + 100, static_cast<char>(image.Get<char>(batch.offset + 100) ^ 4));
  Write(image);
  const VerifyFinding damage = TheDamage(Look());
  EXPECT_EQ(damage.part, VerifyPart::kBatch);
  EXPECT_EQ(damage.hides_from, batch.key);
  EXPECT_EQ(damage.hides_through, batch.key);
  EXPECT_EQ(Look().events, 5U);
}

TEST_F(VerifyFramesTest, BrokenChainIsFound) {
  Image image(image_);
  const Place batch = Values(image, "events").at(2);
  image.Set<u64>(batch.offset + 32 + 24, 12345);
  Reseal(image, batch.offset);
  Write(image);
  const VerifyReport report = Look();
  ASSERT_FALSE(report.sound());
  EXPECT_EQ(report.findings.front().part, VerifyPart::kChain);
  EXPECT_THAT(report.findings.front().message, HasSubstr("event " + std::to_string(batch.key + 1)));
}

TEST_F(VerifyFramesTest, EventInTheWrongPlaceIsFound) {
  Image image(image_);
  const Place batch = Values(image, "events").at(2);
  image.Set<u64>(batch.offset + 24, 77);
  Reseal(image, batch.offset);
  Write(image);
  const VerifyReport report = Look();
  ASSERT_FALSE(report.sound());
  EXPECT_EQ(report.findings.front().part, VerifyPart::kChain);
  EXPECT_THAT(report.findings.front().message, HasSubstr("there is event 77 where event"));
}

TEST_F(VerifyFramesTest, MissingBatchIsFound) {
  {
    Database database(path());
    database.Commit([](Transaction& transaction) { transaction.Delete("events", 3); });
  }
  const VerifyReport report = Look();
  ASSERT_FALSE(report.sound());
  bool found = false;
  for (const VerifyFinding& finding : report.findings) {
    found = found || (finding.part == VerifyPart::kChain && finding.hides_from == 3U && finding.hides_through == 3U);
  }
  EXPECT_TRUE(found);
}

TEST_F(VerifyTest, DamagedCommitRecordIsFound) {
  MakeLarge();
  Image image(image_);
  const Place record = Values(image, "meta").at(1);
  image.Set<u64>(record.offset + 24, 7);
  Write(image);
  EXPECT_EQ(TheDamage(Look()).part, VerifyPart::kRecord);
  EXPECT_EQ(TheDamage(Look(1, VerifyOptions::Depth::kQuick)).part, VerifyPart::kRecord);
}

TEST_F(VerifyTest, DamagedIndexRowsAreFoundWithTheStepThatMakesThemAnew) {
  MakeLarge();
  for (const std::string_view table : {"batches", "operations"}) {
    for (const bool sealed : {false, true}) {
      Image image(image_);
      const std::vector<Place> rows = Values(image, table);
      const Place& row = rows.at(rows.size() / 2);
      const u64 word = row.offset + (table == "batches" ? 8 * 8 : 8 * 1);
      image.Set<u64>(word, image.Get<u64>(word) ^ 1);
      IndexRow words{.key = row.key, .words = std::vector<std::uint64_t>(row.bytes / 8)};
      std::memcpy(words.words.data(), image.bytes.data() + row.offset, row.bytes);
      if (sealed) image.Set<u64>(row.offset, HashOfRow(words));
      Write(image);
      const VerifyFinding damage = TheDamage(Look());
      EXPECT_EQ(damage.part, VerifyPart::kIndex);
      EXPECT_THAT(damage.message, HasSubstr(sealed ? "says other than its events" : "hash"));
      EXPECT_EQ(damage.next, "foldlog reindex --log " + log_dir_);
    }
  }
  ASSERT_OK(Reindex(log_dir_));
  EXPECT_TRUE(Look().sound());
}

TEST_F(VerifyTest, DamagedPageOfTheIndexIsFoundAndMendedByReindex) {
  MakeLarge();
  Image image(image_);
  image.Set<u16>(Leaves(image, "batches").front() + kFlags, 0x77);
  Write(image);
  EXPECT_EQ(TheDamage(Look()).part, VerifyPart::kIndex);
  ASSERT_OK(Reindex(log_dir_));
  EXPECT_TRUE(Look().sound());
}

TEST_F(VerifyTest, MissingRowsAreANote) {
  {
    ASSERT_OK_AND_ASSIGN(const WritableLog written, OpenLogForWriting(log_dir_, SmallTail()));
    ASSERT_OK_AND_ASSIGN(const LogExtent extent, written.log->Extent());
    ASSERT_OK(written.log->Append(
        RunAfter(extent.end, {{1, 1, Started{.operation_id = "op"}}, CheckpointEvent(3), {5, 1, Completed{}}}),
        Space::kUnreserved));
    ASSERT_OK(written.log->Close());
  }
  const VerifyReport report = Look();
  EXPECT_TRUE(report.sound());
  ASSERT_FALSE(report.findings.empty());
  EXPECT_THAT(report.findings.front().message, HasSubstr("missing"));
  ASSERT_OK(Reindex(log_dir_));
  ExpectSound();
}

// Changes one snapshot of the table, in the middle of the log.
class VerifySnapshotTest : public VerifyTest {
 protected:
  Place ASnapshot(const Image& image) const {
    const std::vector<Place> snapshots = Values(image, "snapshots");
    return snapshots.at(snapshots.size() / 2);
  }
};

TEST_F(VerifySnapshotTest, DamagedSnapshotIsFound) {
  MakeLarge();
  Image image(image_);
  const Place place = ASnapshot(image);
  image.Set<char>(place.offset + 40, static_cast<char>(image.Get<char>(place.offset + 40) ^ 1));
  Write(image);
  const VerifyFinding damage = TheDamage(Look());
  EXPECT_EQ(damage.part, VerifyPart::kSnapshot);
  EXPECT_THAT(damage.message, HasSubstr("hash"));
}

// All snapshots lie alike, so every part begins with a state that is wrong: the fold from the first event finds each of
// them, and blames nothing else.
TEST_F(VerifySnapshotTest, SnapshotsThatLieAreFoundAndNothingElseIsBlamed) {
  MakeLarge();
  Image image(image_);
  std::size_t lying = 0;
  for (const Place& place : Values(image, "snapshots")) {
    std::vector<std::uint64_t> words((place.bytes - 16) / 8);
    std::memcpy(words.data(), image.bytes.data() + place.offset + 16, words.size() * 8);
    ASSERT_OK_AND_ASSIGN(State state, DecodeState(words));
    if (!state.operation) continue;
    // No event contradicts that, so it lasts to the end of the operation.
    ++state.operation->error_count;
    ++lying;
    words.clear();
    ASSERT_OK(EncodeState(state, words));
    ASSERT_EQ(words.size() * 8, place.bytes - 16);
    std::memcpy(image.bytes.data() + place.offset + 16, words.data(), words.size() * 8);
    image.Set<u64>(place.offset, XXH3_64bits(image.bytes.data() + place.offset + 8, place.bytes - 8));
  }
  Write(image);
  std::filesystem::remove(log_dir_ + "/snapshots");
  const VerifyReport report = Look(4);
  std::size_t lies = 0;
  for (const VerifyFinding& finding : report.findings) {
    EXPECT_EQ(finding.part, VerifyPart::kSnapshot) << finding.message;
    lies += finding.message.ends_with("is not the state that the events give") ? 1 : 0;
  }
  EXPECT_GT(lying, 100U);
  EXPECT_EQ(lies, lying);
}

// Its hash is right, so readers would believe it.
TEST_F(VerifySnapshotTest, SlotOfTheFileThatLiesIsFound) {
  MakeLarge();
  Image image(ReadFile(log_dir_ + "/snapshots"));
  std::vector<std::uint64_t> words(image.Get<u64>(8));
  std::memcpy(words.data(), &image.bytes[32], words.size() * 8);
  ASSERT_OK_AND_ASSIGN(State state, DecodeState(words));
  ASSERT_TRUE(state.operation.has_value());
  ++state.operation->error_count;
  words.clear();
  ASSERT_OK(EncodeState(state, words));
  ASSERT_EQ(words.size(), image.Get<u64>(8));
  std::memcpy(&image.bytes[32], words.data(), words.size() * 8);
  image.Set<u64>(0, XXH3_64bits(&image.bytes[8], 24 + words.size() * 8));
  WriteFile(log_dir_ + "/snapshots", image.bytes);
  const VerifyFinding damage = TheDamage(Look());
  EXPECT_EQ(damage.part, VerifyPart::kSnapshot);
  EXPECT_THAT(damage.message, HasSubstr("is not the state that the events give"));
  EXPECT_THAT(damage.next, HasSubstr("remove " + log_dir_ + "/snapshots"));
}

TEST_F(VerifySnapshotTest, TornSlotOfTheFileIsANote) {
  MakeLarge();
  std::string bytes = ReadFile(log_dir_ + "/snapshots");
  bytes.at(50) = static_cast<char>(bytes.at(50) ^ 1);
  WriteFile(log_dir_ + "/snapshots", bytes);
  const VerifyReport report = Look();
  EXPECT_TRUE(report.sound());
  ASSERT_EQ(report.findings.size(), 1U);
  EXPECT_EQ(report.findings.front().part, VerifyPart::kSnapshot);
}

TEST_F(VerifyTest, DamagedFreeListIsFound) {
  MakeLarge();
  Image image(image_);
  image.Set<u16>(image.Root(image.FreeList()) + kFlags, 0x77);
  Write(image);
  EXPECT_THAT(TheDamage(Look()).message, HasSubstr("free list"));
}

// The newest events are in the tail alone, and durable.
class VerifyTailTest : public VerifyTest {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(engine_, Engine::Open(log_dir_, Options()));
    ASSERT_OK_AND_ASSIGN(const OperationHandle handle, engine_->Start({}));
    for (int i = 1; i <= 30; ++i) {
      ASSERT_OK(engine_->Checkpoint(handle, {.files_processed = i}));
      ASSERT_OK(engine_->Flush());
    }
    tail_ = ReadFile(tail());
  }

  std::string tail() const { return log_dir_ + "/tail"; }

  // Through the file that the writer has open: its inode number counts.
  void Overwrite(std::size_t at, const std::string& bytes) const {
    std::fstream(tail(), std::ios::in | std::ios::out | std::ios::binary).seekp(static_cast<std::streamoff>(at))
        << bytes;
  }

  std::unique_ptr<Engine> engine_;
  std::string tail_;
};

TEST_F(VerifyTailTest, DamagedFrameOfTheTailHidesTheEventsFromItOn) {
  EXPECT_TRUE(Look().sound());
  const std::size_t frame = tail_.find("FLG1", TailRingOffset(tail_) + 2000);
  ASSERT_NE(frame, std::string::npos);
  std::uint64_t sequence = 0;
  std::memcpy(&sequence, tail_.data() + frame + 24, sizeof sequence);
  Overwrite(frame + 40, std::string(1, static_cast<char>(tail_[frame + 40] ^ 1)));
  for (const auto depth : {VerifyOptions::Depth::kFull, VerifyOptions::Depth::kQuick}) {
    const VerifyFinding damage = TheDamage(Look(1, depth));
    EXPECT_EQ(damage.part, VerifyPart::kTail);
    EXPECT_EQ(damage.hides_from, sequence);
    EXPECT_EQ(damage.hides_through, 31U);
    EXPECT_THAT(damage.next, HasSubstr("--accept-loss"));
  }
  Overwrite(frame + 40, tail_.substr(frame + 40, 1));
}

TEST_F(VerifyTailTest, DamagedMarkIsANote) {
  Overwrite(kTailCopyOffset + sizeof(CopyPage) - 1, "x");
  const VerifyReport report = Look();
  EXPECT_TRUE(report.sound());
  ASSERT_EQ(report.findings.size(), 1U);
  EXPECT_THAT(report.findings.front().message, HasSubstr("1 mark does not match"));
}

TEST_F(VerifyTest, LostOrDamagedTailIsFound) {
  MakeLog(3);
  std::string bytes = ReadFile(log_dir_ + "/tail");
  bytes[20] = static_cast<char>(bytes[20] ^ 1);
  WriteFile(log_dir_ + "/tail", bytes);
  EXPECT_THAT(TheDamage(Look()).message, HasSubstr("header"));
  std::filesystem::remove(log_dir_ + "/tail");
  EXPECT_THAT(TheDamage(Look()).message, HasSubstr("missing"));
}

// Frames of a lost history, or what a power cut tore.
TEST_F(VerifyTest, NewerFramesBehindTheEndAreANote) {
  {
    ASSERT_OK_AND_ASSIGN(auto engine, Engine::Open(log_dir_, Options()));
    ASSERT_OK_AND_ASSIGN(const OperationHandle handle, engine->Start({}));
    for (int i = 1; i <= 30; ++i) ASSERT_OK(engine->Checkpoint(handle, {.files_processed = i}));
    std::filesystem::copy(log_dir_, log_dir_ + ".copy");
  }
  const std::string tail = log_dir_ + ".copy/tail";
  std::string bytes = ReadFile(tail);
  const std::size_t frame = bytes.find("FLG1", TailRingOffset(bytes) + 2000);
  ASSERT_NE(frame, std::string::npos);
  bytes[frame + 40] = static_cast<char>(bytes[frame + 40] ^ 1);
  ForgetCopy(bytes);  // nothing says that they were durable
  WriteFile(tail, bytes);
  const auto report = Verify(log_dir_ + ".copy");
  ASSERT_OK(report);
  EXPECT_TRUE(report->sound());
  ASSERT_FALSE(report->findings.empty());
  EXPECT_THAT(report->findings.back().message, HasSubstr("behind the end of the chain"));
}

TEST_F(VerifyTest, DamagedRecordOfARestoreIsFoundAndHidesNothing) {
  MakeLog(30);
  const std::string restored = directory_ / "restored";
  ASSERT_OK(Restore(log_dir_, restored));
  std::filesystem::rename(log_dir_, directory_ / "original");
  std::filesystem::rename(restored, log_dir_);
  ExpectSound();
  std::string bytes = ReadFile(path());
  const std::string source = (*ReadRestoration(log_dir_))->source;
  ASSERT_FALSE(source.empty());
  for (std::size_t at = bytes.find(source); at != std::string::npos; at = bytes.find(source, at + 1)) bytes[at] ^= 1;
  WriteFile(path(), bytes);
  for (const auto depth : {VerifyOptions::Depth::kQuick, VerifyOptions::Depth::kFull}) {
    const VerifyReport report = Look(1, depth);
    const VerifyFinding damage = TheDamage(report);
    EXPECT_EQ(damage.part, VerifyPart::kRecord);
    EXPECT_FALSE(damage.hides_from);
    EXPECT_EQ(report.events, 31U);
  }
}

}  // namespace
}  // namespace foldlog
