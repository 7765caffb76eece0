// A small log whose files are damaged, and what salvage gets back of it.

#ifndef FOLDLOG_TESTS_SUPPORT_SALVAGE_FIXTURE_H_
#define FOLDLOG_TESTS_SUPPORT_SALVAGE_FIXTURE_H_

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "foldlog/engine.h"
#include "foldlog/event_reader.h"
#include "foldlog/log_directory.h"
#include "foldlog/salvage.h"
#include "foldlog/verify.h"
#include "tests/support/verify_fixture.h"

namespace foldlog {

class SalvageTest : public VerifyTest {
 protected:
  std::string new_dir() const { return log_dir_ + ".new"; }
  std::string tail() const { return log_dir_ + "/tail"; }

  // Some operations in several transactions.
  void MakeStored() { StoreOperations(SmallTailOptions()); }

  // More events, in the tail alone; the first of them are durable.
  void AddToTail(int events = 60) {
    ASSERT_OK_AND_ASSIGN(engine_, Engine::Open(log_dir_, SmallTailOptions()));
    ASSERT_OK_AND_ASSIGN(const OperationHandle handle, engine_->Start({}));
    for (int i = 1; i <= events; ++i) {
      ASSERT_OK(engine_->Checkpoint(handle, {.files_processed = i, .current_path = "/b/" + std::to_string(i)}));
      if (i == events / 2) {
        ASSERT_OK(engine_->Flush());
      }
    }
  }

  static std::map<Sequence, std::uint64_t> HashesOf(const std::string& directory) {
    std::map<Sequence, std::uint64_t> hashes;
    const auto log = OpenLogForReading(directory);
    EXPECT_OK(log);
    if (!log.ok()) return hashes;
    EventReader reader(**log, 1);
    auto event = reader.Next();
    for (; event.ok() && *event; event = reader.Next()) hashes[(*event)->sequence] = (*event)->hash;
    EXPECT_OK(event);
    return hashes;
  }

  // The log as it is now, which is damaged from then on; nobody writes to it.
  void SetTruth() {
    truth_ = HashesOf(log_dir_);
    const std::string copy = log_dir_ + ".copy";
    std::filesystem::remove_all(copy);
    std::filesystem::copy(log_dir_, copy);
    engine_.reset();
    std::filesystem::remove_all(log_dir_);
    std::filesystem::rename(copy, log_dir_);
    image_ = ReadFile(path());
    tail_ = ReadFile(tail());
  }

  // What would be salvaged, without a log. Whatever it is, it is true: the hash of an event is that of all before it.
  SalvageReport LookForEvents(const SalvageOptions& options = {}) const {
    const auto report = Salvage(log_dir_, "", options);
    EXPECT_OK(report);
    if (!report.ok()) return {};
    ExpectTrue(report->end);
    for (const SalvagedStretch& stretch : report->beyond) ExpectTrue(stretch.before), ExpectTrue(stretch.after);
    return *report;
  }

  void ExpectTrue(const ChainEnd& end) const {
    if (end.sequence == 0) return;
    ASSERT_EQ(truth_.count(end.sequence), 1U) << end.sequence;
    EXPECT_EQ(truth_.at(end.sequence), end.hash);
  }

  // Makes the new log, and looks whether it is what the report says.
  SalvageReport SalvageAll(const SalvageOptions& options = {}) {
    std::filesystem::remove_all(new_dir());
    const auto report = Salvage(log_dir_, new_dir(), options);
    EXPECT_OK(report);
    if (!report.ok()) return {};
    if (report->end.sequence == 0) {
      EXPECT_FALSE(std::filesystem::exists(new_dir()));
      return *report;
    }
    const auto hashes = HashesOf(new_dir());
    EXPECT_EQ(hashes.size(), report->end.sequence);
    for (const auto& [sequence, hash] : hashes) EXPECT_EQ(truth_.at(sequence), hash) << sequence;
    const auto verified = Verify(new_dir());
    EXPECT_OK(verified);
    EXPECT_TRUE(verified->findings.empty());
    return *report;
  }

  // The events of the truth that were not found.
  std::vector<Sequence> Missing(const SalvageReport& report) const {
    std::vector<Sequence> missing;
    for (const Gap& gap : report.gaps()) {
      for (Sequence event = gap.from; event <= gap.through; ++event) missing.push_back(event);
    }
    const Sequence last = report.beyond.empty() ? report.end.sequence : report.beyond.back().after.sequence;
    for (Sequence event = std::max(last, report.last_known) + 1; event <= truth_.size(); ++event)
      missing.push_back(event);
    return missing;
  }

  std::unique_ptr<Engine> engine_;
  std::map<Sequence, std::uint64_t> truth_;
  std::string tail_;
};

}  // namespace foldlog

#endif  // FOLDLOG_TESTS_SUPPORT_SALVAGE_FIXTURE_H_
