// FORMAT.md's worked example, and the layouts it describes, against the code.

#include <lz4.h>
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>
#include <sstream>

#include "engine/base/process.h"
#include "engine/codec/frame.h"
#include "engine/log/store/batch.h"
#include "engine/log/store/log_file.h"
#include "engine/log/store/snapshot_cache.h"
#include "engine/log/tail/file.h"
#include "engine/log/tail/walk.h"
#include "foldlog/log_directory.h"
#include "tests/support/file_bytes.h"
#include "tests/support/test_support.h"

namespace foldlog {
namespace {

// The words in the block that starts with ```frame.
std::vector<std::uint64_t> ExampleInFormatMd() {
  std::ifstream file(FOLDLOG_SOURCE_DIR "/schema/FORMAT.md");
  std::string line;
  while (std::getline(file, line) && line != "```frame") {
  }
  std::vector<std::uint64_t> words;
  while (std::getline(file, line) && line != "```") {
    std::istringstream numbers(line);
    for (std::string number; numbers >> number;) words.push_back(std::stoull(number, nullptr, 16));
  }
  return words;
}

TEST(Format, WorkedExampleIsWhatTheCodeWrites) {
  const std::array<std::uint8_t, 16> log_id = {};
  FrameRun run{.words = {}, .before = {0, GenesisHash(log_id)}, .after = {0, GenesisHash(log_id)}};
  ASSERT_OK(
      AppendFrame({5,
                   7,
                   Checkpoint{.files_processed = 42, .current_path = "a", .last_processed_file = "b", .batch_num = 3},
                   {.at = 1, .id = 9}},
                  run));
  std::ostringstream actual;
  for (const std::uint64_t word : run.words) actual << std::hex << word << "\n";
  EXPECT_EQ(run.words, ExampleInFormatMd()) << "the code writes:\n" << actual.str();
}

TEST(Format, MagicNumbersAreTheBytesInTheTables) {
  const auto bytes = [](const auto& number) {
    return std::string(reinterpret_cast<const char*>(&number), sizeof number);
  };
  EXPECT_EQ(bytes(kFrameMagic), "FLG1");
  EXPECT_EQ(bytes(kFormatMagic), std::string("FOLDLOG\0", 8));
  EXPECT_EQ(kMaxPayloadBytes, 67'108'864u);
  EXPECT_EQ(kMaxCommonPayloadBytes, 4'194'304u);
}

// A number as people write it: 4,096.
std::uint64_t ToNumber(std::string text) {
  std::erase(text, ',');
  return text.find_first_of("0123456789") == std::string::npos ? 0 : std::stoull(text);
}

struct Field {
  std::size_t offset;
  std::size_t bytes;  // 0: to the end of the file
  std::string text;
};

// The rows of the first table under `heading`.
std::vector<Field> TableInFormatMd(const std::string& heading) {
  std::ifstream file(FOLDLOG_SOURCE_DIR "/schema/FORMAT.md");
  std::string line;
  while (std::getline(file, line) && line != heading) {
  }
  while (std::getline(file, line) && !line.starts_with("| offset | bytes |") && !line.starts_with("#")) {
  }
  std::getline(file, line);  // the line under the titles
  std::vector<Field> fields;
  while (std::getline(file, line) && line.starts_with("| ")) {
    std::istringstream cells(line.substr(2));
    std::string offset;
    std::string bytes;
    std::string text;
    std::getline(cells, offset, '|');
    std::getline(cells, bytes, '|');
    std::getline(cells, text, '|');
    fields.push_back({ToNumber(offset), ToNumber(bytes), text.substr(1, text.size() - 2)});
  }
  return fields;
}

// The bytes that a text names first: `46 4C`.
std::string BytesNamedIn(const std::string& text) {
  const std::size_t start = text.find('`') + 1;
  std::istringstream numbers(text.substr(start, text.find('`', start) - start));
  std::string bytes;
  for (std::string number; numbers >> number;) bytes.push_back(static_cast<char>(std::stoi(number, nullptr, 16)));
  return bytes;
}

// A file as a table of FORMAT.md describes it. Fields are named by how their description begins.
class DescribedFile {
 public:
  DescribedFile(const std::string& heading, std::string path)
      : fields_(TableInFormatMd(heading)), path_(std::move(path)) {}

  std::size_t field_count() const { return fields_.size(); }

