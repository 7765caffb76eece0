#include "engine/log/store/lmdb/file.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <thread>

#include "engine/base/file_system.h"
#include "engine/base/status_macros.h"

namespace foldlog::lmdb_file {
namespace {

// A reader may see a meta while a commit writes its 120 bytes. A meta that is still unsound after this many reads is
// damaged.
constexpr int kMetaReads = 4;
constexpr std::chrono::milliseconds kMetaRereadDelay{2};

// The page size of x86-64, for files that do not tell theirs.
constexpr std::uint64_t kUsualPageBytes = 4096;

// A medium that cannot be read is damage; any other error may pass.
absl::Status SystemError(int error, absl::string_view what, const File& file) {
  const absl::Status status = absl::ErrnoToStatus(error, what);
  if (error == EIO) return file.Damaged(status.message());
  return file.Error(absl::StatusCode::kUnavailable, status.message());
}

// Meta 1 lies one page in. If meta 0 does not tell the page size, a meta that names its own place does.
absl::StatusOr<std::uint64_t> FindSecondMeta(const File& file, const Meta& first) {
  if (IsPageSize(first.page_bytes())) return first.page_bytes();
  for (std::uint64_t offset = kPageBytesMin; offset <= kPageBytesMax; offset *= 2) {
    if (offset + sizeof(Meta) > file.bytes()) break;
    ASSIGN_OR_RETURN(const Meta meta, file.ReadStruct<Meta>(offset));
    if (meta.magic == kMagic && meta.page_bytes() == offset) return offset;
  }
  return kUsualPageBytes;
}

// Whether the file is an LMDB file of a known version at all.
absl::Status CheckKind(const File& file, const Metas& metas) {
  const auto any = [&](auto test) { return std::any_of(metas.begin(), metas.end(), test); };
  if (!any([](const MetaSlot& slot) { return slot.meta.magic == kMagic; })) {
    return file.Error(absl::StatusCode::kInvalidArgument, "not an LMDB file: no meta page has its magic number");
  }
  if (!any([](const MetaSlot& slot) { return slot.meta.magic == kMagic && slot.meta.version == kVersion; })) {
    return file.Error(absl::StatusCode::kInvalidArgument,
                      absl::StrCat("LMDB format version ", metas[0].meta.version, "; only 1 is known here"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<File> File::Open(int fd, const std::string& path) {
  File file(fd, path);
  FileFacts facts;
  if (!Inspect(fd, facts)) return SystemError(errno, "statx failed", file);
  if (!facts.is_regular) return file.Error(absl::StatusCode::kFailedPrecondition, "not a regular file");
  file.bytes_ = facts.bytes;
  return file;
}

absl::Status File::Read(std::uint64_t offset, std::span<char> into) const {
  while (!into.empty()) {
    const ssize_t got = pread(fd_, into.data(), into.size(), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return SystemError(errno, absl::StrCat("the disk fails to read at offset ", offset), *this);
    if (got == 0) return Damaged("the file ends at offset ", offset, ", inside a page that is in use");
    offset += static_cast<std::uint64_t>(got);
    into = into.subspan(static_cast<std::size_t>(got));
  }
  return absl::OkStatus();
}

// LMDB checks little more than magic and version, and takes the meta of the higher number. Here both are checked, and
// each gets a status of its own.
absl::StatusOr<Metas> ReadMetas(const File& file, std::uint64_t map_bytes) {
  constexpr absl::string_view kTooShort = " bytes, too few for the two meta pages that even an empty log has";
  if (file.bytes() < kMetaSlots * kPageBytesMin) return file.Damaged("the file has ", file.bytes(), kTooShort);
  Metas metas;
  ASSIGN_OR_RETURN(metas[0].meta, file.ReadStruct<Meta>(0));
  ASSIGN_OR_RETURN(const std::uint64_t second, FindSecondMeta(file, metas[0].meta));
  if (file.bytes() < kMetaSlots * second) return file.Damaged("the file has ", file.bytes(), kTooShort);
  ASSIGN_OR_RETURN(metas[1].meta, file.ReadStruct<Meta>(second));
  for (std::uint64_t slot = 0; slot < kMetaSlots; ++slot) {
    metas[slot].status = CheckMeta(metas[slot].meta, slot, map_bytes);
  }
  if (metas[1].status.ok() && metas[1].meta.page_bytes() != second) {
    metas[1].status = absl::DataLossError(
        absl::StrCat("lies at offset ", second, ", but has page size ", metas[1].meta.page_bytes()));
  }
  return metas;
}

absl::StatusOr<std::uint64_t> NewestSlot(const File& file, const Metas& metas) {
  RETURN_IF_ERROR(CheckKind(file, metas));
  const auto& [first, second] = metas;
  if (!first.status.ok() && !second.status.ok()) {
    return file.Damaged("both meta pages are damaged: meta page 0 ", first.status.message(), "; meta page 1 ",
                        second.status.message());
  }
  for (std::uint64_t slot = 0; slot < kMetaSlots; ++slot) {
    if (metas[slot].status.ok()) continue;
    return file.Damaged("meta page ", slot, " ", metas[slot].status.message(), "; only meta page ", 1 - slot,
                        " (transaction ", metas[1 - slot].meta.txn_id, ") passes. Do not patch it");
  }
  // Each commit overwrites the older meta, so the two are neighbours; both are 0 before the first commit. Otherwise one
  // transaction id is wrong, and LMDB could take the older snapshot for the newer.
  const auto [older, newer] = std::minmax(first.meta.txn_id, second.meta.txn_id);
  // Each commit overwrites the older meta, so the two numbers are neighbours; both are 0 before the first commit.
  // Otherwise one number is wrong, and LMDB could take the older transaction for the newer.
  if (newer - older > 1) return file.Damaged("the meta pages hold transactions ", older, " and ", newer);
  return first.meta.txn_id == newer ? 0 : 1;
}

absl::StatusOr<Metas> ReadSoundMetas(const File& file, std::uint64_t map_bytes) {
  for (int reads = 1;; ++reads) {
    ASSIGN_OR_RETURN(const Metas metas, ReadMetas(file, map_bytes));
    const absl::Status sound = NewestSlot(file, metas).status();
    if (sound.ok()) return metas;
    if (reads == kMetaReads) return sound;
    std::this_thread::sleep_for(kMetaRereadDelay);
  }
}

}  // namespace foldlog::lmdb_file
