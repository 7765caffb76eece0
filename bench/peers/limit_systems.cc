// What no store can beat on this machine: the least that makes a checkpoint durable, kill-safe, or part of a stream.
// They look like systems, so that they run interleaved with those and are checked like those; but what they keep can't
// be searched, names no operation, and is not told from a torn write.

#include <fcntl.h>
#include <lz4.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <optional>
#include <thread>

#include "bench/peers/systems.h"
#include "engine/base/status_macros.h"
#include "engine/codec/frame.h"
#include "engine/log/store/batch.h"

namespace foldlog::peers {
namespace {

constexpr std::size_t kSlotBytes = 192;  // as foldlog's frame of such a checkpoint has
constexpr std::size_t kPageBytes = 4096;
constexpr std::size_t kFileBytes = std::size_t{12} << 20;  // a multiple of both
constexpr std::chrono::milliseconds kFlushInterval{50};

struct SlotHead {
  std::int64_t number;  // counted from 1; 0: never written
  std::int64_t bytes;
};

absl::Status Failed(const char* what) { return absl::ErrnoToStatus(errno, what); }

class LimitFile : public System {
 public:
  explicit LimitFile(LimitKind kind) : kind_(kind), slot_bytes_(kind == LimitKind::kDirect ? kPageBytes : kSlotBytes) {}
  ~LimitFile() override { Release(); }

  Description Describe(Level) const override {
    Description description{.version = "the kernel's", .is_limit = true, .keeps_errors = false};
    description.many_threads = kind_ == LimitKind::kMapped;
    description.singly = kind_ != LimitKind::kSequential;
    description.in_bulk = kind_ == LimitKind::kSequential;
    description.levels = {kind_ == LimitKind::kOverwrite || kind_ == LimitKind::kDirect ? Level::kDurable
                                                                                        : Level::kKillSafe};
    switch (kind_) {
      case LimitKind::kOverwrite:
        description.settings = "pwrite of 192 bytes and fdatasync into a file that was written before";
        description.promise = "durable on return";
        break;
      case LimitKind::kDirect:
        description.settings = "pwrite of a page with O_DIRECT | O_DSYNC into a file that was written before";
        description.promise = "durable on return";
        break;
      case LimitKind::kMapped:
        description.settings = "memcpy of 192 bytes into a mapped file, beside a thread with fdatasync each 50 ms";
        description.promise = "kill-safe on return, durable within 50 ms and one flush";
        break;
      case LimitKind::kSequential:
        description.settings = "write of 1024 times 192 bytes, and fdatasync at the end";
        description.promise = "kill-safe on return, durable at the end";
        break;
    }
    return description;
  }

  absl::Status Open(const Place& place) override {
    const std::string path = place.directory + "/file";
    const int flags = kind_ == LimitKind::kDirect ? O_DIRECT | O_DSYNC : 0;
    if (access(path.c_str(), F_OK) != 0) RETURN_IF_ERROR(Create(path));
    fd_ = open(path.c_str(), O_RDWR | O_CLOEXEC | flags, 0666);
    if (fd_ < 0) return Failed("open");
    page_.reset(static_cast<char*>(std::aligned_alloc(kPageBytes, kPageBytes)));
    if (page_ == nullptr) return absl::ResourceExhaustedError("no memory");
    std::memset(page_.get(), 0, kPageBytes);
    if (kind_ != LimitKind::kMapped) return absl::OkStatus();
    void* map = mmap(nullptr, kFileBytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd_, 0);
    if (map == MAP_FAILED) return Failed("mmap");
    map_ = static_cast<char*>(map);
    flusher_ = std::thread([this] { FlushAtIntervals(); });
    return absl::OkStatus();
  }

  absl::Status Begin() override { return absl::OkStatus(); }

  absl::Status GoOn() override {
    ASSIGN_OR_RETURN(const Current current, ReadCurrent());
    number_ = current.checkpoints;
    if (kind_ == LimitKind::kSequential && lseek(fd_, 0, SEEK_END) < 0) return Failed("lseek");
    return absl::OkStatus();
  }

  absl::Status Record(int, const Checkpoint& checkpoint) override {
    const std::int64_t number = number_.fetch_add(1, std::memory_order_relaxed) + 1;
    const auto at = static_cast<std::size_t>(number) % (kFileBytes / slot_bytes_) * slot_bytes_;
    if (kind_ == LimitKind::kMapped) return Fill(checkpoint, number, map_ + at);
    RETURN_IF_ERROR(Fill(checkpoint, number, page_.get()));
    if (pwrite(fd_, page_.get(), slot_bytes_, static_cast<off_t>(at)) != static_cast<ssize_t>(slot_bytes_)) {
      return Failed("pwrite");
    }
    return kind_ == LimitKind::kDirect || fdatasync(fd_) == 0 ? absl::OkStatus() : Failed("fdatasync");
  }

