// An LMDB file as it is read with pread, and its two meta pages: what opens the way to everything else in it.
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

// An open file, borrowed, as long as it was when this was made.
class File {
 public:
  // FailedPrecondition if it is no regular file.
  static absl::StatusOr<File> Open(int fd, const std::string& path);

  std::uint64_t bytes() const { return bytes_; }
  const std::string& path() const { return *path_; }

  // DataLoss that names the file, and says what can be done.
  template <typename... Parts>
  absl::Status Damaged(const Parts&... parts) const {
    return absl::DataLossError(absl::StrCat(*path_, ": ", parts..., kDamageAdvice));
  }

  absl::Status Error(absl::StatusCode code, absl::string_view problem) const {
    return absl::Status(code, absl::StrCat(*path_, ": ", problem));
  }

  // Fills `into`. DataLoss if the file ends before, or the medium can't be read there.
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

struct MetaSlot {
  Meta meta;
  absl::Status status;  // whether `meta` may be believed
};
using Metas = std::array<MetaSlot, kMetaSlots>;

// Both metas, each with what is wrong with it. DataLoss if the file is too short to have two.
absl::StatusOr<Metas> ReadMetas(const File& file, std::uint64_t map_bytes);

// Which of the two is the newer, if both can be believed and are neighbours. DataLoss otherwise; InvalidArgument if it
// is no LMDB file of a version known here at all.
absl::StatusOr<std::uint64_t> NewestSlot(const File& file, const Metas& metas);

// Both together, and read again if need be: a commit may be writing one of them.
absl::StatusOr<Metas> ReadSoundMetas(const File& file, std::uint64_t map_bytes);

}  // namespace foldlog::lmdb_file

#endif  // FOLDLOG_LOG_STORE_LMDB_FILE_H_
