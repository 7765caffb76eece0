// An image: a sample log with one damage, as files, and everything that the campaign then does to it.

#ifndef FOLDLOG_TESTS_DAMAGE_IMAGE_H_
#define FOLDLOG_TESTS_DAMAGE_IMAGE_H_

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "foldlog/engine.h"
#include "foldlog/event_reader.h"
#include "foldlog/history.h"
#include "foldlog/log_directory.h"
#include "foldlog/replayer.h"
#include "tests/damage/damages.h"
#include "tests/damage/fields.h"
#include "tests/damage/judge.h"
#include "tests/damage/sample_logs.h"
#include "tests/damage/trial.h"
#include "tests/support/file_bytes.h"

namespace foldlog::damage {

// Names, kinds, sizes, times and contents of all that is in a directory.
inline std::map<std::string, std::string> Looks(const std::string& directory) {
  constexpr off_t kReadBytesMax = 64 << 20;
  std::map<std::string, std::string> looks;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    struct stat file = {};
    lstat(entry.path().c_str(), &file);
    std::string& look = looks[entry.path().filename()];
    look = std::to_string(file.st_mode) + " inode " + std::to_string(file.st_ino) + ", " +
           std::to_string(file.st_size) + " bytes, changed " + std::to_string(file.st_mtim.tv_sec) + "." +
           std::to_string(file.st_mtim.tv_nsec);
    if (!S_ISREG(file.st_mode) || file.st_size > kReadBytesMax) continue;
    look += ", content " + std::to_string(std::hash<std::string>()(ReadFile(entry.path())));
  }
  return looks;
}

// The sample with its damage, as files.
inline void MakeImage(const SampleLog& sample, const Damage& damage, const std::string& log) {
  WriteFiles(log, sample.files);
  struct stat tail = {};
  stat((log + "/tail").c_str(), &tail);
  if (damage.inflict) damage.inflict(log);
  // The shared page knows a copy by the inode number of the tail; these are to be the log itself.
  constexpr std::size_t kInodeOffset = 80;
  const std::string page = log + "/tail-shm";
  if (!std::filesystem::is_regular_file(std::filesystem::symlink_status(page)) ||
      std::filesystem::file_size(page) != kPageBytes)
    return;
  std::string bytes = ReadFile(page);
  if (Word(bytes, kInodeOffset) != Word(sample.files.at("tail-shm"), kInodeOffset)) return;
  SetWord(bytes, kInodeOffset, tail.st_ino);
  WriteFile(page, bytes);
}

// An image, and all that is done with it.
class Image {
 public:
  Image(const SampleLog& sample, const Damage& damage, const std::string& directory, std::uint64_t seed)
      : sample_(sample),
        damage_(damage),
        log_(directory + "/log"),
        random_(seed),
        judge_(sample, log_, Demanded(), damage.proof == Proof::kNone) {
    MakeTree(directory + "/tree");
  }

  const std::vector<Failure>& Try() {
    TryReaders();
    const std::string owner = std::to_string(getpid());  // of the steps, which run in children of this process
    TryWriters({{"recover", sample_.operation_id, "--force", "--reason", "tried", "--owner-pid", owner},
                {"checkpoint", "--files", "1000"},
                {"complete"},
                {"start", "--owner-pid", owner}});
    TryWriters({{"resume", "--owner-pid", owner}, {"pause"}, {"fail", "--error", "tried"}, {"clear"}});
    TryWriters({{"reset"}, {"index", log_ + "/../tree", "--catalog", log_ + "/../catalog.db", "--quiet"}});
    TryEngine();
    ClearBadSector();
    return judge_.failures();
  }

 private:
  std::uint64_t Demanded() const {
    switch (damage_.proof) {
      case Proof::kSharedPage:
        return sample_.durable;
      case Proof::kNewerFrames:
        return sample_.proven_by_tail;
      case Proof::kStore:
        return sample_.stored;
      case Proof::kNone:
        break;
    }
    return 0;
  }

  static void MakeTree(const std::string& tree) {
    std::filesystem::create_directories(tree);
    for (const char* name : {"/a", "/b", "/c"}) WriteFile(tree + name, name);
  }

  void MakeAnew() {
    ClearBadSector();
    std::filesystem::remove_all(log_ + "/../catalog.db");
    MakeImage(sample_, damage_, log_);
  }

  // For the commands, not for this process.
  void MakeSectorBad() const {
    if (damage_.bad_bytes > 0) SetBadSector(log_ + "/" + damage_.file, damage_.bad_from, damage_.bad_bytes);
  }

  Outcome Run(Arguments command) {
    if (judge_.hangs()) return {};
    command.insert(command.end(), {"--log", log_});
    Outcome outcome = RunProgramInChild(command);
    judge_.OnAnyEnd(command, outcome);
    return outcome;
  }

  Outcome CheckEvents(bool appended) {
    const Arguments command = {"events", "--json"};
    Outcome outcome = Run(command);
    if (!judge_.hangs()) judge_.OnEvents(command, outcome, appended);
    return outcome;
  }

  void CheckVerify(const Outcome& events) {
    if (judge_.hangs()) return;
    const Arguments command = {"verify", "--log", log_};
    judge_.OnVerify(command, RunProgramInChild(command), events);
  }

