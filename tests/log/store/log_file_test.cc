// The file log.mdb under every single damage on the way to its events: it is read right or reported, never wrong, never
// in part without a word, and nothing crashes: neither the reader nor LMDB, to which a writer then gives the file.

#include "engine/log/store/log_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <new>
#include <set>

#include "engine/log/store/lmdb/page.h"
#include "engine/log/store/store.h"
#include "tests/support/child_process.h"
#include "tests/support/file_bytes.h"
#include "tests/support/test_support.h"

namespace foldlog {
namespace {

using lmdb_file::LoadU64;
using u16 = std::uint16_t;
using u64 = std::uint64_t;

constexpr u64 kPageBytes = 4096;
constexpr Sequence kEvents = 330;

// A log of many batches, of which the last ones are longer than a page; snapshots; and a free list.
class Sample {
 public:
  Sample() : path_(directory_ / "log.mdb") {
    EXPECT_OK(Store::Create(directory_.path(), LogId{7}));
    auto store = Store::Open(*LogFile::Open(path_, "log"), "log");
    EXPECT_OK(store);
    ChainEnd end = ToExtent(*(*store)->file().ReadCommit()).end;
    hashes_.push_back(end.hash);
    while (end.sequence < kEvents) {
      const std::string path(end.sequence + 3 > kEvents ? 9000 : 3, 'p');
      FrameRun run{.words = {}, .before = end, .after = end};
      EXPECT_OK(AppendFrame({5, 1, Checkpoint{.files_processed = 1, .current_path = RandomPath(path.size())}}, run));
      end = run.after;
      hashes_.push_back(end.hash);
      const Snapshot snapshot{end, std::vector<u64>(20, end.sequence)};
      const auto snapshots = std::span(&snapshot, end.sequence % 20 == 0 ? 1 : 0);
      EXPECT_OK((*store)->Append({SpanOf(run), 0, snapshots}));
    }
    store->reset();
    bytes_ = ReadFile(path_);
  }

  const std::string& path() const { return path_; }
  const std::string& bytes() const { return bytes_; }
  const std::vector<u64>& hashes() const { return hashes_; }
  u64 pages() const { return bytes_.size() / kPageBytes; }
  void Restore() const { WriteFile(path_, bytes_); }

 private:
  std::string RandomPath(std::size_t size) {
    std::string path(size, '\0');
    for (char& byte : path) byte = static_cast<char>('a' + random_() % 26);
    return path;
  }

