#include "engine/log/tail/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"

namespace foldlog {
namespace {

// A page of its own, and never written again: no torn write can reach it.
struct TailHeader {
  std::uint64_t magic;
  std::uint32_t version;
  std::uint32_t header_bytes;
  LogId log_id;
  std::uint64_t ring_bytes;
  std::uint64_t hash;  // XXH3-64 of all before it
};
static_assert(sizeof(TailHeader) == 48);

constexpr std::uint64_t kTailMagic = 0x004c494154474c46;  // "FLGTAIL"
constexpr std::uint32_t kTailVersion = 2;
constexpr std::size_t kPageBytes = 4096;
constexpr std::size_t kMarkOffset = kPageBytes;  // not the header's page: this one is written at every flush
constexpr std::size_t kRingOffset = kMarkOffset + kTailMarkBytes;

std::string PathIn(const std::string& directory) { return directory + "/tail"; }

std::uint64_t HashOf(const TailHeader& header) { return XXH3_64bits(&header, offsetof(TailHeader, hash)); }

// Writes every page, zeros included: a block that is first allocated during a flush would make that flush write the
// file system's journal, too.
absl::Status WriteNewTail(int fd, const TailHeader& header, const std::string& path) {
  std::array<std::byte, kPageBytes> page = {};
  std::memcpy(page.data(), &header, sizeof header);
  RETURN_IF_ERROR(WriteFully(fd, page, 0, path));
  page = {};
  for (std::uint64_t at = kPageBytes; at < kRingOffset + header.ring_bytes; at += kPageBytes) {
    RETURN_IF_ERROR(WriteFully(fd, page, at, path));
  }
  return FlushData(fd, path);
}

// Replaces holes, as a copying program that saves space leaves them, by zeros that take blocks. SEEK_HOLE finds them;
// the count of blocks would not, for file systems that compress need fewer.
absl::Status FillHoles(int fd, std::uint64_t bytes, const std::string& path) {
  const off_t hole = lseek(fd, 0, SEEK_HOLE);
  if (hole < 0 || static_cast<std::uint64_t>(hole) >= bytes) return absl::OkStatus();
  std::array<std::byte, kPageBytes> page;
  for (std::uint64_t offset = 0; offset < bytes; offset += kPageBytes) {
    RETURN_IF_ERROR(ReadFully(fd, page, offset, path));
    RETURN_IF_ERROR(WriteFully(fd, page, offset, path));
  }
  return FlushData(fd, path);
}

// Any byte of the file may be damaged: the size of the ring is used only after the hash, the limits and the file's size
// agree with it.
absl::StatusOr<TailHeader> ReadHeader(int fd, const LogId& log_id, const std::string& path) {
  const auto damaged = [&](const char* what) {
    return absl::DataLossError(
        absl::StrCat(path, " ", what, ": its newest events can't be read; put the file back from where it was copied"));
  };
  struct stat info = {};
  if (fstat(fd, &info) != 0) return ErrnoStatus(errno, absl::StrCat("inspect ", path));
  if (info.st_size < static_cast<off_t>(kPageBytes)) return damaged("is cut short");
  TailHeader header = {};
  RETURN_IF_ERROR(ReadFully(fd, std::as_writable_bytes(std::span(&header, 1)), 0, path));
  if (header.magic != kTailMagic || header.hash != HashOf(header)) return damaged("has a damaged header");
  if (header.version != kTailVersion || header.header_bytes != kRingOffset) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, " has format version ", header.version, "; this foldlog knows version ", kTailVersion,
                     header.version > kTailVersion ? ": use a newer foldlog" : ": use an older foldlog"));
  }
  if (header.log_id != log_id) return damaged("belongs to another log");
  if (header.ring_bytes < kTailBytesMin || header.ring_bytes > kTailBytesMax || header.ring_bytes % kPageBytes != 0 ||
      static_cast<std::uint64_t>(info.st_size) != kRingOffset + header.ring_bytes) {
    return damaged("does not have the size that its header names");
  }
  return header;
}

}  // namespace

