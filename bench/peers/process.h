// Children that do one part of a measurement each and end as they are told, by SIGKILL if it is to be seen what is left
// then; and what the kernel counts. No system is ever opened in the parent: many don't survive a fork.

#ifndef FOLDLOG_BENCH_PEERS_PROCESS_H_
#define FOLDLOG_BENCH_PEERS_PROCESS_H_

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <new>
#include <string>
#include <type_traits>

#include "absl/status/status.h"

namespace foldlog::peers {

// A value that a child fills in and its parent reads.
template <typename Value>
class Shared {
  static_assert(std::is_trivially_destructible_v<Value>);

 public:
  Shared() {
    void* memory = mmap(nullptr, sizeof(Value), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    value_ = new (memory) Value;
  }
  ~Shared() { munmap(value_, sizeof(Value)); }
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;
  Value* operator->() const { return value_; }
  Value& operator*() const { return *value_; }

 private:
  Value* value_;
};

enum class Ending {
  kExit,     // after the work
  kSigkill,  // right after the work, with everything open
};

// Runs `work` in a child and waits for it. What it returns, or how else it ended.
absl::Status RunInChild(const std::function<absl::Status()>& work, Ending ending);

// A child that works beside this process, until it is waited for.
class Child {
 public:
  explicit Child(const std::function<absl::Status()>& work, Ending ending = Ending::kExit);
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  absl::Status Wait();

 private:
  struct Message {
    bool done = false;
    int code = 0;
    char text[1024] = {};
  };
  const Ending ending_;
  int pid_ = -1;
  Shared<Message> message_;
};

// Bytes that this process has made the kernel write, from /proc/self/io; 0 if it does not tell. What was taken back
// before it was written is not among them.
std::uint64_t BytesWritten();

// Bytes written so far to the device that holds `path`, by everybody, after a sync of its file system; 0 if the kernel
// does not tell.
std::uint64_t DeviceBytesAfterSync(const std::string& path);

// Bytes that the files in `directory` take on the disk.
std::uint64_t BytesKept(const std::string& directory);

// A new directory in `parent`, removed with all in it at the end.
class ScratchPlace {
 public:
  explicit ScratchPlace(const std::string& parent);
  ~ScratchPlace();
  ScratchPlace(const ScratchPlace&) = delete;
  ScratchPlace& operator=(const ScratchPlace&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace foldlog::peers

#endif  // FOLDLOG_BENCH_PEERS_PROCESS_H_
