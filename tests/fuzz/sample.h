// A real log in memory, the same in each run: what the seeds of all targets are made of.

#ifndef FOLDLOG_TESTS_FUZZ_SAMPLE_H_
#define FOLDLOG_TESTS_FUZZ_SAMPLE_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "foldlog/event.h"
#include "foldlog/event_log.h"
#include "foldlog/log_index.h"

namespace foldlog::fuzz {

struct Sample {
  std::map<std::string, std::string> files = {};  // by their names in the directory
  std::map<std::string, std::string> older = {};  // as they were one transaction before
  FrameRun run = {};                              // all of its frames
  std::vector<Event> events = {};
  std::vector<std::string> states = {};  // encoded, behind some events
  IndexRows rows = {};
};

// Operations of every fate in several batches, with rows and snapshots; the last events are in the tail only.
const Sample& TheSample();

// The hash of each event of it.
const std::vector<std::uint64_t>& TrueHashes();

// A directory in memory, if there is one, that goes with the process.
const std::string& ScratchDirectory();

void WriteBytes(const std::string& path, const std::string& bytes);

}  // namespace foldlog::fuzz

#endif  // FOLDLOG_TESTS_FUZZ_SAMPLE_H_