TailFile::TailFile(Files files, Mapping map, std::uint64_t ring_words, std::string path, const LogId& log_id,
                   std::uint64_t inode)
    : files_(std::move(files)),
      map_(std::move(map)),
      ring_words_(ring_words),
      path_(std::move(path)),
      log_id_(log_id),
      inode_(inode) {
  // A reader has no map, and so neither ring_ nor mark_.
  if (!map_.valid()) return;
  ring_ = {reinterpret_cast<std::uint64_t*>(map_.data() + kRingOffset), ring_words};
  mark_ = std::make_unique<TailMark>(std::span<std::byte, kTailMarkBytes>(map_.data() + kMarkOffset, kTailMarkBytes));
}

absl::StatusOr<LogId> TailFile::ReadId(const std::string& directory) {
  ASSIGN_OR_RETURN(const FileDescriptor file, OpenRegularFile(PathIn(directory), O_RDONLY));
  TailHeader header = {};
  RETURN_IF_ERROR(ReadFully(file.get(), std::as_writable_bytes(std::span(&header, 1)), 0, PathIn(directory)));
  if (header.magic == kTailMagic && header.hash == HashOf(header)) return header.log_id;
  return absl::DataLossError(absl::StrCat(PathIn(directory), " has a damaged header"));
}

TailClaim TailFile::ReadClaimOf(const std::string& directory) {
  const absl::StatusOr<FileDescriptor> file = OpenRegularFile(PathIn(directory), O_RDONLY);
  std::array<std::byte, kTailMarkBytes> page = {};
  if (!file.ok() || !ReadFully(file->get(), page, kMarkOffset, PathIn(directory)).ok()) return {};
  return ReadTailClaim(page);
}

absl::Status TailFile::Create(const std::string& directory, const LogId& log_id, std::uint64_t ring_bytes) {
  ring_bytes = std::clamp(ring_bytes, kTailBytesMin, kTailBytesMax) / kPageBytes * kPageBytes;
  TailHeader header{.magic = kTailMagic,
                    .version = kTailVersion,
                    .header_bytes = kRingOffset,
                    .log_id = log_id,
                    .ring_bytes = ring_bytes,
                    .hash = 0};
  header.hash = HashOf(header);
  const std::string path = PathIn(directory);
  const std::string temporary = path + ".new";
  // The file gets its name when it is whole and flushed: a creation that is killed leaves only `tail.new`, which the
  // next one overwrites.
  ASSIGN_OR_RETURN(const FileDescriptor file, OpenRegularFile(temporary, O_RDWR | O_CREAT | O_TRUNC));
  absl::Status status = WriteNewTail(file.get(), header, temporary);
  if (status.ok() && rename(temporary.c_str(), path.c_str()) != 0) {
    status = ErrnoStatus(errno, absl::StrCat("rename ", temporary));
  }
  if (!status.ok()) unlink(temporary.c_str());
  return status;
}

// No more than the magic: the caller asks only to word an error, when log.mdb is no file of a log.
bool TailFile::LooksLikeOne(const std::string& directory) {
  const absl::StatusOr<FileDescriptor> file = OpenRegularFile(PathIn(directory), O_RDONLY);
  std::uint64_t magic = 0;
  return file.ok() && pread(file->get(), &magic, sizeof magic, 0) == sizeof magic && magic == kTailMagic;
}

absl::StatusOr<std::unique_ptr<TailFile>> TailFile::Open(const std::string& directory, const LogId& log_id,
                                                         Access access) {
  std::string path = PathIn(directory);
  const bool writable = access == Access::kWrite;
  Files files;
  // Opened anew for each, not duplicated: duplicates share one open file description, and the kernel reports a failed
  // write to only one of them.
  for (FileDescriptor& each : files) {
    ASSIGN_OR_RETURN(each, OpenRegularFile(path, writable ? O_RDWR : O_RDONLY));
  }
  const int file = files[0].get();
  ASSIGN_OR_RETURN(const TailHeader header, ReadHeader(file, log_id, path));
  const std::uint64_t bytes = kRingOffset + header.ring_bytes;
  if (writable) RETURN_IF_ERROR(RefuseHardLinks(file, path));
  if (writable) RETURN_IF_ERROR(FillHoles(file, bytes, path));
  struct stat info = {};
  if (fstat(file, &info) != 0) return ErrnoStatus(errno, absl::StrCat("inspect ", path));
  Mapping map;
  if (writable) {
    // No reading ahead, neither by pread nor through the map: it would bring large folios into the cache (see the
    // header).
    posix_fadvise(file, 0, 0, POSIX_FADV_RANDOM);
    map = Mapping(file, bytes, /*writable=*/true);
    if (!map.valid()) return ErrnoStatus(errno, absl::StrCat("map ", path));
    madvise(map.data(), bytes, MADV_RANDOM);
  }
  return std::unique_ptr<TailFile>(new TailFile(std::move(files), std::move(map),
                                                header.ring_bytes / sizeof(std::uint64_t), std::move(path), log_id,
                                                info.st_ino));
}

