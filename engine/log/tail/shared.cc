#include "engine/log/tail/shared.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/process.h"
#include "engine/base/status_macros.h"

namespace foldlog {
namespace {

constexpr std::size_t kPageBytes = 4096;
constexpr std::uint64_t kSharedMagic = 0x4d4853474c46;  // "FLGSHM"

std::string PathIn(const std::string& directory) { return directory + "/tail-shm"; }

// How often a reader looks at the log if it has no word to wait on: the file is missing or was cut short.
constexpr std::chrono::milliseconds kLookInterval{100};

using BootId = std::array<char, 40>;

// Zeros if the kernel does not tell. Such a page is never believed, for it could be of any boot.
BootId ThisBoot() {
  BootId id = {};
  const std::string text = ReadKernelBoot().id;
  std::memcpy(id.data(), text.data(), std::min(text.size(), id.size()));
  return id;
}

}  // namespace

// Without a constructor, and aligned for atomic access: a page of zeros, as a new file has, is a valid one.
struct TailShared::Page {
  std::uint64_t magic;
  Futex wakes;
  std::uint32_t reserved;
  std::uint64_t durable;
  LogId log_id;
  BootId boot_id;
  std::uint64_t tail_inode;
};

absl::StatusOr<TailShared> TailShared::OpenForWriting(const std::string& directory, const TailFile& tail,
                                                      Sequence durable) {
  static_assert(sizeof(Page) == 88 && std::atomic_ref<std::uint64_t>::is_always_lock_free);
  const std::string path = PathIn(directory);
  ASSIGN_OR_RETURN(FileDescriptor file, OpenRegularFile(path, O_RDWR | O_CREAT));
  // A store into a page that has no block kills the process when the disk is full.
  if (const int error = posix_fallocate(file.get(), 0, kPageBytes); error != 0) {
    return ErrnoStatus(error, absl::StrCat("make room for ", path));
  }
  Mapping map(file.get(), kPageBytes, /*writable=*/true);
  TailShared shared(std::move(file), std::move(map));
  if (!shared.map_.valid()) return ErrnoStatus(errno, absl::StrCat("map ", path));
  // Readers of an earlier writer may look at the page meanwhile: what it said of another tail or boot is withdrawn
  // before the names change.
  shared.SetDurable(0);
  shared.page()->log_id = tail.log_id();
  shared.page()->tail_inode = tail.inode();
  shared.page()->boot_id = ThisBoot();
  std::atomic_ref(shared.page()->magic).store(kSharedMagic, std::memory_order_release);
  shared.SetDurable(durable);
  shared.Wake();
  return shared;
}

TailShared TailShared::OpenForReading(const std::string& directory) {
  absl::StatusOr<FileDescriptor> file = OpenRegularFile(PathIn(directory), O_RDONLY);
  if (!file.ok()) return TailShared(FileDescriptor(), Mapping());
  Mapping map(file->get(), kPageBytes, /*writable=*/false);
  return TailShared(*std::move(file), std::move(map));
}

bool TailShared::Read(Page& page) const {
  return file_.valid() && pread(file_.get(), static_cast<void*>(&page), sizeof page, 0) == sizeof page &&
         page.magic == kSharedMagic;
}

Sequence TailShared::durable(const TailFile& tail) const {
  static const BootId this_boot = ThisBoot();
  Page page = {};
  // The inode tells a copy of the log, which has the same log id, from the original: what is durable there may be
  // missing here.
  const bool of_this = Read(page) && page.log_id == tail.log_id() && page.tail_inode == tail.inode() &&
                       page.boot_id == this_boot && this_boot[0] != '\0';
  return of_this ? page.durable : 0;
}

void TailShared::SetDurable(Sequence sequence) {
  std::atomic_ref(page()->durable).store(sequence, std::memory_order_release);
}

void TailShared::Wake() { page()->wakes.Wake(); }

void TailShared::WakeWaiting() const {
  if (page() != nullptr) page()->wakes.WakeWaiting();
}

std::uint32_t TailShared::wake_count() const {
  Page page = {};
  return Read(page) ? page.wakes.wake_count() : 0;
}

// The futex is used only if pread shows that the page is there. Otherwise the wait is a plain sleep; false if a signal
// ended it.
bool TailShared::Wait(std::uint32_t seen, std::chrono::milliseconds timeout) const {
  Page page = {};
  if (map_.valid() && Read(page)) return this->page()->wakes.Wait(seen, timeout);
  const timespec time{0, std::chrono::nanoseconds(std::min(timeout, kLookInterval)).count()};
  return nanosleep(&time, nullptr) == 0 || errno != EINTR;
}

}  // namespace foldlog