  std::mt19937_64 random_{1};
  TempDir directory_;
  const std::string path_;
  std::string bytes_;
  std::vector<u64> hashes_;  // of event n, at n
};

const Sample& TheSample() {
  static const Sample sample;
  return sample;
}

enum class Outcome { kRight, kReported, kWrong };

// Reads the events from `from` on, as many as `count`, and compares them with what was written.
Outcome ReadEvents(const LogFile& file, Sequence from, Sequence count) {
  const std::vector<u64>& hashes = TheSample().hashes();
  ChainEnd end{from - 1, hashes[from - 1]};
  while (end.sequence < from + count - 1) {
    const auto run = file.Read(end.sequence + 1, 1 << 16);
    if (!run.ok()) return absl::IsDataLoss(run.status()) ? Outcome::kReported : Outcome::kWrong;
    if (run->empty()) return Outcome::kWrong;  // fewer than there are
    for (std::span<const u64> rest = run->words; !rest.empty() && end.sequence < from + count - 1;) {
      const auto frame = FrameBehind(end, rest);
      if (!frame) return Outcome::kReported;  // as by FrameReader
      end = frame->end();
      if (end.hash != hashes[end.sequence]) return Outcome::kWrong;
      rest = rest.subspan(frame->size_words());
    }
  }
  return Outcome::kRight;
}

Outcome OpenAndRead(const std::vector<Sequence>& some) {
  const auto file = LogFile::Open(TheSample().path(), "log");
  if (!file.ok()) {  // another version is refused, and what is no log's file any more
    const bool refused = absl::IsDataLoss(file.status()) || absl::IsFailedPrecondition(file.status()) ||
                         absl::IsInvalidArgument(file.status());
    return refused ? Outcome::kReported : Outcome::kWrong;
  }
  const auto commit = (*file)->ReadCommit();
  if (!commit.ok()) return absl::IsDataLoss(commit.status()) ? Outcome::kReported : Outcome::kWrong;
  const absl::Status whole = (*file)->CheckNothingIsMissing(ToExtent(*commit).end);
  if (!whole.ok()) return absl::IsDataLoss(whole) ? Outcome::kReported : Outcome::kWrong;
  if (commit->end.sequence != kEvents) return Outcome::kWrong;
  if (!(*file)->FindSnapshot(kEvents).ok()) return Outcome::kWrong;
  Outcome worst = Outcome::kRight;
  for (const Sequence sequence : some) {
    const Outcome outcome = ReadEvents(**file, sequence, 1);
    if (outcome == Outcome::kWrong) return outcome;
    if (outcome == Outcome::kReported) worst = outcome;
  }
  return worst;
}

// The pages that lead to the events `some`, in both transactions: metas, main databases, records, events.
std::set<u64> PagesOnTheWay(const std::vector<Sequence>& some) {
  std::set<u64> pages = {0, 1};
  const std::string& bytes = TheSample().bytes();
  for (u64 page = 2; page < TheSample().pages(); ++page) {
    if (LoadU64(absl::string_view(bytes).substr(page * kPageBytes)) != page) continue;  // not the start of a run
    std::string changed = bytes.substr(page * kPageBytes, kPageBytes);
    const int fd = open(TheSample().path().c_str(), O_WRONLY | O_CLOEXEC);
    const std::string zeros(kPageBytes, '\0');
    EXPECT_EQ(pwrite(fd, zeros.data(), kPageBytes, static_cast<off_t>(page * kPageBytes)), 4096);
    if (OpenAndRead(some) != Outcome::kRight) pages.insert(page);
    EXPECT_EQ(pwrite(fd, changed.data(), kPageBytes, static_cast<off_t>(page * kPageBytes)), 4096);
    close(fd);
  }
  return pages;
}

// What a child that may crash has come to, for its parent.
struct Progress {
  u64 place;
  u64 value;
  u64 right;
  u64 reported;
};

// Runs `body` in a child that may crash, and says how it ended.
void ExpectNoHarm(const std::function<int(Progress&)>& body, Progress& result) {
  void* const shared = mmap(nullptr, sizeof(Progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(shared, MAP_FAILED);
  auto& progress = *new (shared) Progress{};
  const int status = InChild([&] {
    for (const int number : {SIGSEGV, SIGBUS, SIGFPE, SIGABRT}) std::signal(number, SIG_DFL);
    return body(progress);
  });
  EXPECT_EQ(status, 0) << "at " << progress.place << " (page " << progress.place / kPageBytes << ", offset "
                       << progress.place % kPageBytes << "), value " << progress.value;
  result = progress;
  munmap(shared, sizeof(Progress));
}

// All of them take ten minutes: FOLDLOG_TEST_STRIDE=1.
u64 Stride() {
  const char* given = getenv("FOLDLOG_TEST_STRIDE");
  return given != nullptr ? std::stoull(given) : 11;
}

// Every bit of the metas, and of all other pages on the way one in eleven, beginning anywhere.
TEST(LogFileDamage, AnyFlippedBitOnTheWayToAnEventIsHarmlessOrReported) {
  const std::vector<Sequence> some = {1, kEvents / 2, kEvents - 1, kEvents};
  ASSERT_EQ(OpenAndRead(some), Outcome::kRight);
  const std::set<u64> pages = PagesOnTheWay(some);
  ASSERT_GE(pages.size(), 8u);
  std::mt19937_64 random(TestSeed());
  const u64 first = random() % Stride();
  Progress result = {};
  ExpectNoHarm(
      [&](Progress& progress) {
        std::string bytes = TheSample().bytes();
        const int fd = open(TheSample().path().c_str(), O_WRONLY | O_CLOEXEC);
        for (const u64 page : pages) {
          const u64 meta_bits = page < 2 ? sizeof(lmdb_file::Meta) * 8 : 0;
          for (u64 bit = page < 2 ? 0 : first; bit < kPageBytes * 8; bit += bit < meta_bits ? 1 : Stride()) {
            progress.place = page * kPageBytes + bit / 8;
            progress.value = bit % 8;
            const char flipped = static_cast<char>(bytes[progress.place] ^ 1 << bit % 8);
            if (pwrite(fd, &flipped, 1, static_cast<off_t>(progress.place)) != 1) return 2;
            const Outcome outcome = OpenAndRead(some);
            if (pwrite(fd, &bytes[progress.place], 1, static_cast<off_t>(progress.place)) != 1) return 2;
            if (outcome == Outcome::kWrong) return 1;
            ++(outcome == Outcome::kRight ? progress.right : progress.reported);
          }
        }
        return 0;
      },
      result);
  std::cout << result.right << " flips are harmless, " << result.reported << " are reported\n";
  EXPECT_GT(result.reported, 500u);
  EXPECT_GT(result.right, 500u);
  EXPECT_EQ(OpenAndRead(some), Outcome::kRight);
}

// The older transaction would pass as the newest, with its own true commit record.
TEST(LogFileDamage, NumberOfTheNewestTransactionThatIsDamagedDoesNotHideItsEvents) {
  std::string bytes = TheSample().bytes();
  const u64 at = offsetof(lmdb_file::Meta, txn_id);
  const auto number = [&](u64 page) { return LoadU64(absl::string_view(bytes).substr(page * kPageBytes + at)); };
  const u64 newest = number(0) > number(1) ? 0 : 1;
  const u64 wrong = number(newest) - 2;
  std::memcpy(&bytes[newest * kPageBytes + at], &wrong, sizeof wrong);
  WriteFile(TheSample().path(), bytes);
  const auto file = LogFile::Open(TheSample().path(), "log");
  ASSERT_OK(file);
  const ChainEnd end = ToExtent(*(*file)->ReadCommit()).end;
  EXPECT_EQ(end.sequence, kEvents - 1);
  EXPECT_THAT((*file)->CheckNothingIsMissing(end),
              Fails(absl::StatusCode::kDataLoss, testing::HasSubstr("events 330 to 330 are missing")));
  EXPECT_OK((*file)->CheckNothingIsMissing({kEvents, 0}));  // if the tail still has them
  TheSample().Restore();
}

// ---- A writer

Outcome Complain(const absl::Status& status) {
  std::cerr << status << "\n";
  return Outcome::kWrong;
}

// One event more than there are. Right: it was stored, and all of them can be read or what cannot is reported.
Outcome AppendAndRead() {
  const std::string& path = TheSample().path();
  auto file = LogFile::Open(path, "log");
  if (!file.ok()) return Outcome::kReported;
  const auto store = Store::Open(*std::move(file), "log");
  if (!store.ok()) return absl::IsDataLoss(store.status()) ? Outcome::kReported : Outcome::kWrong;
  const auto found = (*store)->file().ReadCommit();
  if (!found.ok() || !(*store)->file().CheckNothingIsMissing(ToExtent(*found).end).ok()) return Outcome::kReported;
  for (int i = 0; i < 2; ++i) {
    const auto commit = (*store)->file().ReadCommit();
    if (!commit.ok()) return Outcome::kReported;
    const ChainEnd end = ToExtent(*commit).end;
    const FrameRun run = RunAfter(end, {CheckpointEvent(1)});
    const Snapshot snapshot{run.after, std::vector<u64>(20, 1)};
    const absl::Status stored = (*store)->Append({SpanOf(run), 0, std::span(&snapshot, 1)});
    if (absl::IsDataLoss(stored) && i == 0) return Outcome::kReported;
    if (!stored.ok()) return Complain(stored);
  }
  const auto commit = (*store)->file().ReadCommit();
  if (!commit.ok() || commit->end.sequence != kEvents + 2) return Complain(commit.status());
  const auto last = (*store)->file().Read(kEvents + 1, 1 << 20);
  if (!last.ok() || last->count() != 2) return Complain(last.status());
  return ReadEvents((*store)->file(), 1, kEvents) == Outcome::kWrong ? Outcome::kWrong : Outcome::kRight;
}

// The places of LMDB's own fields: of metas, page headers, node pointers, nodes, keys, records of tables, free lists.
std::vector<u64> FieldPlaces() {
  const std::string& bytes = TheSample().bytes();
  const auto word16 = [&](u64 at) { return static_cast<u16>(LoadU64(absl::string_view(bytes).substr(at))); };
  std::vector<u64> places;
  const auto add = [&](u64 begin, u64 end, u64 step) {
    for (u64 at = begin; at < end; at += step) places.push_back(at);
  };
  for (const u64 meta : {u64{0}, kPageBytes}) add(meta, meta + sizeof(lmdb_file::Meta), 2);
  for (u64 page = 2 * kPageBytes; page < bytes.size(); page += kPageBytes) {
    const u16 flags = word16(page + 10);
    if (LoadU64(absl::string_view(bytes).substr(page)) != page / kPageBytes || flags == 0 || flags > 4) continue;
    add(page, page + 16, 2);
    if (flags == 4) continue;
    const u64 nodes = (word16(page + 12) - 16U) / 2;
    for (const u64 index : {u64{0}, u64{1}, nodes / 2, nodes - 1}) {
      if (index >= nodes) continue;
      add(page + 16 + 2 * index, page + 18 + 2 * index, 2);
      const u64 node = page + word16(page + 16 + 2 * index);
      const bool is_record = bytes.substr(node + 8, 12).find_first_of("emsn") == 0;  // of a table: its fields, too
      add(node, std::min(node + (is_record ? 64 : 32), page + kPageBytes - 2), is_record ? 2 : 4);
    }
  }
  return places;
}

// A writer checks all before it lets LMDB touch the file: whatever stands in whichever field, in whichever page.
TEST(LogFileDamage, AnyFieldOfAnyPageIsRefusedOrRepairedBeforeLmdbComesToIt) {
  const std::vector<u64> places = FieldPlaces();
  ASSERT_GT(places.size(), 500u);
  std::mt19937_64 random(TestSeed());
  const u64 last_page = TheSample().pages() - 1;
  const std::vector<u64> values = {0, 1, 2, 3, 8, 16, last_page, last_page + 1, 4095, 0xffff};
  const u64 stride = Stride() == 1 ? 1 : 5;
  Progress result = {};
  ExpectNoHarm(
      [&](Progress& progress) {
        for (u64 i = random() % stride; i < places.size() * values.size(); i += stride) {
          progress.place = places[i / values.size()];
          progress.value = values[i % values.size()];
          std::string bytes = TheSample().bytes();
          std::memcpy(&bytes[progress.place], &progress.value, 2);
          WriteFile(TheSample().path(), bytes);
          const Outcome outcome = AppendAndRead();
          if (outcome == Outcome::kWrong) return 1;
          ++(outcome == Outcome::kRight ? progress.right : progress.reported);
        }
        return 0;
      },
      result);
  std::cout << result.right << " changes are harmless or repaired, " << result.reported << " are reported\n";
  EXPECT_GT(result.reported, 100u);
  EXPECT_GT(result.right, 100u);
  TheSample().Restore();
}

}  // namespace
}  // namespace foldlog
