#include "engine/projection/sqlite_reading.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/base/file_system.h"
#include "engine/base/status_macros.h"
#include "engine/base/text.h"
#include "engine/projection/sqlite_source.h"

namespace foldlog {
namespace {

using Clock = std::chrono::steady_clock;

// As long as sqlite.cc waits for any lock.
constexpr std::chrono::milliseconds kPatience(5000);
constexpr std::chrono::milliseconds kRetryInterval(10);

// Callers read a row or two.
constexpr std::chrono::seconds kReadingTimeMax(10);

constexpr std::size_t kPieceBytes = std::size_t{1} << 20;

constexpr const char* kJournals[] = {"-wal", "-journal"};

// A directory that only this user can look into; the destructor removes it with its contents.
class PrivateDirectory {
 public:
  static absl::StatusOr<PrivateDirectory> Make() {
    const char* place = std::getenv("TMPDIR");
    std::string path = absl::StrCat(place == nullptr || *place == '\0' ? "/tmp" : place, "/foldlog-XXXXXX");
    if (mkdtemp(path.data()) == nullptr) {
      return ErrnoStatus(errno, absl::StrCat("make a directory ", path, " for a copy; TMPDIR=DIR gives another place"));
    }
    return PrivateDirectory(std::move(path));
  }
  PrivateDirectory(PrivateDirectory&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  PrivateDirectory& operator=(PrivateDirectory&&) = delete;
  ~PrivateDirectory() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  explicit PrivateDirectory(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

// Passes the first `bytes` of `source` to `use`, piece by piece. False if the source has fewer, or `use` returns false.
template <typename Source, typename Use>
absl::StatusOr<bool> ForEachPiece(const Source& source, std::uint64_t bytes, const Use& use) {
  std::vector<std::byte> piece(kPieceBytes);
  for (std::uint64_t at = 0; at < bytes; at += kPieceBytes) {
    const std::span into(piece.data(), static_cast<std::size_t>(std::min<std::uint64_t>(kPieceBytes, bytes - at)));
    ASSIGN_OR_RETURN(const bool whole, source.Read(into, at));
    if (!whole) return false;
    ASSIGN_OR_RETURN(const bool more, use(std::span<const std::byte>(into), at));
    if (!more) return false;
  }
  return true;
}

// A copy of one file, which can be compared with the file later.
class Copy {
 public:
  template <typename Source>
  static absl::StatusOr<std::optional<Copy>> Of(const Source& source, const std::string& path) {
    FileDescriptor fd(open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!fd.valid()) return ErrnoStatus(errno, absl::StrCat("create ", path));
    ASSIGN_OR_RETURN(const std::uint64_t bytes, source.Size());
    ASSIGN_OR_RETURN(const bool whole,
                     ForEachPiece(source, bytes, [&](auto piece, std::uint64_t at) -> absl::StatusOr<bool> {
                       RETURN_IF_ERROR(WriteFully(fd.get(), piece, at, path));
                       return true;
                     }));
    if (!whole) return std::optional<Copy>();
    return std::optional(Copy(path, std::move(fd), bytes));
  }

  // Whether the source still begins with what was copied. Bytes that were appended since do not count.
  template <typename Source>
  absl::StatusOr<bool> BeginsLike(const Source& source) const {
    std::vector<std::byte> ours(kPieceBytes);
    return ForEachPiece(source, bytes_, [&](auto piece, std::uint64_t at) -> absl::StatusOr<bool> {
      RETURN_IF_ERROR(ReadFully(fd_.get(), std::span(ours.data(), piece.size()), at, path_));
      return std::memcmp(ours.data(), piece.data(), piece.size()) == 0;
    });
  }

  std::uint64_t bytes() const { return bytes_; }

 private:
  Copy(std::string path, FileDescriptor fd, std::uint64_t bytes)
      : path_(std::move(path)), fd_(std::move(fd)), bytes_(bytes) {}

  std::string path_;
  FileDescriptor fd_;
  std::uint64_t bytes_;
};

using Companions = std::vector<std::optional<SqliteCompanion>>;  // of kJournals

absl::StatusOr<Companions> CompanionsOf(const SqliteSource& source) {
  Companions companions;
  for (const char* journal : kJournals) {
    ASSIGN_OR_RETURN(std::optional<SqliteCompanion> companion, SqliteCompanion::Open(source.path() + journal));
    companions.push_back(std::move(companion));
  }
  return companions;
}

// Whether the file is the whole database. Even an empty -wal may be in use. A rollback journal that does not begin with
// its magic number was used up and kept.
absl::StatusOr<bool> IsAlone(const SqliteSource& source) {
  ASSIGN_OR_RETURN(const Companions companions, CompanionsOf(source));
  if (companions[0]) return false;
  if (!companions[1]) return true;
  std::byte first{};
  ASSIGN_OR_RETURN(const bool any, companions[1]->Read(std::span(&first, 1), 0));
  return !any || first == std::byte{0};
}

// Copies file and journals to `path`. False if a program wrote to them meanwhile. The file is copied before the -wal:
// pages that a checkpoint moved from the -wal into the file must be in the copy of the -wal, too.
absl::StatusOr<bool> CopyOfOneMoment(const SqliteSource& source, const std::string& path) {
  ASSIGN_OR_RETURN(const std::optional<Copy> file, Copy::Of(source, path));
  ASSIGN_OR_RETURN(const Companions companions, CompanionsOf(source));
  if (!file) return false;
  std::vector<std::optional<Copy>> copies;
  for (std::size_t i = 0; i < companions.size(); ++i) {
    copies.emplace_back();
    if (!companions[i]) continue;
    ASSIGN_OR_RETURN(copies[i], Copy::Of(*companions[i], path + kJournals[i]));
    if (!copies[i]) return false;
  }
  ASSIGN_OR_RETURN(const std::uint64_t bytes, source.Size());
  ASSIGN_OR_RETURN(bool same, file->BeginsLike(source));
  same = same && bytes == file->bytes();
  ASSIGN_OR_RETURN(const Companions now, CompanionsOf(source));
  for (std::size_t i = 0; same && i < copies.size(); ++i) {
    same = copies[i].has_value() == now[i].has_value();
    if (!same || !now[i]) continue;
    ASSIGN_OR_RETURN(same, copies[i]->BeginsLike(*now[i]));
  }
  return same;
}

struct Request {
  std::string path;  // absolute
  std::string name;
  std::function<absl::Status(SqliteDatabase&)> read;
};

// Errors are to name the user's file, not the copy.
absl::Status ReadFrom(const Request& request, const std::string& path, SqliteDatabase::Access access) {
  ASSIGN_OR_RETURN(const auto database, SqliteDatabase::Open(path, "file", access));
  database->set_name(request.name);
  database->SetDeadline(Clock::now() + kReadingTimeMax);
  return request.read(*database);
}

// One attempt. Nothing if another program is writing to the file just now.
std::optional<absl::Status> Try(const Request& request) {
  ASSIGN_OR_RETURN(const auto source, SqliteSource::Open(request.path, request.name));
  if (!source->Lock()) return std::nullopt;
  ASSIGN_OR_RETURN(const bool alone, IsAlone(*source));
  if (alone && source->locked()) {
    const absl::Status status = ReadFrom(request, source->path(), SqliteDatabase::Access::kUnchanging);
    ASSIGN_OR_RETURN(const bool still_alone, IsAlone(*source));
    return still_alone ? std::optional(status) : std::nullopt;
  }
  if (!source->LockWal()) return std::nullopt;
  ASSIGN_OR_RETURN(const PrivateDirectory directory, PrivateDirectory::Make());
  const std::string copy = directory.path() + "/copy";
  ASSIGN_OR_RETURN(const bool copied, CopyOfOneMoment(*source, copy));
  if (!copied) return std::nullopt;
  return ReadFrom(request, copy, SqliteDatabase::Access::kCreate);
}

}  // namespace

absl::Status ReadSqlite(const std::string& path, std::string_view what,
                        const std::function<absl::Status(SqliteDatabase&)>& read) {
  Request request{.path = {}, .name = SqliteFileName(what, path), .read = read};
  ASSIGN_OR_RETURN(request.path, SqlitePath(path, request.name));
  if (access(request.path.c_str(), F_OK) != 0) {
    return absl::NotFoundError(absl::StrCat(request.name, " does not exist"));
  }
  const Clock::time_point deadline = Clock::now() + kPatience;
  // By trying again, not by waiting for the lock: a busy writer leaves gaps, and each attempt holds the lock only
  // briefly.
  while (true) {
    if (const std::optional<absl::Status> status = Try(request)) return *status;
    if (Clock::now() > deadline) break;
    std::this_thread::sleep_for(kRetryInterval);
  }
  return absl::UnavailableError(absl::StrCat(
      request.name, " is locked or changed by another program all the time; try again when that has finished"));
}

}  // namespace foldlog
