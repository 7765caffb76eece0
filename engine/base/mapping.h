// A shared mapping of a file, with an owner.

#ifndef FOLDLOG_BASE_MAPPING_H_
#define FOLDLOG_BASE_MAPPING_H_

#include <sys/mman.h>

#include <cstddef>
#include <utility>

namespace foldlog {

class Mapping {
 public:
  Mapping() = default;

  // Not valid() if it failed; errno says why.
  Mapping(int fd, std::size_t bytes, bool writable)
      : data_(mmap(nullptr, bytes, writable ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, fd, 0)), bytes_(bytes) {}

  Mapping(Mapping&& other) noexcept : data_(std::exchange(other.data_, MAP_FAILED)), bytes_(other.bytes_) {}
  Mapping& operator=(Mapping&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping() {
    if (valid()) munmap(data_, bytes_);
  }

  bool valid() const { return data_ != MAP_FAILED; }
  std::byte* data() const { return static_cast<std::byte*>(data_); }
  std::size_t bytes() const { return bytes_; }

 private:
  void* data_ = MAP_FAILED;
  std::size_t bytes_ = 0;
};

}  // namespace foldlog

#endif  // FOLDLOG_BASE_MAPPING_H_
