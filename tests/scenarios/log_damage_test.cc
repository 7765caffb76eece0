// Logs whose LMDB file is sound but whose content is not: each kind of damage is made through LMDB itself, and found.

#include <lmdb.h>

#include <cstring>
#include <fstream>
#include <functional>
#include <random>

#include "engine/codec/event_codec.h"
#include "engine/log/store/batch.h"
#include "engine/log/store/lmdb/env.h"
#include "engine/log/store/lmdb/map_bytes.h"
#include "engine/log/store/log_file.h"
#include "engine/log/store/records.h"
#include "engine/log/store/store.h"
#include "foldlog/log_directory.h"
#include "foldlog/replayer.h"
#include "foldlog/scan.h"
#include "tests/support/file_bytes.h"
#include "tests/support/test_support.h"

namespace foldlog {
namespace {

using absl::StatusCode;
using testing::HasSubstr;

class LogDamageTest : public testing::Test {
 protected:
  // Closed after each event, so that each is a batch of its own.
  LogDamageTest() : log_dir_(directory_ / "log") {
    for (int i = 0; i < 6; ++i) {
      auto engine = Engine::Open(log_dir_, {.directory = SmallTail(), .snapshot_interval_events = 2});
      EXPECT_OK(engine);
      EXPECT_OK(i == 0 ? (*engine)->Start({}).status()
                       : (*engine)->Checkpoint(*(*engine)->current_handle(), {.files_processed = i}));
      EXPECT_OK((*engine)->Close());
    }
  }

