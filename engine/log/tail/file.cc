#include "engine/log/tail/file.h"

#include <fcntl.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

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
constexpr std::uint32_t kTailVersion = 3;
constexpr std::size_t kPageBytes = 4096;
constexpr std::size_t kCopyOffset = kPageBytes;

// The copy stands before the ring, so that a copy of the file that is made from front to back claims no more than it
// holds.
std::uint64_t RingOffset(std::uint64_t ring_words) { return kCopyOffset + CopyPages(ring_words) * sizeof(CopyPage); }

std::uint64_t OffsetOfCopyPage(std::uint64_t number) { return kCopyOffset + number * sizeof(CopyPage); }

std::string PathIn(const std::string& directory) { return directory + "/tail"; }

std::uint64_t HashOf(const TailHeader& header) { return XXH3_64bits(&header, offsetof(TailHeader, hash)); }

// Writes every page, zeros included: a block that is first allocated during a flush would make that flush write the
// file system's journal, too.
absl::Status WriteNewTail(int fd, const TailHeader& header, const std::string& path) {
  std::array<std::byte, kPageBytes> page = {};
  std::memcpy(page.data(), &header, sizeof header);
  RETURN_IF_ERROR(WriteFully(fd, page, 0, path));
  page = {};
  for (std::uint64_t at = kPageBytes; at < header.header_bytes + header.ring_bytes; at += kPageBytes) {
    RETURN_IF_ERROR(WriteFully(fd, page, at, path));
  }
  RETURN_IF_ERROR(FlushData(fd, path));
  // What is in the page cache of the copy would have to be thrown out by the first write past it.
  posix_fadvise(fd, kCopyOffset, static_cast<off_t>(header.header_bytes - kCopyOffset), POSIX_FADV_DONTNEED);
  return absl::OkStatus();
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
  FileFacts facts;
  if (!Inspect(fd, facts)) return ErrnoStatus(errno, absl::StrCat("inspect ", path));
  if (facts.bytes < kPageBytes) return damaged("is cut short");
  TailHeader header = {};
  RETURN_IF_ERROR(ReadFully(fd, std::as_writable_bytes(std::span(&header, 1)), 0, path));
  if (header.magic != kTailMagic || header.hash != HashOf(header)) return damaged("has a damaged header");
  if (header.version != kTailVersion) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, " has format version ", header.version, "; this foldlog knows version ", kTailVersion,
                     header.version > kTailVersion ? ": use a newer foldlog" : ": use an older foldlog"));
  }
  if (header.log_id != log_id) return damaged("belongs to another log");
  if (header.ring_bytes < kTailBytesMin || header.ring_bytes > kTailBytesMax || header.ring_bytes % kPageBytes != 0 ||
      header.header_bytes != RingOffset(header.ring_bytes / sizeof(std::uint64_t)) ||
      facts.bytes != header.header_bytes + header.ring_bytes) {
    return damaged("does not have the size that its header names");
  }
  return header;
}

}  // namespace

TailFile::TailFile(FileDescriptor file, FileDescriptor direct, Mapping map, std::uint64_t ring_words, std::string path,
                   const LogId& log_id, std::uint64_t inode)
    : file_(std::move(file)),
      direct_(std::move(direct)),
      map_(std::move(map)),
      ring_words_(ring_words),
      path_(std::move(path)),
      log_id_(log_id),
      inode_(inode) {
  // A reader has no map, and so no ring_.
  if (map_.valid()) ring_ = {reinterpret_cast<std::uint64_t*>(map_.data() + RingOffset(ring_words)), ring_words};
}

absl::StatusOr<LogId> TailFile::ReadId(const std::string& directory) {
  ASSIGN_OR_RETURN(const FileDescriptor file, OpenRegularFile(PathIn(directory), O_RDONLY));
  TailHeader header = {};
  RETURN_IF_ERROR(ReadFully(file.get(), std::as_writable_bytes(std::span(&header, 1)), 0, PathIn(directory)));
  if (header.magic == kTailMagic && header.hash == HashOf(header)) return header.log_id;
  return absl::DataLossError(absl::StrCat(PathIn(directory), " has a damaged header"));
}

// How many pages are of the copy a damaged header can't tell; but no other page has such a hash.
TailClaim TailFile::ReadClaimOf(const std::string& directory) {
  const absl::StatusOr<FileDescriptor> file = OpenRegularFile(PathIn(directory), O_RDONLY);
  FileFacts facts;
  if (!file.ok() || !Inspect(file->get(), facts)) return {};
  const std::uint64_t pages = facts.bytes / sizeof(CopyPage);
  return ReadClaimsOf(file->get(), pages > 0 ? pages - 1 : 0, PathIn(directory)).claim;
}

