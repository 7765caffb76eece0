#include "engine/base/fork_guard.h"

#include <sys/mman.h>
#include <unistd.h>

#include <atomic>

#include "absl/strings/str_cat.h"

namespace foldlog {
namespace {

// The number of this process among its ancestors that used the library. It lies in a page that the kernel wipes in a
// child (madvise(2), MADV_WIPEONFORK), whichever call made the child. getpid() would be a system call each time, and a
// handler of pthread_atfork() is not called for a plain clone().
class ProcessNumber {
 public:
  static std::uint64_t Get() { return Numbers().Current(); }

  // Where the number is, 0 in a child that has none yet. Null for kernels before 4.14, which lack MADV_WIPEONFORK.
  static const std::atomic<std::uint64_t>* Page() { return Numbers().current_; }

 private:
  static ProcessNumber& Numbers() {
    static ProcessNumber& numbers = *new ProcessNumber;
    return numbers;
  }

  ProcessNumber() {
    constexpr std::size_t kPageBytes = 4096;
    void* page = mmap(nullptr, kPageBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page != MAP_FAILED && madvise(page, kPageBytes, MADV_WIPEONFORK) == 0) {
      current_ = static_cast<std::atomic<std::uint64_t>*>(page);
    }
  }

  std::uint64_t Current() {
    if (current_ == nullptr) return 0;
    const std::uint64_t number = current_->load(std::memory_order_relaxed);
    return number != 0 ? number : NewNumber();
  }

  // In a child the page is wiped, but last_ has the parent's value, so the child's number is a new one.
  std::uint64_t NewNumber() {
    std::uint64_t none = 0;
    const std::uint64_t number = last_.load(std::memory_order_relaxed) + 1;
    // Another thread was first: its number is the process's.
    if (!current_->compare_exchange_strong(none, number)) return none;
    last_.store(number, std::memory_order_relaxed);
    return number;
  }

  std::atomic<std::uint64_t>* current_ = nullptr;
  std::atomic<std::uint64_t> last_ = 0;
};

}  // namespace

ForkGuard::ForkGuard() : page_(ProcessNumber::Page()), number_(ProcessNumber::Get()), pid_(getpid()) {}

bool ForkGuard::IsSameProcess() const { return getpid() == pid_; }

absl::Status ForkGuard::Refuse(const std::string& log_name) const {
  return absl::FailedPreconditionError(
      absl::StrCat("the log ", log_name, " was opened by process ", pid_,
                   ", not by this child of it; write there, or open the log anew here after "
                   "process ",
                   pid_, " has closed it"));
}

}  // namespace foldlog
