// The file `tail` of a log directory: a header that never changes, a ring of words that the newest frames are copied
// into, and the durable copy of that ring. schema/FORMAT.md has the layout.
//
// The ring is mapped and never flushed: it is what the death of the process leaves. The copy is written past the page
// cache, each write durable on return: it is what a power cut leaves. In one file both, because a durable write also
// reports what the kernel failed to write of the rest of the file.
//
// All blocks are written once when the file is created, so that a later write has data to write and nothing else: no
// size, no extent, no journal. The ring's are written page by page, and the map is advised against reading ahead,
// because a file system with large folios (ext4 since Linux 6.16) writes back a whole folio for one byte stored through
// a map.

#ifndef FOLDLOG_LOG_TAIL_FILE_H_
#define FOLDLOG_LOG_TAIL_FILE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/base/file_system.h"
#include "engine/base/mapping.h"
#include "engine/log/tail/copy.h"
#include "foldlog/event.h"
#include "foldlog/log_id.h"

namespace foldlog {

inline constexpr std::uint64_t kTailBytesMin = std::uint64_t{64} << 10;
inline constexpr std::uint64_t kTailBytesMax = std::uint64_t{1} << 30;

// Threads: WriteCopy() and LowerClaims() are for one thread at a time; all that reads is for any. Invariants: header
// and size never change after Create(); of a file opened for writing every block exists, so that storing into the map
// cannot fail.
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

  // Copies words of the durable copy from `index` on, as ReadWords() does: up to the end of a page. For recovery, and
  // for readers while no writer has opened the log in this boot: beside a writer the ring has all that the copy has.
  absl::StatusOr<std::size_t> ReadCopyWords(std::uint64_t index, std::span<std::uint64_t> into) const;

  // What the marks of the copy say: the most that one of them claims, and how many are damaged. Nothing is claimed by
  // pages that can't be read. It reads all of the copy.
  struct Claims {
    TailClaim claim;
    std::size_t damaged = 0;
  };
  Claims ReadClaims() const;

  // DataLoss, naming the events, if the log ends with `end` but events up to `durable` were durable.
  absl::Status CheckNothingIsMissing(Sequence end, Sequence durable) const;

  // Makes no mark claim more than events up to `end`, durably. For recovery, which knows where the log ends: what was
  // lost for good, or in doubt, is so once, and not of the events that will have these numbers next.
  absl::Status LowerClaims(Sequence end);

  // Makes durable what the file shows: one that was copied a moment ago may be in the page cache only, whatever its
  // marks claim.
  absl::Status MakeDurable() const;

  // Makes durable pages `first` and following of the copy. An error leaves it unknown which of them are.
  absl::Status WriteCopy(std::uint64_t first, std::span<const CopyPage> pages);

  // Asks the kernel to read the whole file into memory. After a power cut nothing is cached, and recovery, which goes
  // through the ring page by page, would wait for each page.
  void ReadAhead() const;

 private:
  TailFile(FileDescriptor file, FileDescriptor direct, Mapping map, std::uint64_t ring_words, std::string path,
           const LogId& log_id, std::uint64_t inode);

  static Claims ReadClaimsOf(int file, std::uint64_t count, const std::string& path);
  absl::StatusOr<std::size_t> ReadAt(std::uint64_t offset, std::span<std::uint64_t> into) const;
  absl::Status WriteThroughMap(std::uint64_t offset, std::span<const std::byte> bytes) const;

  FileDescriptor file_;
  FileDescriptor direct_;  // past the page cache, durable on return; invalid where the file system can't do that
  Mapping map_;
  std::span<std::uint64_t> ring_;
  const std::uint64_t ring_words_;
  const std::string path_;
  const LogId log_id_;
  const std::uint64_t inode_;
};

}  // namespace foldlog

#endif  // FOLDLOG_LOG_TAIL_FILE_H_
