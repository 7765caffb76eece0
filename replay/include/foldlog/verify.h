// Verify: looks through all that a log keeps, and tells what of it is damaged, where, and how much that hides.
//
//   ASSIGN_OR_RETURN(const VerifyReport report, Verify("/var/lib/photos/index.foldlog"));
//   for (const VerifyFinding& finding : report.findings) Print(finding.message, finding.next);
//   if (report.sound()) Print(report.end.sequence);
//
// Damage is a finding, never an error: behind it the check goes on, wherever the structure of the files lets it. Errors
// are those of OpenLogForReading() that are no damage: there is no log, it may not be read, it has a newer format; and
// Unavailable, a writer changed the file faster than it could be looked at.
//
// Works beside a writer. It takes no lock, writes nothing, and sees the log as of one moment; what looks damaged is
// looked at again if the file has changed since. Threads: any. It starts some of its own and ends them before it
// returns.

#ifndef FOLDLOG_VERIFY_H_
#define FOLDLOG_VERIFY_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "foldlog/event_log.h"

namespace foldlog {

// What a finding is about.
enum class VerifyPart {
  kMetaPage,  // one of the two pages of log.mdb from which all else in it is found
  kPage,      // a page of a tree, or the tree as a whole
  kRecord,    // the format record or the commit record
  kBatch,     // a value that holds events, or a frame in it
  kChain,     // the links from batch to batch, and to where the log begins and ends
  kTail,      // the file `tail`
  kIndex,     // a row of the index
  kSnapshot,  // a snapshot, in log.mdb or in the file `snapshots`
  kMirror,    // the single row in an SQLite file
};
std::string_view Name(VerifyPart part);

struct VerifyFinding {
  VerifyPart part = VerifyPart::kPage;
  // Worth to know, and no damage: rows of the index that are missing, what a power cut may leave behind.
  bool is_note = false;
  std::string file = {};  // the path
  std::optional<std::uint64_t> page = {};
  std::optional<std::uint64_t> offset = {};  // in bytes, of what is damaged or of the page that it is in
  // The events that can't be read for it; nothing if none is hidden.
  std::optional<Sequence> hides_from = {};
  std::optional<Sequence> hides_through = {};
  std::string message = {};  // a sentence that says what is wrong and where, without file and advice
  std::string next = {};     // what to do, with the command to type; empty if there is nothing to do
};

struct VerifyOptions {
  // kQuick: meta pages, records, the branches of all trees, the last batch and the tail; milliseconds, whatever the
  // size. kFull: also all other pages, each batch and frame, the whole chain, and index and snapshots against a new
  // fold.
  enum class Depth { kQuick, kFull };
  Depth depth = Depth::kFull;
  // Threads; 0: one for each processor that this process may use.
  int jobs = 0;
};

struct VerifyProgress {
  std::uint64_t batches = 0;  // that were looked at
  std::uint64_t batches_total = 0;
  std::uint64_t events = 0;
};

struct VerifyReport {
  std::vector<VerifyFinding> findings = {};  // in the order of the files, then of the events; so many at most:
  static constexpr std::size_t kFindingsMax = 1000;
  std::uint64_t findings_left_out = 0;
  std::uint64_t damages_left_out = 0;  // of those, all but the notes
  ChainEnd base = {};                  // as far as they are known
  ChainEnd end = {};
  std::uint64_t events = 0;  // that were found whole, the tail's included; quick: that there should be
  std::uint64_t batches = 0;
  std::uint64_t file_bytes = 0;  // of log.mdb

  // No damage was found. Notes may have been.
  bool sound() const;
};

// `progress` may be null. It is called now and then while batches are looked at, by one thread at a time.
absl::StatusOr<VerifyReport> Verify(const std::string& directory, const VerifyOptions& options = {},
                                    const std::function<void(const VerifyProgress&)>& progress = nullptr);

}  // namespace foldlog

#endif  // FOLDLOG_VERIFY_H_
