#include "tests/damage/sample_logs.h"

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <sstream>
#include <utility>

#include "foldlog/backup.h"
#include "foldlog/engine.h"
#include "foldlog/event_reader.h"
#include "foldlog/log_directory.h"
#include "tests/damage/trial.h"
#include "tests/support/child_process.h"
#include "tests/support/file_bytes.h"

namespace foldlog::damage {
namespace {

constexpr std::uint64_t kSmallestTailBytes = std::uint64_t{64} << 10;

void Must(const absl::Status& status) {
  if (status.ok()) return;
  fprintf(stderr, "a sample log can't be made: %s\n", status.ToString().c_str());
  std::abort();
}

template <typename T>
T Must(absl::StatusOr<T> value) {
  Must(value.status());
  return *std::move(value);
}

std::unique_ptr<Engine> Open(const std::string& log) {
  return Must(Engine::Open(log, {.directory = {.tail_bytes = kSmallestTailBytes}, .snapshot_interval_events = 16}));
}

Checkpoint Step(std::int64_t files) {
  Checkpoint step{.files_processed = files, .current_path = "/pictures/" + std::to_string(files / 10)};
  if (files % 3 == 0) step.last_processed_file = "/pictures/\xff\n" + std::to_string(files);
  if (files % 7 == 0) step.error = FileError{.path = "/pictures/" + std::to_string(files), .message = "no such file"};
  return step;
}

void Steps(Engine& engine, const OperationHandle& handle, std::int64_t from, std::int64_t to) {
  for (std::int64_t files = from; files < to; ++files) Must(engine.Checkpoint(handle, Step(files)));
}

// A run that ended, one that failed, one that was paused and went on, and is paused again.
void Past(const std::string& log) {
  auto engine = Open(log);
  auto handle = Must(engine->Start({.total_files = 20, .roots = {"/pictures"}, .metadata = {{"what", "ever"}}}));
  Steps(*engine, handle, 1, 20);
  Must(engine->Complete(handle, {{"bytes", std::int64_t{123456}}, {"ratio", 0.5}, {"who", std::string("me")}}));
  handle = Must(engine->Start({.type = OperationType::kIncremental}));
  Steps(*engine, handle, 1, 12);
  Must(engine->Fail(handle, "the disk went away"));
  Must(engine->Clear());
  handle = Must(engine->Start({.type = OperationType::kRecovery, .total_files = 100}));
  Steps(*engine, handle, 1, 10);
  Must(engine->Pause(handle, "lunch"));
  handle = Must(engine->Resume(handle.operation_id, "after lunch"));
  Steps(*engine, handle, 10, 16);
  Must(engine->Pause(handle, "night"));
  Must(engine->Close());
}

// Goes on with it, and is killed while the newest events are in the tail alone.
void KilledPresent(const std::string& log) {
  auto engine = Open(log);
  auto handle = Must(engine->Resume(engine->state().operation->operation_id));
  for (std::int64_t files = 20; files < 50; files += 10) {
    Steps(*engine, handle, files, files + 10);
    Must(engine->Flush());
  }
  kill(getpid(), SIGKILL);
}

// Many small transactions, so that the tree of events has levels, and pages were freed.
void ManyTransactions(const std::string& log) {
  constexpr int kTransactions = 160;
  for (int i = 0; i < kTransactions; ++i) {
    auto engine = Open(log);
    const State state = engine->state();
    const auto handle = state.active() ? Must(engine->Resume(state.operation->operation_id)) : Must(engine->Start({}));
    Steps(*engine, handle, 10 * i, 10 * i + 10);
    i % 20 == 19 ? Must(engine->Complete(handle)) : Must(engine->Pause(handle));
    Must(engine->Close());
  }
}

// A log that was restored from a backup of that.
void RestoredPast(const std::string& log) {
  const std::string original = log + ".original";
  Past(original);
  Must(Restore(original, log, {.tail_bytes = kSmallestTailBytes}));
  std::filesystem::remove_all(original);
}

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

// What a child finds is handed over in a file, so that this process never opens a log: children are forked from it.
void Describe(const std::string& log, SampleLog& sample) {
  const std::string found = log + ".found";
  const int status = InChild([&] {
    const auto reader = Must(OpenLogForReading(log));
    const LogExtent extent = Must(reader->Extent());
    std::vector<std::uint64_t> words = {extent.durable_through, extent.stored_through};
    EventReader events(*reader, 1);
    for (auto event = Must(events.Next()); event; event = Must(events.Next())) words.push_back(event->hash);
    WriteFile(found, std::string(reinterpret_cast<const char*>(words.data()), words.size() * sizeof words[0]));
    return 0;
  });
  if (status != 0) Must(absl::InternalError("its child failed"));
  const std::string bytes = ReadFile(found);
  std::filesystem::remove(found);
  std::vector<std::uint64_t> words(bytes.size() / sizeof(std::uint64_t));
  std::copy(bytes.begin(), bytes.end(), reinterpret_cast<char*>(words.data()));
  sample.durable = words.at(0);
  sample.stored = words.at(1);
  sample.hashes.assign(words.begin() + 2, words.end());
  sample.events = Lines(RunForOutput({"events", "--json", "--log", log}));
  sample.state = RunForOutput({"status", "--json", "--log", log});
  const std::string& last = sample.events.back();
  const std::string key = "\"operation_id\": \"";
  const std::size_t id = last.find(key) + key.size();
  sample.operation_id = last.substr(id, last.find('"', id) - id);
}

// `makers` make the log one after the other, each in a child; before the last of them log.mdb is kept as it then is.
SampleLog Make(const std::string& directory, const std::string& name,
               const std::vector<std::function<void(const std::string&)>>& makers) {
  const std::string log = directory + "/" + name;
  SampleLog sample{.name = name};
  for (const auto& maker : makers) {
    if (std::filesystem::exists(log)) sample.older_mdb = ReadFile(log + "/log.mdb");
    InChild([&] {
      maker(log);
      return 0;
    });
  }
  sample.files = ReadFiles(log);
  if (sample.files.empty()) Must(absl::InternalError("there is nothing in " + log));
  Describe(log, sample);
  // What the newest flush but one covered has intact frames of a later flush behind it.
  sample.proven_by_tail = sample.durable;
  std::filesystem::remove_all(log);
  return sample;
}

}  // namespace

Files ReadFiles(const std::string& directory) {
  Files files;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(directory, ignored)) {
    if (entry.is_regular_file()) files[entry.path().filename()] = ReadFile(entry.path());
  }
  return files;
}