  absl::Status RecordAll(std::span<const Checkpoint> checkpoints) override {
    block_.resize(checkpoints.size() * kSlotBytes);
    for (std::size_t i = 0; i < checkpoints.size(); ++i) {
      RETURN_IF_ERROR(Fill(checkpoints[i], ++number_, block_.data() + i * kSlotBytes));
    }
    if (write(fd_, block_.data(), block_.size()) != static_cast<ssize_t>(block_.size())) return Failed("write");
    return absl::OkStatus();
  }

  absl::Status MakeDurable() override { return fdatasync(fd_) == 0 ? absl::OkStatus() : Failed("fdatasync"); }

  // The slot with the highest number; the sequential file's last one.
  absl::StatusOr<Current> ReadCurrent() override {
    struct stat info = {};
    if (fstat(fd_, &info) != 0) return Failed("fstat");
    const auto size = static_cast<std::size_t>(info.st_size);
    if (kind_ == LimitKind::kSequential) {
      return size < kSlotBytes ? absl::NotFoundError("no checkpoints") : ReadFrom(size - kSlotBytes, kSlotBytes);
    }
    return ReadFrom(0, size);
  }

  absl::Status Close() override {
    absl::Status durable = MakeDurable();
    Release();
    return durable;
  }

 private:
  struct Free {
    void operator()(char* memory) const { std::free(memory); }
  };

  // Zeros, written and not merely allocated: an overwrite then changes no metadata. Page by page, because the kernel
  // keeps what was written at once in one large page, and counts all of it as written at each overwrite.
  absl::Status Create(const std::string& path) const {
    const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0) return Failed("open");
    const std::string zeros(kPageBytes, '\0');
    const std::size_t bytes = kind_ == LimitKind::kSequential ? 0 : kFileBytes;
    bool written = true;
    for (std::size_t at = 0; at < bytes && written; at += kPageBytes) {
      written = write(fd, zeros.data(), kPageBytes) == static_cast<ssize_t>(kPageBytes);
    }
    written = written && fsync(fd) == 0;
    close(fd);
    return written ? absl::OkStatus() : Failed("write");
  }

  static absl::Status Fill(const Checkpoint& checkpoint, std::int64_t number, char* slot) {
    thread_local std::string encoded;
    Encode(checkpoint, 0, encoded);
    const SlotHead head{.number = number, .bytes = static_cast<std::int64_t>(encoded.size())};
    if (sizeof head + encoded.size() > kSlotBytes) return absl::InternalError("a checkpoint does not fit a slot");
    std::copy(encoded.begin(), encoded.end(), slot + sizeof head);
    std::memcpy(slot, &head, sizeof head);
    return absl::OkStatus();
  }

  absl::StatusOr<Current> ReadFrom(std::size_t begin, std::size_t bytes) const {
    const std::size_t room = (bytes + kPageBytes - 1) / kPageBytes * kPageBytes;
    const std::unique_ptr<char, Free> read(static_cast<char*>(std::aligned_alloc(kPageBytes, room)));
    const bool whole = pread(fd_, read.get(), bytes, static_cast<off_t>(begin)) == static_cast<ssize_t>(bytes);
    if (!whole) return Failed("pread");
    SlotHead newest = {};
    const char* found = nullptr;
    for (std::size_t at = 0; at + slot_bytes_ <= bytes; at += slot_bytes_) {
      SlotHead head;
      std::memcpy(&head, read.get() + at, sizeof head);
      if (head.number <= newest.number) continue;
      newest = head;
      found = read.get() + at;
    }
    if (found == nullptr) return absl::NotFoundError("no checkpoints");
    const auto decoded = Decode({found + sizeof newest, static_cast<std::size_t>(newest.bytes)});
    if (!decoded) return absl::DataLossError("a slot that can't be read");
    return Current{.checkpoints = newest.number,
                   .files = decoded->record.files,
                   .batch = decoded->record.batch,
                   .path = std::string(decoded->record.path),
                   .name = std::string(decoded->record.name)};
  }

  void FlushAtIntervals() {
    std::unique_lock lock(mutex_);
    while (!stop_.wait_for(lock, kFlushInterval, [this] { return stopping_; })) {
      lock.unlock();
      fdatasync(fd_);
      lock.lock();
    }
  }