  const Field& Describe(const std::string& name) const {
    static const Field none = {};
    const auto field = std::find_if(fields_.begin(), fields_.end(),
                                    [&](const Field& candidate) { return candidate.text.starts_with(name); });
    EXPECT_TRUE(field != fields_.end()) << "FORMAT.md has no field \"" << name << "\" of " << path_;
    return field == fields_.end() ? none : *field;
  }

  std::string Bytes(const std::string& name) const {
    const Field& field = Describe(name);
    return ReadFile(path_).substr(field.offset, field.bytes == 0 ? std::string::npos : field.bytes);
  }

  std::uint64_t Number(const std::string& name) const {
    const std::string bytes = Bytes(name);
    std::uint64_t number = 0;
    EXPECT_LE(bytes.size(), sizeof number);
    std::memcpy(&number, bytes.data(), std::min(bytes.size(), sizeof number));
    return number;
  }

  // The same, where the description ends with the number itself.
  std::uint64_t NumberIn(const std::string& name) const {
    const std::string& text = Describe(name).text;
    return ToNumber(text.substr(text.rfind(':') + 1));
  }

 private:
  const std::vector<Field> fields_;
  const std::string path_;
};

std::string AsBytes(std::span<const std::uint64_t> words) {
  return {reinterpret_cast<const char*>(words.data()), words.size_bytes()};
}

TEST(BatchFormat, PackedBatchIsLaidOutAsFormatMdSays) {
  const TempDir directory;
  const FrameRun run = RunAfter({}, std::vector<Event>(100, CheckpointEvent(1)));
  BatchCodec codec;
  WriteFile(directory / "batch", AsBytes(codec.Pack(run.words)));
  const DescribedFile batch("### Batch", directory / "batch");
  EXPECT_EQ(batch.field_count(), 5u);
  EXPECT_EQ(batch.Bytes("magic"), BytesNamedIn(batch.Describe("magic").text));
  EXPECT_EQ(batch.Number("bytes of the frames"), AsBytes(run.words).size());
  EXPECT_EQ(batch.Number("reserved"), 0u);
  const std::string block = batch.Bytes("one block");
  EXPECT_EQ(block.size(), (batch.Number("bytes of the block") + 7) / 8 * 8);
  std::string frames(AsBytes(run.words).size(), '\0');
  EXPECT_EQ(LZ4_decompress_safe(block.data(), frames.data(), static_cast<int>(batch.Number("bytes of the block")),
                                static_cast<int>(frames.size())),
            static_cast<int>(frames.size()));
  EXPECT_EQ(frames, AsBytes(run.words));
}

TEST(SnapshotsFormat, SlotIsLaidOutAsFormatMdSays) {
  const TempDir directory;
  const Snapshot snapshot{{77, 78}, {1, 2, 3}};
  SnapshotCache(directory.path(), SnapshotCache::Access::kWrite).Put(snapshot);
  const DescribedFile slot("### The file snapshots", directory / "snapshots");
  EXPECT_EQ(slot.field_count(), 5u);
  const std::string bytes = ReadFile(directory / "snapshots");
  EXPECT_EQ(slot.Number("XXH3-64"), XXH3_64bits(bytes.data() + 8, bytes.size() - 8));
  EXPECT_EQ(slot.Number("words"), 3u);
  EXPECT_EQ(slot.Number("sequence number"), 77u);
  EXPECT_EQ(slot.Number("hash of that event"), 78u);
  EXPECT_EQ(slot.Bytes("the message"), AsBytes(snapshot.words));
}

class TailFormat : public testing::Test {
 protected:
  TailFormat() {
    auto opened = OpenLogForWriting(log_dir_, {.tail_bytes = kRingBytes, .flush_interval = std::chrono::hours(1)});
    EXPECT_OK(opened);
    log_ = std::move(opened->log);
    EXPECT_OK(
        log_->Append(RunAfter(log_->Extent()->end, {CheckpointEvent(1), CheckpointEvent(2)}), Space::kUnreserved));
  }

  // As the format record has it.
  std::string LogIdBytes() const {
    const auto file = LogFile::Open(log_dir_ + "/log.mdb", log_dir_);
    EXPECT_OK(file);
    const LogId id = (*file)->log_id();
    return {id.begin(), id.end()};
  }