absl::Status TailFile::Create(const std::string& directory, const LogId& log_id, std::uint64_t ring_bytes) {
  ring_bytes = std::clamp(ring_bytes, kTailBytesMin, kTailBytesMax) / kPageBytes * kPageBytes;
  TailHeader header{.magic = kTailMagic,
                    .version = kTailVersion,
                    .header_bytes = static_cast<std::uint32_t>(RingOffset(ring_bytes / sizeof(std::uint64_t))),
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
  ASSIGN_OR_RETURN(FileDescriptor opened, OpenRegularFile(path, writable ? O_RDWR : O_RDONLY));
  const int file = opened.get();
  ASSIGN_OR_RETURN(const TailHeader header, ReadHeader(file, log_id, path));
  const std::uint64_t bytes = header.header_bytes + header.ring_bytes;
  if (writable) RETURN_IF_ERROR(RefuseHardLinks(file, path));
  if (writable) RETURN_IF_ERROR(FillHoles(file, bytes, path));
  FileFacts facts;
  if (!Inspect(file, facts)) return ErrnoStatus(errno, absl::StrCat("inspect ", path));
  Mapping map;
  FileDescriptor direct;
  if (writable) {
    // No reading ahead, neither by pread nor through the map: it would bring large folios into the cache (see the
    // header).
    posix_fadvise(file, 0, 0, POSIX_FADV_RANDOM);
    map = Mapping(file, bytes, /*writable=*/true);
    if (!map.valid()) return ErrnoStatus(errno, absl::StrCat("map ", path));
    madvise(map.data(), bytes, MADV_RANDOM);
    // Not every file system can do that; then WriteThroughMap() does.
    absl::StatusOr<FileDescriptor> past_cache = OpenRegularFile(path, O_RDWR | O_DIRECT | O_DSYNC);
    if (past_cache.ok()) direct = *std::move(past_cache);
  }
  return std::unique_ptr<TailFile>(new TailFile(std::move(opened), std::move(direct), std::move(map),
                                                header.ring_bytes / sizeof(std::uint64_t), std::move(path), log_id,
                                                facts.inode));
}

TailFile::Claims TailFile::ReadClaims() const { return ReadClaimsOf(file_.get(), CopyPages(ring_words_), path_); }

TailFile::Claims TailFile::ReadClaimsOf(int file, std::uint64_t count, const std::string& path) {
  constexpr std::uint64_t kPagesAtOnce = 64;
  std::vector<CopyPage> pages(kPagesAtOnce);
  Claims claims;
  for (std::uint64_t first = 0; first < count; first += kPagesAtOnce) {
    const auto some = std::span(pages).first(std::min(kPagesAtOnce, count - first));
    if (!ReadFully(file, std::as_writable_bytes(some), OffsetOfCopyPage(first), path).ok()) continue;
    for (std::uint64_t i = 0; i < some.size(); ++i) {
      const std::optional<TailClaim> claim = ReadClaim(some[i], first + i);
      if (!claim) ++claims.damaged;
      claims.claim.durable = std::max(claims.claim.durable, claim.value_or(TailClaim{}).durable);
      claims.claim.flushing = std::max(claims.claim.flushing, claim.value_or(TailClaim{}).flushing);
    }
  }
  return claims;
}

absl::Status TailFile::MakeDurable() const { return FlushData(file_.get(), path_); }

absl::Status TailFile::LowerClaims(Sequence end) {
  std::array<CopyPage, 1> page;
  for (std::uint64_t number = 0; number < CopyPages(ring_words_); ++number) {
    const auto bytes = std::as_writable_bytes(std::span(page));
    if (!ReadFully(file_.get(), bytes, OffsetOfCopyPage(number), path_).ok()) continue;
    const std::optional<TailClaim> claim = ReadClaim(page[0], number);
    if (!claim || claim->flushing <= end) continue;
    SetClaim(page[0], number, {std::min(claim->durable, end), end});
    RETURN_IF_ERROR(WriteCopy(number, page));
  }
  return absl::OkStatus();
}

// A file system that writes past the page cache only in larger blocks says EINVAL, as does a limit on the size of files
// EFBIG (a store through the map is not subject to it). Any other error is final: what is on the disk is not known.
absl::Status TailFile::WriteCopy(std::uint64_t first, std::span<const CopyPage> pages) {
  std::span<const std::byte> bytes = std::as_bytes(pages);
  std::uint64_t offset = OffsetOfCopyPage(first);
  const FileSizeSignalBlocked blocked;
  while (direct_.valid() && !bytes.empty()) {
    const ssize_t put = pwrite(direct_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0 && (errno == EINVAL || errno == EFBIG)) {
      direct_.Close();
      break;
    }
    if (put <= 0) return ErrnoStatus(put < 0 ? errno : ENOSPC, absl::StrCat("write ", path_));
    bytes = bytes.subspan(static_cast<std::size_t>(put));
    offset += static_cast<std::uint64_t>(put);
  }
  return bytes.empty() ? absl::OkStatus() : WriteThroughMap(offset, bytes);
}

absl::Status TailFile::WriteThroughMap(std::uint64_t offset, std::span<const std::byte> bytes) const {
  std::memcpy(map_.data() + offset, bytes.data(), bytes.size());
  return FlushData(file_.get(), path_);
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
  return ReadAt(RingOffset(ring_words_) + index * sizeof(std::uint64_t), into);
}

absl::StatusOr<std::size_t> TailFile::ReadCopyWords(std::uint64_t index, std::span<std::uint64_t> into) const {
  const std::uint64_t within = index % kCopyPageWords;
  return ReadAt(OffsetOfCopyPage(index / kCopyPageWords) + within * sizeof(std::uint64_t),
                into.first(std::min(into.size(), kCopyPageWords - within)));
}

absl::StatusOr<std::size_t> TailFile::ReadAt(std::uint64_t offset, std::span<std::uint64_t> into) const {
  while (true) {
    // A result shorter than asked for is a success if it holds one word: the caller asks for the rest if it needs that.
    const ssize_t got = pread(file_.get(), into.data(), into.size_bytes(), static_cast<off_t>(offset));
    if (got >= static_cast<ssize_t>(sizeof(std::uint64_t)))
      return static_cast<std::size_t>(got) / sizeof(std::uint64_t);
    if (got < 0 && errno == EINTR) continue;
    const std::string problem = got < 0 ? absl::StrCat(" can't be read at offset ", offset, ": ", strerror(errno))
                                        : absl::StrCat(" was cut short: it ends before offset ", offset);
    return absl::DataLossError(
        absl::StrCat(path_, problem, ". Its newest events can't be read; put the file back from where it was copied"));
  }
}

void TailFile::ReadAhead() const { posix_fadvise(file_.get(), 0, 0, POSIX_FADV_WILLNEED); }

}  // namespace foldlog