  // Opens the file with LMDB alone, changes a table, and writes the commit record as an honest writer would, unless
  // told otherwise.
  void Tamper(const char* table, const std::function<void(MDB_txn*, MDB_dbi)>& change, bool honest = true) {
    MDB_env* env = nullptr;
    ASSERT_EQ(mdb_env_create(&env), 0);
    ASSERT_EQ(mdb_env_set_mapsize(env, kMapBytes), 0);
    ASSERT_EQ(mdb_env_set_maxdbs(env, 8), 0);
    ASSERT_EQ(mdb_env_open(env, (log_dir_ + "/log.mdb").c_str(), MDB_NOSUBDIR | MDB_NOTLS, 0666), 0);
    MDB_txn* txn = nullptr;
    MDB_dbi dbi = 0;
    MDB_dbi meta = 0;
    ASSERT_EQ(mdb_txn_begin(env, nullptr, 0, &txn), 0);
    ASSERT_EQ(mdb_dbi_open(txn, table, MDB_INTEGERKEY, &dbi), 0);
    ASSERT_EQ(mdb_dbi_open(txn, "meta", MDB_INTEGERKEY, &meta), 0);
    change(txn, dbi);
    if (honest) {
      Edit<CommitRecord>(txn, meta, kCommitKey, [&](CommitRecord& commit) {
        commit.txn_id = mdb_txn_id(txn);
        commit.hash = HashOf(commit);
      });
    }
    ASSERT_EQ(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
  }

  static std::vector<std::uint64_t> Get(MDB_txn* txn, MDB_dbi dbi, std::uint64_t key) {
    MDB_val key_val = ToVal(&key, sizeof key);
    MDB_val value = {};
    EXPECT_EQ(mdb_get(txn, dbi, &key_val, &value), 0);
    std::vector<std::uint64_t> words(value.mv_size / sizeof(std::uint64_t));
    std::memcpy(words.data(), value.mv_data, value.mv_size);
    return words;
  }

  static void Put(MDB_txn* txn, MDB_dbi dbi, std::uint64_t key, const std::vector<std::uint64_t>& words) {
    MDB_val key_val = ToVal(&key, sizeof key);
    MDB_val value = ToVal(words.data(), words.size() * sizeof(std::uint64_t));
    EXPECT_EQ(mdb_put(txn, dbi, &key_val, &value, 0), 0);
  }

  template <typename Record>
  static void Edit(MDB_txn* txn, MDB_dbi dbi, std::uint64_t key, const std::function<void(Record&)>& edit) {
    std::vector<std::uint64_t> words = Get(txn, dbi, key);
    Record record;
    std::memcpy(static_cast<void*>(&record), words.data(), sizeof record);
    edit(record);
    std::memcpy(words.data(), &record, sizeof record);
    Put(txn, dbi, key, words);
  }

  absl::Status Opened() { return OpenLogForReading(log_dir_).status(); }
  absl::Status Read() {
    const auto log = OpenLogForReading(log_dir_);
    return log.ok() ? ForEachEvent(**log, {}, [](const EventView&) { return absl::OkStatus(); }) : log.status();
  }

  TempDir directory_;
  const std::string log_dir_;
};

TEST_F(LogDamageTest, HonestChangeOfNothingIsAccepted) {
  Tamper("meta", [](MDB_txn*, MDB_dbi) {});
  EXPECT_OK(Read());
}

TEST_F(LogDamageTest, TransactionWithoutItsCommitRecordIsALostOrTornCommit) {
  Tamper(
      "meta", [](MDB_txn* txn, MDB_dbi meta) { Put(txn, meta, 99, {1}); }, /*honest=*/false);
  EXPECT_THAT(Opened(), Fails(StatusCode::kDataLoss, HasSubstr("a commit was lost or torn")));
  EXPECT_THAT(OpenLogForWriting(log_dir_), Fails(StatusCode::kDataLoss, testing::_));
}

TEST_F(LogDamageTest, MissingBatchIsALostCommit) {
  Tamper("events", [](MDB_txn* txn, MDB_dbi events) {
    std::uint64_t key = 3;
    MDB_val key_val = ToVal(&key, sizeof key);
    EXPECT_EQ(mdb_del(txn, events, &key_val, nullptr), 0);
  });
  EXPECT_THAT(Opened(), Fails(StatusCode::kDataLoss, HasSubstr("6 batches")));
}

// A plausible number in the wrong place, as of the tail: nothing else would tell.
TEST_F(LogDamageTest, CommitRecordWhoseHashDoesNotMatchIsDamage) {
  Tamper(
      "meta",
      [](MDB_txn* txn, MDB_dbi meta) {
        Edit<CommitRecord>(txn, meta, kCommitKey, [&](CommitRecord& commit) {
          commit.txn_id = mdb_txn_id(txn);
          ++commit.tail_position;
        });
      },
      /*honest=*/false);
  EXPECT_THAT(Opened(), Fails(StatusCode::kDataLoss, HasSubstr("commit record does not match its hash")));
  EXPECT_THAT(OpenLogForWriting(log_dir_), Fails(StatusCode::kDataLoss, testing::_));
}

TEST_F(LogDamageTest, NewerFormatIsRefusedByItsVersion) {
  Tamper("meta", [](MDB_txn* txn, MDB_dbi meta) {
    Edit<FormatRecord>(txn, meta, kFormatKey, [](FormatRecord& format) { format.version = kFormatVersion + 1; });
  });
  EXPECT_THAT(Opened(), Fails(StatusCode::kFailedPrecondition, testing::AllOf(HasSubstr("newer foldlog"))));
}

TEST_F(LogDamageTest, OlderFormatIsRefusedByItsVersion) {
  Tamper("meta", [](MDB_txn* txn, MDB_dbi meta) {
    Edit<FormatRecord>(txn, meta, kFormatKey, [](FormatRecord& format) { format.version = kFormatVersion - 1; });
  });
  EXPECT_THAT(Opened(), Fails(StatusCode::kFailedPrecondition, testing::AllOf(HasSubstr("older foldlog"))));
}

TEST_F(LogDamageTest, MissingFormatRecordIsDamage) {
  Tamper("meta", [](MDB_txn* txn, MDB_dbi meta) { Put(txn, meta, kFormatKey, {1, 2, 3}); });
  EXPECT_THAT(Opened(), Fails(StatusCode::kDataLoss, HasSubstr("record 1 is too short")));
}

// A position counts words and never wraps, so that one near the end of the numbers is none. The ring here has a size
// that divides no power of two.
TEST_F(LogDamageTest, AnyTailPositionIsRefusedOrHarmless) {
  std::filesystem::remove_all(log_dir_);
  EngineOptions options{.directory = {.tail_bytes = std::uint64_t{68} << 10}};
  {
    ASSERT_OK_AND_ASSIGN(auto engine, Engine::Open(log_dir_, options));
    ASSERT_OK(engine->Start({}));
  }
  std::mt19937_64 random(TestSeed());
  std::vector<std::uint64_t> positions = {0, 8703, 8704, 1ULL << 61, (1ULL << 62) + 1, ~0ULL, ~0ULL - 3, ~0ULL - 9000};
  for (int i = 0; i < 10; ++i) positions.push_back(random());
  for (const std::uint64_t position : positions) {
    SCOPED_TRACE(position);
    Tamper("meta", [&](MDB_txn* txn, MDB_dbi meta) {
      Edit<CommitRecord>(txn, meta, kCommitKey, [&](CommitRecord& commit) { commit.tail_position = position; });
    });
    auto engine = Engine::Open(log_dir_, options);
    if (position > 1ULL << 62) {
      EXPECT_THAT(engine, Fails(StatusCode::kDataLoss, HasSubstr("place in the tail")));
      EXPECT_THAT(Read(), Fails(StatusCode::kDataLoss, HasSubstr("place in the tail")));
      continue;
    }
    ASSERT_OK(engine);
    const Sequence before = (*engine)->state().sequence;
    const OperationHandle handle = *(*engine)->current_handle();
    for (int i = 0; i < 1000; ++i) ASSERT_OK((*engine)->Checkpoint(handle, {.files_processed = i}));
    EXPECT_EQ(ReadAll((*engine)->log()).size(), before + 1000);
    EXPECT_OK((*engine)->Close());
    EXPECT_OK(Read());
  }
}

// Whether it is somebody else's file or a log's that was overwritten, the tail beside it tells.
TEST_F(LogDamageTest, FileThatIsNoLogsIsDamageBesideATailAndRefusedWithoutOne) {
  Tamper("events", [](MDB_txn* txn, MDB_dbi events) { EXPECT_EQ(mdb_drop(txn, events, 1), 0); });
  const std::string path = log_dir_ + "/log.mdb";
  const std::string without_events = ReadFile(path);
  for (const std::string& bytes : {without_events, std::string(without_events.size(), '\0'), std::string(9000, 'x')}) {
    WriteFile(path, bytes);
    EXPECT_THAT(Opened(), Fails(StatusCode::kDataLoss, HasSubstr("overwritten")));
    EXPECT_THAT(OpenLogForWriting(log_dir_), Fails(StatusCode::kDataLoss, HasSubstr("overwritten")));
  }
  std::filesystem::remove(log_dir_ + "/tail");
  EXPECT_THAT(Opened(), Fails(StatusCode::kFailedPrecondition, HasSubstr("not an LMDB file")));
  WriteFile(path, without_events);
  EXPECT_THAT(Opened(), Fails(StatusCode::kFailedPrecondition, HasSubstr("not of a foldlog log")));
}

TEST_F(LogDamageTest, DamageInTheNameOfATableIsDamage) {
  const std::string path = log_dir_ + "/log.mdb";
  const std::string sound = ReadFile(path);
  for (const std::string name : {"events", "meta", "snapshots"}) {
    std::string bytes = sound;
    for (std::size_t at = bytes.find(name); at != std::string::npos; at = bytes.find(name, at + 1)) bytes[at] ^= 1;
    WriteFile(path, bytes);
    if (name == "snapshots") {
      EXPECT_OK(Read());
      continue;
    }
    EXPECT_THAT(Opened(), Fails(StatusCode::kDataLoss, testing::_)) << name;
  }
}

TEST_F(LogDamageTest, ChangedEventIsFound) {
  Tamper("events", [](MDB_txn* txn, MDB_dbi events) {
    BatchCodec codec;
    const auto packed = Get(txn, events, 3);
    const auto frames = *codec.Unpack(packed);
    std::vector<std::uint64_t> words(frames.begin(), frames.end());
    words.back() ^= 1;
    Put(txn, events, 3, words);
  });
  EXPECT_THAT(Read(), Fails(StatusCode::kDataLoss, testing::AllOf(HasSubstr("event 3"), HasSubstr("its hash"))));
}

TEST_F(LogDamageTest, PackedBatchThatIsDamagedIsFound) {
  std::mt19937_64 random(TestSeed());
  std::vector<std::uint64_t> sound;
  Tamper("events", [&](MDB_txn* txn, MDB_dbi events) { sound = Get(txn, events, 3); });
  ASSERT_EQ(static_cast<std::uint32_t>(sound[0]), 0x5a474c46u) << "packed";
  int harmless = 0;  // a copy from another place that holds the same bytes
  for (int round = 0; round < 60; ++round) {
    std::vector<std::uint64_t> words = sound;
    // Not the zeros behind the block, nor the reserved word: nothing is read from there.
    const std::size_t block_end = 16 + static_cast<std::uint32_t>(sound[1]);
    const std::size_t byte = random() % block_end;
    if (byte >= 12 && byte < 16) continue;
    words[byte / 8] ^= (1 + random() % 255) << byte % 8 * 8;
    Tamper("events", [&](MDB_txn* txn, MDB_dbi events) { Put(txn, events, 3, words); });
    const absl::Status found = Read();
    harmless += found.ok() ? 1 : 0;
    if (!found.ok()) {
      EXPECT_THAT(found, Fails(StatusCode::kDataLoss, HasSubstr("event 3"))) << "byte " << byte;
    }
  }
  EXPECT_LT(harmless, 20);
}

TEST_F(LogDamageTest, EventFromElsewhereBreaksTheChain) {
  Tamper("events", [](MDB_txn* txn, MDB_dbi events) {
    FrameRun forged{.words = {}, .before = {2, 12345}, .after = {2, 12345}};
    EXPECT_OK(AppendFrame(CheckpointEvent(2), forged));
    Put(txn, events, 3, forged.words);
  });
  EXPECT_THAT(Read(), Fails(StatusCode::kDataLoss, testing::AllOf(HasSubstr("event 3"), HasSubstr("chain is broken"))));
}

TEST_F(LogDamageTest, BatchWithoutFramesIsFound) {
  Tamper("events", [](MDB_txn* txn, MDB_dbi events) { Put(txn, events, 3, {0, 0, 0, 0, 0}); });
  EXPECT_THAT(Read(), Fails(StatusCode::kDataLoss, testing::AllOf(HasSubstr("event 3"), HasSubstr("magic"))));
}

TEST_F(LogDamageTest, LastEventMissingInItsBatchIsFound) {
  Tamper("events", [](MDB_txn* txn, MDB_dbi events) { Put(txn, events, 6, Get(txn, events, 5)); });
  EXPECT_THAT(Read(), Fails(StatusCode::kDataLoss, testing::AllOf(HasSubstr("event 6"), HasSubstr("missing"))));
}

// Opening a log does not walk all of it. Damage far back is found by whoever comes to it, and by a writer before it
// writes.
TEST_F(LogDamageTest, DamageFarBackIsFoundWhenItIsReadAndBeforeAnythingIsWritten) {
  const std::string path = log_dir_ + "/log.mdb";
  constexpr Sequence kEvents = 600;
  const auto open = [&] { return Store::Open(*LogFile::Open(path, log_dir_), log_dir_); };
  ChainEnd end;
  const auto append = [&](Store& store) {
    const FrameRun run = RunAfter(end, {CheckpointEvent(1)});
    const absl::Status status = store.Append({SpanOf(run), 0, {}});
    if (status.ok()) end = run.after;
    return status;
  };
  {
    ASSERT_OK_AND_ASSIGN(const auto store, open());
    end = ToExtent(*store->file().ReadCommit()).end;
    while (end.sequence < kEvents) ASSERT_OK(append(*store));
  }
  // A leaf that begins with an early event is made to be no leaf.
  std::string bytes = ReadFile(path);
  std::uint64_t key = 0;
  for (std::size_t page = 2 * 4096; page < bytes.size() && key == 0; page += 4096) {
    std::uint16_t flags = 0;
    std::uint16_t node = 0;
    std::memcpy(&flags, &bytes[page + 10], sizeof flags);
    std::memcpy(&node, &bytes[page + 16], sizeof node);
    if (flags != 2 || node > 4096 - 16) continue;
    std::memcpy(&key, &bytes[page + node + 8], sizeof key);
    if (key > 2 && key < kEvents / 2) {
      bytes[page + 10] = 0;
    } else {
      key = 0;
    }
  }
  ASSERT_NE(key, 0u);
  WriteFile(path, bytes);

  ASSERT_OK_AND_ASSIGN(const auto store, open());
  EXPECT_OK(store->file().Read(kEvents, 1));
  const auto found = Fails(StatusCode::kDataLoss, HasSubstr("table events"));
  EXPECT_THAT(store->file().Read(key, 1), found);
  EXPECT_THAT(append(*store), found);
  EXPECT_EQ(ReadFile(path), bytes);
  EXPECT_OK(store->file().Read(kEvents, 1));
}

TEST_F(LogDamageTest, DamagedSnapshotsArePassedOver) {
  ASSERT_OK_AND_ASSIGN(auto before, OpenLogForReading(log_dir_));
  ASSERT_OK_AND_ASSIGN(const State state, StateAt(*before));
  ASSERT_TRUE(before->FindSnapshot(6)->has_value());
  before.reset();
  Tamper("snapshots", [](MDB_txn* txn, MDB_dbi snapshots) {
    for (const std::uint64_t key : {2, 4, 6}) {
      auto words = Get(txn, snapshots, key);
      words[3] ^= 1;
      Put(txn, snapshots, key, words);
    }
  });
  std::ofstream(log_dir_ + "/snapshots") << std::string(100'000, 'x');
  ASSERT_OK_AND_ASSIGN(const auto log, OpenLogForReading(log_dir_));
  ASSERT_OK_AND_ASSIGN(const auto snapshot, log->FindSnapshot(6));
  EXPECT_FALSE(snapshot.has_value());
  EXPECT_EQ(*StateAt(*log), state);
}

// What a newer program may write into fields that this one knows.
TEST(NewerValues, AreRefusedAndNeverGuessed) {
  const auto refused = Fails(StatusCode::kUnimplemented, HasSubstr("newer foldlog"));
  const auto decoded = [](const Event& event) {
    std::vector<std::uint64_t> words;
    EXPECT_OK(EncodeEvent(event, words));
    return DecodeEvent(words).status();
  };
  EXPECT_THAT(decoded({1, 1, Started{.type = static_cast<OperationType>(9)}}), refused);
  EXPECT_OK(decoded({1, 1, Started{.type = OperationType::kRecovery}}));
  EXPECT_THAT(decoded({1, 1, Recovered{.evidence = static_cast<Evidence>(9)}}), refused);
  EXPECT_OK(decoded({1, 1, Recovered{.evidence = Evidence::kForced}}));
}

}  // namespace
}  // namespace foldlog
