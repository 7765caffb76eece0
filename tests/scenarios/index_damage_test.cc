// Whatever is wrong with a log's index, answers are those of its events.

#include <cstddef>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "foldlog/event_index.h"
#include "foldlog/event_query.h"
#include "foldlog/history.h"
#include "foldlog/log_directory.h"
#include "foldlog/replayer.h"
#include "foldlog/single_row.h"
#include "tests/support/lmdb_image.h"
#include "tests/support/log_directory_fixture.h"
#include "tests/support/random_driver.h"
#include "tests/support/test_support.h"

namespace foldlog {
namespace {

// What people ask a log.
struct Answers {
  std::vector<HistoryEntry> history;
  std::vector<QueriedEvent> failed;
  std::vector<QueriedEvent> window;
  std::optional<SingleRow> row;
  bool operator==(const Answers&) const = default;
};

class IndexDamageTest : public LogDirectoryFixture {
 protected:
  IndexDamageTest() : random_(TestSeed()) {}

  void MakeRandomLog() {
    EngineOptions options = SmallTailOptions();
    options.clock = [this] { return Moment(now_ += static_cast<TimeNs>(random_() % 3'000'000'000)); };
    ASSERT_OK_AND_ASSIGN(auto engine, Engine::Open(log_dir_, std::move(options)));
    RandomDriver driver(*engine, random_);
    for (int i = 0; i < 1500; ++i) driver.Step();
    ASSERT_OK(engine->Close());
    middle_ = (now_ + kBegin) / 2;
  }

  static absl::StatusOr<std::vector<QueriedEvent>> All(const EventLog& log, const EventFilter& filter) {
    absl::StatusOr<EventQuery> query = EventQuery::Over(log, filter, Order::kNewestFirst);
    if (!query.ok()) return query.status();
    std::vector<QueriedEvent> events;
    while (true) {
      auto event = query->Next();
      if (!event.ok()) return event.status();
      if (!*event) return events;
      events.push_back(**std::move(event));
    }
  }

  absl::StatusOr<Answers> Ask() const {
    const auto log = OpenLogForReading(log_dir_);
    if (!log.ok()) return log.status();
    auto history = ReadHistory(**log);
    if (!history.ok()) return history.status();
    auto failed = All(**log, {.kinds = {KindOf<Failed>}});
    if (!failed.ok()) return failed.status();
    auto window = All(**log, {.since = middle_, .until = middle_ + 60'000'000'000});
    if (!window.ok()) return window.status();
    const auto state = StateAt(**log);
    if (!state.ok()) return state.status();
    auto row = ProjectSingleRow(**log, *state);
    if (!row.ok()) return row.status();
    return Answers{*std::move(history), *std::move(failed), *std::move(window), *std::move(row)};
  }

  // The pages of the table: its root, and what is below it.
  static std::vector<u64> PagesOf(const Image& image, std::string_view table) {
    const u64 tree = image.Table(table);
    std::vector<u64> pages = {image.Root(tree)};
    if (image.Get<lmdb_file::Tree>(tree).depth > 1) {
      const u64 children = (image.Get<u16>(pages[0] + kLower) - Image::kPointers) / 2;
      for (u64 i = 0; i < children; ++i) pages.push_back(image.Child(pages[0], i));
    }
    return pages;
  }

  std::string path() const { return log_dir_ + "/log.mdb"; }

  static constexpr TimeNs kBegin = 1'767'323'045'000'000'000;
  std::mt19937_64 random_;
  TimeNs now_ = kBegin;
  TimeNs middle_ = 0;
};

TEST_F(IndexDamageTest, RowsWithAnyByteChangedGiveNoWrongAnswer) {
  MakeRandomLog();
  ASSERT_OK_AND_ASSIGN(const Answers truth, Ask());
  const Image image(ReadFile(path()));
  std::fstream file(path(), std::ios::in | std::ios::out | std::ios::binary);
  for (const std::string_view table : {"batches", "operations"}) {
    for (const u64 page : PagesOf(image, table)) {
      for (u64 offset = page + random_() % 16; offset < page + kPageBytes; offset += 1 + random_() % 127) {
        const char was = image.bytes[offset];
        const char changed = static_cast<char>(was ^ static_cast<char>(1 << random_() % 8));
        file.seekp(static_cast<std::streamoff>(offset)).put(changed).flush();
        ASSERT_OK_AND_ASSIGN(const Answers answers, Ask());
        ASSERT_TRUE(answers == truth) << table << ", byte " << offset;
        file.seekp(static_cast<std::streamoff>(offset)).put(was).flush();
      }
    }
  }
}

TEST_F(IndexDamageTest, WriterEmptiesADamagedTableAndReindexFillsItAgain) {
  MakeRandomLog();
  ASSERT_OK_AND_ASSIGN(const Answers truth, Ask());
  for (const std::string_view table : {"batches", "operations"}) {
    Image image(ReadFile(path()));
    image.Set<u16>(image.Root(image.Table(table)) + kFlags, 0x77);
    WriteFile(path(), image.bytes);
    ASSERT_OK_AND_ASSIGN(const Answers answers, Ask());
    ASSERT_TRUE(answers == truth) << table;
    ASSERT_OK(Reindex(log_dir_));
    ASSERT_OK_AND_ASSIGN(const Answers anew, Ask());
    ASSERT_TRUE(anew == truth) << table;
  }
}

// Pages that are sound in themselves.
TEST_F(IndexDamageTest, PagesInEachOthersPlaceGiveNoWrongAnswer) {
  MakeRandomLog();
  ASSERT_OK_AND_ASSIGN(const Answers truth, Ask());
  const Image image(ReadFile(path()));
  for (const std::string_view table : {"batches", "operations"}) {
    const std::vector<u64> pages = PagesOf(image, table);
    if (pages.size() < 3) continue;
    // Two pages of the table change places, each with its number.
    Image swapped = image;
    swapped.bytes.replace(pages[1] + 8, kPageBytes - 8, image.bytes, pages[2] + 8, kPageBytes - 8);
    swapped.bytes.replace(pages[2] + 8, kPageBytes - 8, image.bytes, pages[1] + 8, kPageBytes - 8);
    WriteFile(path(), swapped.bytes);
    ASSERT_OK_AND_ASSIGN(const Answers answers, Ask());
    EXPECT_TRUE(answers == truth) << table;
  }
}

}  // namespace
}  // namespace foldlog
