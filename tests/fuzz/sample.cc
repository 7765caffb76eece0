#include "tests/fuzz/sample.h"

#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <random>
#include <utility>

#include "engine/codec/frame.h"
#include "engine/codec/state_codec.h"
#include "engine/log/store/records.h"
#include "foldlog/event_index.h"
#include "foldlog/log_directory.h"
#include "foldlog/state.h"
#include "tests/fuzz/frames.h"
#include "tests/fuzz/target.h"
#include "tests/support/random_log.h"

namespace foldlog::fuzz {
namespace {

constexpr int kSessions = 6;
constexpr std::size_t kEventsASession = 40;

std::string ReadBytes(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::map<std::string, std::string> ReadFiles(const std::string& directory) {
  std::map<std::string, std::string> files;
  for (const char* name : {"log.mdb", "tail", "snapshots"}) files[name] = ReadBytes(directory + "/" + name);
  // The time of creation is the one thing in them that differs from run to run.
  std::string& store = files["log.mdb"];
  const std::uint64_t magic = kFormatMagic;
  const std::string begin(reinterpret_cast<const char*>(&magic), sizeof magic);
  for (std::size_t at = store.find(begin); at != std::string::npos; at = store.find(begin, at + 1)) {
    if (at + sizeof(FormatRecord) <= store.size()) std::memset(&store[at + offsetof(FormatRecord, created_at)], 0, 8);
  }
  return files;
}

// What a log is made of, session by session: closing one drains its events in one transaction, so that the batches are
// the same in each run.
class Maker {
 public:
  Sample Make() {
    const std::string directory = ScratchDirectory() + "/sample";
    for (int session = 0; session < kSessions; ++session) {
      WritableLog made = Open(directory);
      sample_.rows.batches = made.log->ReadIndex(IndexTable::kBatches, 0, EventLog::IndexOrder::kRising, 100).value();
      sample_.rows.operations =
          made.log->ReadIndex(IndexTable::kOperations, 0, EventLog::IndexOrder::kRising, 100).value();
      Append(*made.log);
      sample_.older = std::exchange(sample_.files, ReadFiles(directory));
      Require(made.log->Close().ok(), "the sample log can be closed");
    }
    std::filesystem::remove_all(directory);
    return std::move(sample_);
  }

 private:
  static WritableLog Open(const std::string& directory) {
    LogDirectoryOptions options{.tail_bytes = std::uint64_t{64} << 10, .log_id = kSampleId};
    options.indexer = NewEventIndexer();
    auto opened = OpenLogForWriting(directory, options);
    Require(opened.ok(), "the sample log can be opened");
    return *std::move(opened);
  }

  void Append(EventLog& log) {
    FrameRun run{.words = {}, .before = end_, .after = end_};
    for (const Event& event : events_.Next(kEventsASession)) {
      Require(AppendFrame(event, run).ok(), "events of the sample can be framed");
      sample_.events.push_back(event);
    }
    Require(log.Append(run, Space::kUnreserved).ok() && log.Sync(run.after.sequence).ok(), "a run can be appended");
    end_ = run.after;
    sample_.run.words.insert(sample_.run.words.end(), run.words.begin(), run.words.end());
    sample_.run.after = end_;
    std::vector<std::uint64_t> words;
    Require(EncodeState(events_.state(), words).ok(), "a state can be encoded");
    Require(log.PutSnapshot({end_, words}).ok(), "a snapshot can be put");
    sample_.states.push_back(BytesOf(words));
  }

  std::mt19937_64 random_{1};
  RandomLog events_{random_, /*one_misfit_in=*/0};
  ChainEnd end_ = kStart;
  Sample sample_{.run = {.words = {}, .before = kStart, .after = kStart}};
};

struct Scratch {
  Scratch() {
    path = std::filesystem::is_directory("/dev/shm") ? "/dev/shm/foldlog_fuzz_XXXXXX" : "foldlog_fuzz_XXXXXX";
    Require(mkdtemp(path.data()) != nullptr, "a directory can be made");
  }
  ~Scratch() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  std::string path;
};

}  // namespace

const Sample& TheSample() {
  static const Sample sample = Maker().Make();
  return sample;
}

const std::vector<std::uint64_t>& TrueHashes() {
  static const std::vector<std::uint64_t> hashes = [] {
    std::vector<std::uint64_t> made;
    const std::vector<std::uint64_t>& words = TheSample().run.words;
    for (std::size_t at = 0; at < words.size();) {
      const FrameView frame = *FrameAtStartOf(std::span(words).subspan(at));
      made.push_back(frame.header.hash);
      at += frame.size_words();
    }
    return made;
  }();
  return hashes;
}

const std::string& ScratchDirectory() {
  static const Scratch scratch;
  return scratch.path;
}

void WriteBytes(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc)
      .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

}  // namespace foldlog::fuzz