TailClaim TailFile::ReadClaim() const {
  std::array<std::byte, kTailMarkBytes> page = {};
  const bool read = ReadFully(files_[0].get(), page, kMarkOffset, path_).ok();
  return read ? ReadTailClaim(page) : TailClaim{};
}

std::size_t TailFile::CountTornMarks() const {
  std::array<std::byte, kTailMarkBytes> page = {};
  return ReadFully(files_[0].get(), page, kMarkOffset, path_).ok() ? CountTornSlots(page) : 0;
}

// The message names both ways on, because only the user knows whether a copy of the file exists.
absl::Status TailFile::CheckNothingIsMissing(Sequence end, Sequence durable) const {
  if (end >= durable) return absl::OkStatus();
  return absl::DataLossError(
      absl::StrCat(path_, " is damaged, or older than the rest of its log: events ", end + 1, " to ", durable,
                   " were durable and are missing. Keep a copy of the directory; put the file back from where it was "
                   "copied, or go on without them: foldlog resume --accept-loss (LogDirectoryOptions::accept_loss)"));
}

absl::StatusOr<std::size_t> TailFile::ReadWords(std::uint64_t index, std::span<std::uint64_t> into) const {
  const std::uint64_t offset = kRingOffset + index * sizeof(std::uint64_t);
  while (true) {
    // A result shorter than asked for is a success if it holds one word: the caller asks for the rest if it needs that.
    const ssize_t got = pread(files_[0].get(), into.data(), into.size_bytes(), static_cast<off_t>(offset));
    if (got >= static_cast<ssize_t>(sizeof(std::uint64_t)))
      return static_cast<std::size_t>(got) / sizeof(std::uint64_t);
    if (got < 0 && errno == EINTR) continue;
    const std::string problem = got < 0 ? absl::StrCat(" can't be read at offset ", offset, ": ", strerror(errno))
                                        : absl::StrCat(" was cut short: it ends before offset ", offset);
    return absl::DataLossError(
        absl::StrCat(path_, problem, ". Its newest events can't be read; put the file back from where it was copied"));
  }
}

void TailFile::ReadAhead() const { posix_fadvise(files_[0].get(), 0, 0, POSIX_FADV_WILLNEED); }

absl::Status TailFile::WriteAgain(std::size_t index) const {
  const absl::Status written = WriteFully(files_[0].get(), std::as_bytes(ring_.subspan(index, 1)),
                                          kRingOffset + index * sizeof(std::uint64_t), path_);
  if (!absl::IsResourceExhausted(written)) return written;
  // RLIMIT_FSIZE may be lower than the tail is long. It forbids the pwrite, but not a store through the map, which
  // dirties the page as well. Atomic, for other threads read the ring.
  const std::atomic_ref word(ring_[index]);
  word.store(word.load(std::memory_order_relaxed), std::memory_order_relaxed);
  return absl::OkStatus();
}

// The first mark is written before the flush and so goes to the disk with it: after a power cut it tells that frames up
// to `through` may be torn. The second reaches the disk with a later flush, and tells that they must be whole.
absl::Status TailFile::Flush(std::size_t which, Sequence through) const {
  mark_->NoteFlushing(through);
  RETURN_IF_ERROR(FlushData(files_.at(which).get(), path_));
  mark_->NoteFlushed(through);
  return absl::OkStatus();
}

}  // namespace foldlog
