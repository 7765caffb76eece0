// Kills the writer of a foldlog log at random microseconds, again and again, and looks at what is left. What a command
// has returned for must be there, whether it waited for the disk or not: the page cache survives the process.
//
//   kill_test [--kills N]    300 kills, a few seconds; a campaign is 10,000 and more
//
// The seed is printed, and FOLDLOG_TEST_SEED repeats the workload; the moments never come again. A control acknowledges
// before it appends, and has to be found out.

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "foldlog/engine.h"
#include "foldlog/event_reader.h"
#include "tests/crash/numbered_events.h"

namespace foldlog {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kLogBytesMax = std::uint64_t{3}
                                       << 20;  // then a new one is begun, so that creation is killed, too
constexpr std::uint64_t kDelayMaxUs = 6'000;
constexpr int kPipeBytes = 1 << 20;  // of acknowledgements, while nobody reads them
constexpr std::chrono::milliseconds kReaderPatience{2};
constexpr std::chrono::microseconds kControlDelay{50};

EngineOptions Options() {
  EngineOptions options;
  options.directory.tail_bytes = std::uint64_t{64} << 10;
  options.directory.flush_interval = std::chrono::milliseconds(3);
  options.snapshot_interval_events = 50;
  return options;
}

// --- The writer, which gets killed ---

struct Message {
  enum class What : std::uint64_t { kSubmitted, kAcknowledged } what = What::kSubmitted;
  Sequence sequence = 0;
};

class Writer {
 public:
  Writer(std::string log, int pipe, std::uint64_t seed, bool lies)
      : log_(std::move(log)), pipe_(pipe), random_(seed), lies_(lies) {}

  // Does not return unless something is wrong.
  absl::Status Run() {
    RETURN_IF_ERROR(Open());
    while (true) RETURN_IF_ERROR(Step());
  }

 private:
  absl::Status Open() {
    ASSIGN_OR_RETURN(engine_, Engine::Open(log_, Options()));
    last_ = engine_->state().sequence;
    Tell(Message::What::kAcknowledged, last_);
    const State state = engine_->state();
    if (!state.active()) return Begin();
    const std::string id = state.operation->operation_id;
    if (state.status() == OperationStatus::kInProgress && engine_->interruption() != OwnerFate::kProcessDied) {
      return absl::InternalError("the log does not know that its writer was killed");
    }
    return Do(1, [&] { return Keep(engine_->Resume(id)); });
  }

  absl::Status Begin() {
    return Do(1, [&] { return Keep(engine_->Start({})); });
  }

  absl::Status Step() {
    switch (random_() % 128) {
      case 0:
        RETURN_IF_ERROR(Do(1, [&] { return engine_->Complete(handle_); }));
        return Begin();
      case 1:
        RETURN_IF_ERROR(Do(1, [&] { return engine_->Fail(handle_, "as an example"); }));
        RETURN_IF_ERROR(Do(1, [&] { return engine_->Clear(); }));
        return Begin();
      case 2:
        RETURN_IF_ERROR(Do(1, [&] { return engine_->Pause(handle_); }));
        RETURN_IF_ERROR(engine_->Close());
        engine_.reset();
        return Open();
      default:
        return CheckpointSome();
    }
  }

  absl::Status CheckpointSome() {
    std::vector<Checkpoint> checkpoints;
    for (std::uint64_t n = random_() % 16 == 0 ? 3 : 1; n > 0; --n) {
      checkpoints.push_back(CheckpointOf(last_ + 1 + checkpoints.size()));
    }
    const Durability durability = random_() % 8 == 0 ? Durability::kSync : Durability::kInterval;
    return Do(checkpoints.size(), [&] { return engine_->Checkpoint(handle_, checkpoints, durability); });
  }

  template <typename Command>
  absl::Status Do(std::uint64_t events, const Command& command) {
    Tell(Message::What::kSubmitted, last_ + events);
    if (lies_) {
      Tell(Message::What::kAcknowledged, last_ + events);
      std::this_thread::sleep_for(kControlDelay);
    }
    RETURN_IF_ERROR(command());
    last_ += events;
    Tell(Message::What::kAcknowledged, last_);
    return absl::OkStatus();
  }

  absl::Status Keep(absl::StatusOr<OperationHandle> handle) {
    if (handle.ok()) handle_ = *handle;
    return handle.status();
  }

  void Tell(Message::What what, Sequence sequence) const {
    const Message message{what, sequence};
    if (write(pipe_, &message, sizeof message) != static_cast<ssize_t>(sizeof message)) _exit(4);
  }

