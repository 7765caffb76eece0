// An LMDB file as it is read with pread, and its two meta pages, from which everything else in it is found.
//
// Nothing here writes, maps or calls LMDB, and no byte that is read is trusted.

#ifndef FOLDLOG_LOG_STORE_LMDB_FILE_H_
#define FOLDLOG_LOG_STORE_LMDB_FILE_H_

#include <array>
#include <bit>
#include <cstdint>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "engine/codec/damage_advice.h"
#include "engine/log/store/lmdb/page.h"

namespace foldlog::lmdb_file {

// An open file that the caller owns. bytes() is its length when this object was made. Threads: any.
class File {
 public:
  // FailedPrecondition if it is no regular file.
  static absl::StatusOr<File> Open(int fd, const std::string& path);

  std::uint64_t bytes() const { return bytes_; }
  const std::string& path() const { return *path_; }

  // DataLoss that names the file and says what can be done.
  template <typename... Parts>
  absl::Status Damaged(const Parts&... parts) const {
    return absl::DataLossError(absl::StrCat(*path_, ": ", parts..., kDamageAdvice));
  }

  absl::Status Error(absl::StatusCode code, absl::string_view problem) const {
    return absl::Status(code, absl::StrCat(*path_, ": ", problem));
  }

  // Fills `into`. DataLoss if the file ends before, or the medium can't be read there; Unavailable for other errors.
  absl::Status Read(std::uint64_t offset, std::span<char> into) const;

  template <typename T>
  absl::StatusOr<T> ReadStruct(std::uint64_t offset) const {
    std::array<char, sizeof(T)> bytes = {};
    if (absl::Status read = Read(offset, bytes); !read.ok()) return read;
    return std::bit_cast<T>(bytes);
  }

 private:
  File(int fd, const std::string& path) : fd_(fd), path_(&path) {}

  int fd_;
  const std::string* path_;  // the caller's
  std::uint64_t bytes_ = 0;
};

// One meta, and whether it can be believed.
struct MetaSlot {
  Meta meta;
  absl::Status status;  // OK, or what is wrong with `meta`
};
using Metas = std::array<MetaSlot, kMetaSlots>;

// Both metas, each with its status. DataLoss if the file is too short to have two.
absl::StatusOr<Metas> ReadMetas(const File& file, std::uint64_t map_bytes);

// The slot of the newer meta, if both are sound and their numbers are neighbours. DataLoss otherwise; InvalidArgument
// if the file is no LMDB file of a known version.
absl::StatusOr<std::uint64_t> NewestSlot(const File& file, const Metas& metas);

// ReadMetas() and NewestSlot() together, repeated a few times if need be: a commit may be writing one of the metas.
absl::StatusOr<Metas> ReadSoundMetas(const File& file, std::uint64_t map_bytes);

}  // namespace foldlog::lmdb_file

#endif  // FOLDLOG_LOG_STORE_LMDB_FILE_H_