  void TryReaders() {
    MakeAnew();
    const auto inflicted = Looks(log_);
    MakeSectorBad();
    for (const Arguments& command : {Arguments{"status", "--json"}, Arguments{"show", "--json"}}) {
      judge_.OnState(command, Run(command));
    }
    CheckEvents(false);
    Run({"status"});
    Run({"history", "--json"});
    Run({"events", "--kind", "failed", "--from", std::to_string(1 + random_() % sample_.events.size())});
    Run({"project", "--json"});
    TryReader();
    CheckVerify(CheckEvents(false));
    ClearBadSector();
    const auto after = Looks(log_);
    for (const auto& [name, look] : after) {
      const auto found = inflicted.find(name);
      if (found == inflicted.end()) {
        judge_.Blame("leaves files alone", {"reading"}, name + " was made");
      } else if (found->second != look) {
        judge_.Blame("leaves files alone", {"reading"}, name + ": " + found->second + " became " + look);
      }
    }
    for (const auto& [name, look] : inflicted) {
      if (!after.contains(name)) judge_.Blame("leaves files alone", {"reading"}, name + " is gone");
    }
  }

  // The library's ways to read, in any order.
  void TryReader() {
    if (judge_.hangs()) return;
    const std::uint64_t seed = random_();
    const Outcome outcome = RunInChild([&] { return ReadInAnyOrder(seed); });
    JudgeLibrary("library reads", outcome);
  }

  void JudgeLibrary(const std::string& what, const Outcome& outcome) {
    Outcome judged = outcome;
    if (outcome.exit_status == kWrong) return judge_.Blame("prints what was appended", {what}, outcome.messages);
    judge_.OnAnyEnd({what}, judged);
  }

  static constexpr int kWrong = 70;

  static int Told(const absl::Status& status) {
    if (!status.ok()) fprintf(stderr, "%s\n", status.ToString().c_str());
    return status.ok() ? 0 : status.code() == absl::StatusCode::kDataLoss ? 3 : 1;
  }

  // Some events from `at` on.
  absl::Status ReadEvents(const EventLog& log, Sequence at) const {
    constexpr int kEvents = 50;
    EventReader reader(log, at);
    for (int i = 0; i < kEvents; ++i) {
      const auto event = reader.Next();
      if (!event.ok()) return event.status();
      if (!*event) break;
      const Sequence number = (*event)->sequence;
      const bool known = number <= sample_.hashes.size() && (*event)->hash == sample_.hashes[number - 1];
      if (!known && damage_.proof != Proof::kNone) {
        fprintf(stderr, "wrong: event %llu\n", static_cast<unsigned long long>(number));
        _exit(kWrong);
      }
    }
    return absl::OkStatus();
  }

  int ReadInAnyOrder(std::uint64_t seed) const {
    std::mt19937_64 random(seed);
    const auto log = OpenLogForReading(log_);
    if (!log.ok()) return Told(log.status());
    int worst = 0;
    for (int calls = 0; calls < 12; ++calls) {
      const Sequence at = 1 + random() % sample_.events.size();
      absl::Status status;
      switch (random() % 6) {
        case 0:
          status = (*log)->Extent().status();
          break;
        case 1:
          status = (*log)->FindSnapshot(at).status();
          break;
        case 2:
          status = StateAt(**log).status();
          break;
        case 3:
          status = ReadHistory(**log).status();
          break;
        case 4:
          status = StateAt(**log, at).status();
          break;
        default:
          status = ReadEvents(**log, at);
      }
      worst = std::max(worst, Told(status));
    }
    return worst;
  }

  void TryWriters(const std::vector<Arguments>& commands) {
    MakeAnew();
    MakeSectorBad();
    bool appended = false;
    for (const Arguments& command : commands) {
      const bool done = Run(command).exit_status == 0;
      appended = appended || done;
      if (done) CheckEvents(appended);
    }
    CheckEvents(appended);
  }

  // A program that opens the log, and goes on with whatever there is.
  void TryEngine() {
    if (judge_.hangs()) return;
    MakeAnew();
    MakeSectorBad();
    const Outcome outcome = RunInChild([&] {
      auto engine = Engine::Open(log_, {.directory = {.tail_bytes = 64 << 10}});
      if (!engine.ok()) return Told(engine.status());
      (*engine)->state();
      (*engine)->interruption();
      absl::Status status = (*engine)->Reset("tried");
      const auto handle = (*engine)->Start({});
      status.Update(handle.status());
      for (int i = 0; i < 300 && handle.ok(); ++i)
        status.Update((*engine)->Checkpoint(*handle, {.files_processed = i}));
      status.Update((*engine)->Close());
      return Told(status);
    });
    JudgeLibrary("library writes", outcome);
    CheckEvents(outcome.exit_status == 0);
  }

  const SampleLog& sample_;
  const Damage& damage_;
  const std::string log_;
  std::mt19937_64 random_;
  Judge judge_;
};

}  // namespace foldlog::damage

#endif  // FOLDLOG_TESTS_DAMAGE_IMAGE_H_