  const std::string log_;
  const int pipe_;
  std::mt19937_64 random_;
  const bool lies_;
  std::unique_ptr<Engine> engine_;
  OperationHandle handle_;
  Sequence last_ = 0;
};

// --- A reader beside it, which must never see anything but the events submitted ---

absl::Status Follow(const std::string& log, int stop) {
  std::unique_ptr<EventLog> reading;
  std::optional<EventReader> reader;
  Sequence last = 0;
  while (true) {
    struct pollfd stopped = {stop, POLLIN, 0};
    if (poll(&stopped, 1, 0) != 0) return absl::OkStatus();
    if (!reading) {
      auto opened = OpenLogForReading(log);
      if (absl::IsNotFound(opened.status())) {  // not created yet
        std::this_thread::sleep_for(kReaderPatience);
        continue;
      }
      RETURN_IF_ERROR(opened.status());
      reading = *std::move(opened);
      reader.emplace(*reading, /*from=*/1);
    }
    ASSIGN_OR_RETURN(const auto event, reader->Next());
    if (!event) {
      RETURN_IF_ERROR(reading->WaitForMore(last, kReaderPatience).status());
      continue;
    }
    RETURN_IF_ERROR(CheckEvent(*event));
    last = event->sequence;
  }
}

// --- The parent ---

[[noreturn]] void ExitWith(const absl::Status& status, const char* who) {
  if (!status.ok()) fprintf(stderr, "kill_test, %s: %s\n", who, status.ToString().c_str());
  _exit(status.ok() ? 0 : 3);
}

struct Pipe {
  int read = -1;
  int write = -1;
};

Pipe NewPipe() {
  int ends[2] = {-1, -1};
  if (pipe2(ends, O_CLOEXEC) != 0) abort();
  fcntl(ends[1], F_SETPIPE_SZ, kPipeBytes);  // or it has less room, and the writer waits sooner
  return {ends[0], ends[1]};
}

class KillTest {
 public:
  KillTest(std::string log, std::uint64_t seed, bool lies) : log_(std::move(log)), random_(seed), lies_(lies) {}

  // One writer's life, from opening the log to its death, and what it left.
  absl::Status Round() {
    std::error_code no_log;
    const auto bytes = fs::file_size(log_ + "/log.mdb", no_log);
    if (!no_log && bytes > kLogBytesMax) {
      fs::remove_all(log_);
      acknowledged_ = submitted_ = checked_ = 0;
      exists_ = false;
    }
    const bool with_reader = random_() % 4 == 0;
    Pipe reader_stop;
    pid_t reader = 0;
    if (with_reader) {
      reader_stop = NewPipe();
      reader = fork();
      if (reader == 0) {
        close(reader_stop.write);
        ExitWith(Follow(log_, reader_stop.read), "reader");
      }
      close(reader_stop.read);
    }
    RETURN_IF_ERROR(LetWriteAndKill());
    if (with_reader) RETURN_IF_ERROR(StopReader(reader, reader_stop.write));
    return Check();
  }

  std::uint64_t events() const { return events_; }

 private:
  absl::Status LetWriteAndKill() {
    const Pipe messages = NewPipe();
    const std::uint64_t seed = random_();
    const pid_t writer = fork();
    if (writer == 0) {
      close(messages.read);
      ExitWith(Writer(log_, messages.write, seed, lies_).Run(), "writer");
    }
    close(messages.write);
    // Half of the time while it opens the log, half after it has.
    if (random_() % 2 == 0) {
      struct pollfd first = {messages.read, POLLIN, 0};
      poll(&first, 1, -1);
    }
    std::this_thread::sleep_for(std::chrono::microseconds(random_() % kDelayMaxUs));
    kill(writer, SIGKILL);
    int status = 0;
    waitpid(writer, &status, 0);
    Message message;
    while (read(messages.read, &message, sizeof message) == static_cast<ssize_t>(sizeof message)) {
      Sequence& known = message.what == Message::What::kSubmitted ? submitted_ : acknowledged_;
      known = std::max(known, message.sequence);
      if (message.what == Message::What::kAcknowledged) exists_ = true;
    }
    close(messages.read);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL
               ? absl::OkStatus()
               : absl::InternalError(absl::StrCat("the writer ended by itself, wait status ", status));
  }

  // Each other one is killed, too, and leaves its place in LMDB's reader table behind.
  absl::Status StopReader(pid_t reader, int stop) {
    const bool killed = random_() % 2 == 0;
    if (killed) kill(reader, SIGKILL);
    close(stop);
    int status = 0;
    waitpid(reader, &status, 0);
    const bool as_expected = WIFEXITED(status) ? WEXITSTATUS(status) == 0 : killed && WTERMSIG(status) == SIGKILL;
    return as_expected ? absl::OkStatus() : absl::InternalError(absl::StrCat("a reader failed, wait status ", status));
  }