  static constexpr std::uint64_t kRingBytes = 20 * 4096;
  TempDir directory_;
  const std::string log_dir_ = directory_ / "log";
  std::unique_ptr<EventLog> log_;
};

TEST_F(TailFormat, TailIsAsItsTableSays) {
  const DescribedFile tail("## The tail", log_dir_ + "/tail");
  EXPECT_EQ(tail.field_count(), 7u);
  EXPECT_EQ(tail.Bytes("magic"), BytesNamedIn(tail.Describe("magic").text));
  EXPECT_EQ(tail.Number("version"), tail.NumberIn("version"));
  EXPECT_EQ(tail.Bytes("log id"), LogIdBytes());
  EXPECT_EQ(tail.Number("bytes of the ring"), kRingBytes);
  const std::string before_hash = ReadFile(log_dir_ + "/tail").substr(0, tail.Describe("XXH3-64").offset);
  EXPECT_EQ(before_hash.size(), 40u);  // as the field's text says
  EXPECT_EQ(tail.Number("XXH3-64"), XXH3_64bits(before_hash.data(), before_hash.size()));

  constexpr std::uint64_t kCopyPages = (kRingBytes / 8 + 508) / 509;
  const std::uint64_t ring_offset = tail.Number("bytes of the header");
  EXPECT_EQ(ring_offset, tail.Describe("the pages").offset + kCopyPages * 4096);
  const std::string ring = ReadFile(log_dir_ + "/tail").substr(ring_offset);
  EXPECT_EQ(ring.size(), kRingBytes);
  const FrameRun frames = *log_->Read(1, kRingBytes);
  EXPECT_EQ(frames.count(), 2u);
  EXPECT_EQ(std::memcmp(ring.data(), frames.words.data(), frames.words.size() * sizeof(std::uint64_t)), 0);
}

TEST_F(TailFormat, CopyIsAsItsTableSays) {
  const FrameRun frames = *log_->Read(1, kRingBytes);
  ASSERT_OK(log_->Sync(2));
  const std::string bytes = ReadFile(log_dir_ + "/tail").substr(4096, 4096);
  WriteFile(directory_ / "page", bytes);
  const DescribedFile page("### The copy", directory_ / "page");
  EXPECT_EQ(page.field_count(), 4u);
  const std::string words = page.Bytes("words");
  EXPECT_EQ(std::memcmp(words.data(), frames.words.data(), frames.words.size() * sizeof(std::uint64_t)), 0);
  EXPECT_EQ(page.Number("durable"), 0u);
  EXPECT_EQ(page.Number("flushing"), 2u);
  EXPECT_EQ(page.Number("XXH3-64"), XXH3_64bits_withSeed(&bytes[4072], 16, 0));
}

TEST_F(TailFormat, SharedPageIsAsItsTableSays) {
  const DescribedFile page("### tail-shm", log_dir_ + "/tail-shm");
  EXPECT_EQ(page.field_count(), 7u);
  EXPECT_EQ(page.Bytes("magic"), BytesNamedIn(page.Describe("magic").text));
  EXPECT_EQ(page.Number("reserved"), 0u);
  EXPECT_EQ(page.Bytes("log id"), LogIdBytes());
  EXPECT_STREQ(page.Bytes("boot id").c_str(), ReadKernelBoot().id.c_str());
  const std::uint64_t wakes = page.Number("futex");
  EXPECT_EQ(page.Number("the last sequence number"), 0u);
  ASSERT_OK(log_->Sync(2));
  EXPECT_GT(page.Number("futex"), wakes);
  EXPECT_EQ(page.Number("the last sequence number"), 2u);
}

// No byte is left out, none is described twice; the sizes are those that the code asserts.
TEST_F(TailFormat, FieldsFollowEachOther) {
  for (const auto& [heading, size] :
       {std::pair("## The tail", 48u), std::pair("### The copy", 4096u), std::pair("### tail-shm", 88u)}) {
    std::size_t end = 0;
    for (const Field& field : TableInFormatMd(heading)) {
      if (field.bytes == 0) continue;
      EXPECT_EQ(field.offset, end) << field.text;
      end = field.offset + field.bytes;
    }
    EXPECT_EQ(end, size) << heading;
  }
}

TEST(Format, SkipMarkAndRingSizesAreAsTheTextSays) {
  const std::string text = ReadFile(FOLDLOG_SOURCE_DIR "/schema/FORMAT.md");
  const std::string mark = BytesNamedIn(text.substr(text.find("a skip mark")));
  EXPECT_EQ(mark, std::string(reinterpret_cast<const char*>(&kSkipMark), sizeof kSkipMark));
  EXPECT_THAT(text, testing::HasSubstr("the ring: 64 KiB to 1 GiB, a multiple of"));
  EXPECT_EQ(kTailBytesMin, std::uint64_t{64} << 10);
  EXPECT_EQ(kTailBytesMax, std::uint64_t{1} << 30);
}

}  // namespace
}  // namespace foldlog
