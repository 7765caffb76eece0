// An independent auditor: the table of transitions written down a second time, as a table, and held against the engine
// over random sequences of commands. The model shares no code with the engine.

#include <array>

#include "foldlog/replayer.h"
#include "tests/support/test_support.h"

namespace foldlog {
namespace {

enum Command { kStart, kCheckpoint, kPause, kResume, kRecover, kComplete, kFail, kClear, kReset, kImport, kCommands };
constexpr std::array<const char*, kCommands> kCommandNames = {"start",    "checkpoint", "pause", "resume", "recover",
                                                              "complete", "fail",       "clear", "reset",  "import"};

// For each status (idle, in progress, paused, completed, failed) the commands that are allowed and the status after. A
// dot: refused. In progress, resume is refused because the owner, this very process, is alive.
constexpr std::array<std::array<const char*, kCommands>, 5> kTable = {{
    // start  checkp. pause  resume recover compl. fail   clear  reset   import (of a row in progress)
    {"prog", ".", ".", ".", ".", ".", ".", ".", "idle", "prog"},
    {".", "prog", "paus", ".", "prog", "comp", "fail", ".", "idle", "."},
    {".", "paus", ".", "prog", ".", "comp", "fail", ".", "idle", "."},
    {"prog", ".", ".", ".", ".", ".", ".", "idle", "idle", "."},
    {"prog", ".", ".", ".", ".", ".", ".", "idle", "idle", "."},
}};

std::string ShortName(OperationStatus status) {
  static const std::array<const char*, 5> names = {"idle", "prog", "paus", "comp", "fail"};
  return names.at(static_cast<std::size_t>(status));
}

class Auditor {
 public:
  explicit Auditor(Engine& engine) : engine_(engine) {}

  // Gives the command with the current handle and compares what comes of it with the table.
  void Step(Command command) {
    const State before = engine_.state();
    const std::string expected = kTable.at(static_cast<std::size_t>(before.status())).at(command);
    const absl::Status status = Give(command);
    const State after = engine_.state();
    SCOPED_TRACE(std::string(kCommandNames.at(command)) + " from " + ShortName(before.status()));
    ASSERT_EQ(status.ok(), expected != ".") << status;
    if (expected == ".") {
      ASSERT_EQ(after, before) << "a refusal changed something";
      return;
    }
    ASSERT_EQ(ShortName(after.status()), expected);
    ASSERT_EQ(after.sequence, before.sequence + 1);
    const bool takes_over = command == kStart || command == kResume || command == kRecover || command == kImport;
    ASSERT_EQ(after.epoch, before.epoch + (takes_over ? 1 : 0));
    if (takes_over) handle_ = *engine_.current_handle();
    if (takes_over || command == kReset) CheckStaleHandle();
    old_handle_ = handle_;
  }

 private:
  absl::Status Give(Command command) {
    switch (command) {
      case kStart:
        return engine_.Start({}).status();
      case kCheckpoint:
        return engine_.Checkpoint(handle_, {.files_processed = 1});
      case kPause:
        return engine_.Pause(handle_);
      case kResume:
        return engine_.Resume(handle_.operation_id).status();
      case kRecover:
        return engine_.RecoverByForce(handle_.operation_id, "audit").status();
      case kComplete:
        return engine_.Complete(handle_);
      case kFail:
        return engine_.Fail(handle_, "audit");
      case kClear:
        return engine_.Clear();
      case kReset:
        return engine_.Reset();
      default:
        return Import(engine_, {"initial", "in_progress", "{}", 5, 6, {}}).status();
    }
  }

  // What was the handle before a takeover or a reset may write nothing any more.
  void CheckStaleHandle() {
    for (const absl::Status& status :
         {engine_.Checkpoint(old_handle_, {.files_processed = 1}), engine_.Pause(old_handle_),
          engine_.Complete(old_handle_), engine_.Fail(old_handle_, "stale")}) {
      ASSERT_FALSE(status.ok());
    }
  }

  Engine& engine_;
  OperationHandle handle_{"none", 0};
  OperationHandle old_handle_{"none", 0};
};

TEST(TransitionModel, EngineDoesWhatTheTableSays) {
  std::mt19937_64 random(TestSeed());
  for (int run = 0; run < 500; ++run) {
    ASSERT_OK_AND_ASSIGN(auto engine, Engine::Open(NewWritableMemoryLog(), DeterministicOptions()));
    Auditor auditor(*engine);
    for (int step = 0; step < 40; ++step) {
      auditor.Step(static_cast<Command>(random() % kCommands));
      if (testing::Test::HasFatalFailure()) return;
    }
    ASSERT_OK_AND_ASSIGN(const State replayed, StateAt(engine->log()));
    ASSERT_EQ(replayed, engine->state());
  }
}

}  // namespace
}  // namespace foldlog