  void Release() {
    if (flusher_.joinable()) {
      {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
      }
      stop_.notify_one();
      flusher_.join();
    }
    if (map_ != nullptr) munmap(map_, kFileBytes);
    map_ = nullptr;
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }

  const LimitKind kind_;
  const std::size_t slot_bytes_;
  int fd_ = -1;
  char* map_ = nullptr;
  std::unique_ptr<char, Free> page_;
  std::string block_;
  std::atomic<std::int64_t> number_ = 0;
  std::thread flusher_;
  std::mutex mutex_;
  std::condition_variable stop_;
  bool stopping_ = false;
};

// What a processor needs to hash and pack foldlog's frames, which are made beforehand: a stream can't be faster than
// this on one core. Only how many there were is kept.
class PackingLimit : public System {
 public:
  Description Describe(Level) const override {
    return {.version = std::string("LZ4 ") + LZ4_versionString() + ", xxHash " + std::to_string(XXH_versionNumber()),
            .settings = "XXH3 over each of 1024 frames, LZ4 over all; nothing is written",
            .promise = "none",
            .is_limit = true,
            .keeps_errors = false,
            .many_threads = false,
            .singly = false,
            .levels = {Level::kKillSafe}};
  }

  absl::Status Open(const Place& place) override {
    path_ = place.directory + "/file";
    frames_ = {};
    Records records;
    for (std::int64_t i = 0; i < kRecordsInTurn; ++i) {
      RETURN_IF_ERROR(
          AppendCheckpointFrame(Moment(1'700'000'000'000'000'000 + i * 40'000'000), 1, records.At(i), frames_));
    }
    return absl::OkStatus();
  }

  absl::Status Begin() override { return absl::OkStatus(); }
  absl::Status Record(int, const Checkpoint&) override { return absl::UnimplementedError("in bulk only"); }

  absl::Status RecordAll(std::span<const Checkpoint> checkpoints) override {
    std::span<const std::uint64_t> rest = frames_.words;
    while (const auto frame = FrameAtStartOf(rest)) {
      if (!IsIntact(*frame)) return absl::DataLossError("a frame was changed");
      rest = rest.subspan(frame->size_words());
    }
    packed_ = codec_.Pack(frames_.words);
    current_.checkpoints += static_cast<std::int64_t>(checkpoints.size());
    const RecordView last = ViewOf(checkpoints.back());
    current_.files = last.files;
    current_.batch = last.batch;
    return absl::OkStatus();
  }

  // What was packed last is what it was made of; and the count goes to where the next Open() finds it.
  absl::Status MakeDurable() override {
    std::vector<std::uint64_t> unpacked(frames_.words.size());
    if (packed_.size() >= unpacked.size()) return absl::InternalError("nothing was packed");
    RETURN_IF_ERROR(BatchCodec::UnpackInto(packed_, unpacked));
    if (!std::equal(unpacked.begin(), unpacked.end(), frames_.words.begin(), frames_.words.end())) {
      return absl::DataLossError("what was packed is not what is unpacked");
    }
    const int fd = open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    const std::int64_t kept[] = {current_.checkpoints, current_.files, current_.batch};
    const bool written = fd >= 0 && pwrite(fd, kept, sizeof kept, 0) == sizeof kept;
    close(fd);
    return written ? absl::OkStatus() : Failed("write");
  }

  absl::StatusOr<Current> ReadCurrent() override {
    std::int64_t kept[3] = {};
    const int fd = open(path_.c_str(), O_RDONLY | O_CLOEXEC);
    const bool read = fd >= 0 && pread(fd, kept, sizeof kept, 0) == sizeof kept;
    close(fd);
    if (!read) return absl::NotFoundError("nothing was packed");
    Records records;
    const RecordView last = ViewOf(records.At(kept[1]));
    return Current{.checkpoints = kept[0],
                   .files = kept[1],
                   .batch = kept[2],
                   .path = std::string(last.path),
                   .name = std::string(last.name)};
  }

  absl::Status Close() override { return absl::OkStatus(); }

 private:
  std::string path_;
  FrameRun frames_;
  BatchCodec codec_;
  std::span<const std::uint64_t> packed_;
  Current current_;
};

}  // namespace

std::unique_ptr<System> NewLimit(LimitKind kind) { return std::make_unique<LimitFile>(kind); }
std::unique_ptr<System> NewPackingLimit() { return std::make_unique<PackingLimit>(); }

}  // namespace foldlog::peers
