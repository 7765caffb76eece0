// The file `tail` of a log directory: a header that never changes, and a ring of words that the newest frames are
// copied into. schema/FORMAT.md has the layout.
//
// All blocks are written once when the file is created, so that a later flush has data to write and nothing else: no
// size, no extent, no journal. They are written page by page, and the map is advised against reading ahead, because a
// file system with large folios (ext4 since Linux 6.16) writes back a whole folio for one byte stored through a map:
// with pages of 4 KiB in the cache a flush takes half as long as with folios of 1 MiB.

#ifndef FOLDLOG_LOG_TAIL_FILE_H_
#define FOLDLOG_LOG_TAIL_FILE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/base/file_system.h"
#include "engine/base/mapping.h"
#include "engine/log/tail/mark.h"
#include "foldlog/event.h"
#include "foldlog/log_id.h"

namespace foldlog {

inline constexpr std::uint64_t kTailBytesMin = std::uint64_t{64} << 10;
inline constexpr std::uint64_t kTailBytesMax = std::uint64_t{1} << 30;

// Threads: Flush() may run kFlushesAtOnce times at once, each call with its own `which`; ReadWords(), ReadClaim() and
// WriteAgain() are for any thread. Invariants: header and size never change after Create(); of a file opened for
// writing every block exists, so that storing into the map cannot fail.
class TailFile {
 public:
  enum class Access { kRead, kWrite };

  // Creates the tail of the new log `log_id` in `directory`: either whole and durable, except for its entry in the
  // directory, or not at all. `ring_bytes` is rounded down to whole pages, within the limits above.
  static absl::Status Create(const std::string& directory, const LogId& log_id, std::uint64_t ring_bytes);

  // Whether `directory` has a file `tail` that begins with the magic number of one.
  static bool LooksLikeOne(const std::string& directory);

  // What an intact header says of its log, and what the marks claim, for who takes of a damaged file what there is.
  static absl::StatusOr<LogId> ReadId(const std::string& directory);
  static TailClaim ReadClaimOf(const std::string& directory);

  // NotFound if the file does not exist; DataLoss if it is damaged, cut short, or of another log. For writing, holes of
  // a sparse copy are filled first: a store into a hole kills the process when the disk is full.
  static absl::StatusOr<std::unique_ptr<TailFile>> Open(const std::string& directory, const LogId& log_id,
                                                        Access access);

  // The mapped words, for the writer only; empty in a file opened for reading. Readers use ReadWords(): a map would
  // kill them at a page that the disk can't read, or that was cut off.
  std::span<std::uint64_t> ring() const { return ring_; }

  // The size of the ring, and a copy of its words from `index` on, as many as `into` has room for. DataLoss if the
  // first page can't be read; fewer words than asked for if a later one can't.
  std::uint64_t ring_words() const { return ring_words_; }
  absl::StatusOr<std::size_t> ReadWords(std::uint64_t index, std::span<std::uint64_t> into) const;

  const std::string& path() const { return path_; }
  const LogId& log_id() const { return log_id_; }
  std::uint64_t inode() const { return inode_; }

  // What the tail's mark says now; nothing is claimed if it can't be read. A reader takes it before it looks at the
  // ring: the ring may only grow meanwhile, so the claim never exceeds what the reader then finds.
  TailClaim ReadClaim() const;

  // As CountTornSlots(), of the page as it is now: a writer may be changing it.
  std::size_t CountTornMarks() const;

  // DataLoss, naming the events, if the log ends with `end` but events up to `durable` were durable.
  absl::Status CheckNothingIsMissing(Sequence end, Sequence durable) const;

  // Lowers the mark to `durable`. For the writer during recovery, which knows where the log ends, before any flush
  // begins.
  void ResetClaim(Sequence durable) const { mark_->Reset(durable); }

  // Asks the kernel to read the whole file into memory. After a power cut nothing is cached, and recovery, which goes
  // through the ring page by page, would wait for each page.
  void ReadAhead() const;

  // Writes a word of the ring with its own value, so that the next flush writes its page. The page may stem from an
  // earlier writer and have failed to reach the disk: the kernel marks such a page clean. It is a pwrite, not a store,
  // because other threads read the word meanwhile.
  absl::Status WriteAgain(std::size_t index) const;

  // Makes durable what is in the ring, which reaches to event `through`. Up to kFlushesAtOnce flushes may run at once,
  // each with its own `which`, and so its own descriptor: the kernel reports a failed write once to each descriptor,
  // and both flushes have to learn of it.
  static constexpr std::size_t kFlushesAtOnce = 2;
  absl::Status Flush(std::size_t which, Sequence through) const;

 private:
  using Files = std::array<FileDescriptor, kFlushesAtOnce>;
  TailFile(Files files, Mapping map, std::uint64_t ring_words, std::string path, const LogId& log_id,
           std::uint64_t inode);

  Files files_;
  Mapping map_;
  std::span<std::uint64_t> ring_;
  const std::uint64_t ring_words_;
  std::unique_ptr<TailMark> mark_;  // for writing
  const std::string path_;
  const LogId log_id_;
  const std::uint64_t inode_;
};

}  // namespace foldlog

#endif  // FOLDLOG_LOG_TAIL_FILE_H_
