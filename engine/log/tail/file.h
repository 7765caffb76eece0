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
#include "engine/codec/log_id.h"
#include "engine/log/tail/mark.h"
#include "foldlog/event.h"

namespace foldlog {

inline constexpr std::uint64_t kTailBytesMin = std::uint64_t{64} << 10;
inline constexpr std::uint64_t kTailBytesMax = std::uint64_t{1} << 30;

class TailFile {
 public:
  enum class Access { kRead, kWrite };

  // Creates the tail of the new log `log_id` in `directory`, whole and durable but for its entry in the directory, or
  // leaves none. `ring_bytes` is made a multiple of the page size within the limits above.
  static absl::Status Create(const std::string& directory, const LogId& log_id, std::uint64_t ring_bytes);

  // Whether there is a file in `directory` that begins like one.
  static bool LooksLikeOne(const std::string& directory);

  // NotFound if there is no such file; DataLoss if it is damaged, cut short or of another log. A sparse copy is filled
  // if `access` allows writing: storing into a hole kills the process when the disk is full.
  static absl::StatusOr<std::unique_ptr<TailFile>> Open(const std::string& directory, const LogId& log_id,
                                                        Access access);

  // Of a file opened for writing: the mapped words. Readers must not touch a map: a page that the disk can't read, or
  // that is cut off, would kill them.
  std::span<std::uint64_t> ring() const { return ring_; }

  // For readers. Words of the ring as they are now, from `index` on, as many as `into` has room for. DataLoss if they
  // can't be read; fewer than asked for if that is so behind the first page.
  std::uint64_t ring_words() const { return ring_words_; }
  absl::StatusOr<std::size_t> ReadWords(std::uint64_t index, std::span<std::uint64_t> into) const;

  const std::string& path() const { return path_; }
  const LogId& log_id() const { return log_id_; }
  std::uint64_t inode() const { return inode_; }

  // What the tail says of itself, as it is now; nothing if that can't be read. To be taken before the ring is looked
  // at.
  TailClaim ReadClaim() const;

  // DataLoss, naming the events, if the log ends with `end` but had been durable up to `durable`.
  absl::Status CheckNothingIsMissing(Sequence end, Sequence durable) const;

  // For the writer, which has found where the log ends: from now on no more than that is claimed, and no flush is at
  // work.
  void ResetClaim(Sequence durable) const { mark_->Reset(durable); }

  // Asks for all of it to be read into memory: after a power cut, whoever goes through it page by page waits for each.
  void ReadAhead() const;

  // Writes a word of the ring again, as it is, so that the next flush writes its page. Found in the page cache after an
  // earlier writer's death, it may have failed to reach the disk: the kernel then takes it for clean. Not by a store:
  // others read the word meanwhile.
  absl::Status WriteAgain(std::size_t index) const;

  // Makes everything stored into the ring so far durable, which reaches to `through`. So many flushes may be at work at
  // once if their `which` differs: each has a descriptor of its own, for the kernel tells each of them once that
  // writing has failed.
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