  // By a new writer, or by a reader before there is one: then the next to recover the log is killed as well.
  absl::Status Check() {
    if (random_() % 2 == 0) {
      auto reading = OpenLogForReading(log_);
      if (absl::IsNotFound(reading.status()) && !exists_) return absl::OkStatus();
      RETURN_IF_ERROR(reading.status());
      return CheckFound(**reading);
    }
    ASSIGN_OR_RETURN(auto engine, Engine::Open(log_, Options()));
    exists_ = true;
    RETURN_IF_ERROR(CheckFound(engine->log()));
    RETURN_IF_ERROR(engine->Flush());
    if (engine->durable_through() != engine->state().sequence)
      return absl::InternalError("recovery left something open");
    return engine->Close();
  }

  // What was looked at before is not read again; the chain is checked all the same.
  absl::Status CheckFound(const EventLog& log) {
    ASSIGN_OR_RETURN(const Sequence last, CheckEvents(log, checked_));
    if (last < acknowledged_) {
      return absl::DataLossError(
          absl::StrCat("the log ends with ", last, ", but ", acknowledged_, " was acknowledged"));
    }
    if (last > submitted_) {
      return absl::InternalError(absl::StrCat("the log ends with ", last, ", but only ", submitted_, " was submitted"));
    }
    events_ += last - checked_;
    // What came without an acknowledgement is part of the log now that it was found.
    acknowledged_ = checked_ = last;
    return absl::OkStatus();
  }

  const std::string log_;
  std::mt19937_64 random_;
  const bool lies_;
  bool exists_ = false;
  Sequence acknowledged_ = 0;
  Sequence submitted_ = 0;
  Sequence checked_ = 0;
  std::uint64_t events_ = 0;
};

// Where the log may be. In memory a flush costs nothing, and much more happens before the end; on a disk, most writers
// die while they wait for a flush.
struct Scratch {
  std::string disk;
  std::string memory;
};

absl::Status Campaign(const Scratch& scratch, std::uint64_t seed, std::uint64_t kills) {
  KillTest on_disk(scratch.disk + "/log", seed, /*lies=*/false);
  KillTest in_memory(scratch.memory + "/log", seed + 1, /*lies=*/false);
  for (std::uint64_t i = 0; i < kills; ++i) {
    const absl::Status round = (i % 4 == 0 ? on_disk : in_memory).Round();
    if (!round.ok()) return absl::Status(round.code(), absl::StrCat("kill ", i + 1, ": ", round.message()));
  }
  printf("%llu kills: none of %llu events lost\n", static_cast<unsigned long long>(kills),
         static_cast<unsigned long long>(on_disk.events() + in_memory.events()));
  return absl::OkStatus();
}

// Who acknowledges before the append is bound to be caught.
absl::Status Control(const std::string& scratch, std::uint64_t seed) {
  constexpr int kKillsMax = 1'000;
  KillTest test(scratch + "/control", seed, /*lies=*/true);
  for (int i = 0; i < kKillsMax; ++i) {
    const absl::Status round = test.Round();
    if (absl::IsDataLoss(round)) {
      printf("control: found out at kill %d, %s\n", i + 1, std::string(round.message()).c_str());
      return absl::OkStatus();
    }
    RETURN_IF_ERROR(round);
  }
  return absl::InternalError("events acknowledged before they were appended were not missed: this test proves nothing");
}

absl::StatusOr<std::string> NewDirectory(const std::string& in) {
  std::string path = in + "/kill_test_XXXXXX";
  if (mkdtemp(path.data()) == nullptr) return absl::InternalError(absl::StrCat("cannot make a directory in ", in));
  return path;
}

absl::Status Run(int argc, char** argv) {
  std::uint64_t kills = 300;
  if (argc != 1 && (argc != 3 || std::string(argv[1]) != "--kills" || !absl::SimpleAtoi(argv[2], &kills))) {
    return absl::InvalidArgumentError("usage: kill_test [--kills N]");
  }
  std::uint64_t seed = std::random_device{}();
  if (const char* given = getenv("FOLDLOG_TEST_SEED")) seed = strtoull(given, nullptr, 10);
  printf("FOLDLOG_TEST_SEED=%llu\n", static_cast<unsigned long long>(seed));
  fflush(stdout);  // or each child would print it again
  ASSIGN_OR_RETURN(const std::string disk, NewDirectory(fs::current_path()));
  ASSIGN_OR_RETURN(const std::string memory, NewDirectory(fs::is_directory("/dev/shm") ? "/dev/shm" : disk));
  absl::Status status = Control(memory, seed);
  if (status.ok()) status = Campaign({disk, memory}, seed, kills);
  if (!status.ok()) {
    return absl::Status(status.code(), absl::StrCat(status.message(), "; the logs are in ", disk, " and ", memory));
  }
  fs::remove_all(memory);
  fs::remove_all(disk);
  return absl::OkStatus();
}

}  // namespace
}  // namespace foldlog

int main(int argc, char** argv) {
  const absl::Status status = foldlog::Run(argc, argv);
  if (!status.ok()) fprintf(stderr, "kill_test: %s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}