void WriteFiles(const std::string& directory, const Files& files) {
  std::filesystem::remove_all(directory);
  std::filesystem::create_directory(directory);
  for (const auto& [name, bytes] : files) WriteFile(directory + "/" + name, bytes);
}

std::vector<SampleLog> MakeSampleLogs(const std::string& directory) {
  std::vector<SampleLog> samples;
  samples.push_back(Make(directory, "closed",
                         {[](const std::string& log) { Past(log); },
                          [](const std::string& log) {
                            auto engine = Open(log);
                            Must(engine->Resume(engine->state().operation->operation_id));
                            Must(engine->Close());
                          }}));
  samples.push_back(Make(directory, "killed", {Past, KilledPresent}));
  // The same as it is after a reboot: what the shared page says is of another boot.
  SampleLog rebooted = samples.back();
  rebooted.name = "rebooted";
  std::string& page = rebooted.files.at("tail-shm");
  constexpr std::size_t kBootId = 40;
  page.replace(kBootId, 8, "00000000");
  constexpr std::uint64_t kLastFlush = 10;  // as KilledPresent() flushes
  rebooted.proven_by_tail = rebooted.durable - kLastFlush;
  rebooted.durable = rebooted.proven_by_tail;
  samples.push_back(std::move(rebooted));
  samples.push_back(Make(directory, "large", {ManyTransactions, ManyTransactions}));
  samples.push_back(Make(directory, "restored", {RestoredPast, [](const std::string& log) {
                                                   auto engine = Open(log);
                                                   Must(engine->Resume(engine->state().operation->operation_id));
                                                   Must(engine->Close());
                                                 }}));
  return samples;
}

}  // namespace foldlog::damage
