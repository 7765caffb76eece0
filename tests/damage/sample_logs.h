// Logs whose every event is known, as bytes in memory: what the damage campaign inflicts its damage on.

#ifndef FOLDLOG_TESTS_DAMAGE_SAMPLE_LOGS_H_
#define FOLDLOG_TESTS_DAMAGE_SAMPLE_LOGS_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace foldlog::damage {

using Files = std::map<std::string, std::string>;  // a file's name in the log's directory, and its bytes

struct SampleLog {
  std::string name = {};
  Files files = {};
  std::string older_mdb = {};              // log.mdb as an earlier transaction left it
  std::vector<std::string> events = {};    // what "events --json" prints, by line
  std::string state = {};                  // what "status --json" prints
  std::vector<std::uint64_t> hashes = {};  // of the events' frames
  std::string operation_id = {};           // the last operation

  // What may never be missed without a word: events up to the first number; if the shared page (tail-shm) is of no use,
  // up to the second, of which other bytes give proof; if the tail as a whole is of no use, either, up to the third.
  std::uint64_t durable = 0;
  std::uint64_t proven_by_tail = 0;
  std::uint64_t stored = 0;
};

// Made in `directory`, which exists and is left empty. Each ends the program if it can't be made.
std::vector<SampleLog> MakeSampleLogs(const std::string& directory);

Files ReadFiles(const std::string& directory);
void WriteFiles(const std::string& directory, const Files& files);  // makes the directory anew

}  // namespace foldlog::damage

#endif  // FOLDLOG_TESTS_DAMAGE_SAMPLE_LOGS_H_
