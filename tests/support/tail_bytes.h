// The bytes of a file `tail`, for tests that damage them.

#ifndef FOLDLOG_TESTS_SUPPORT_TAIL_BYTES_H_
#define FOLDLOG_TESTS_SUPPORT_TAIL_BYTES_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

#include "engine/codec/frame.h"
#include "engine/log/tail/copy.h"

namespace foldlog {

inline constexpr std::size_t kTailCopyOffset = 4096;

// Where its ring begins.
inline std::size_t TailRingOffset(const std::string& tail) {
  std::uint32_t bytes = 0;
  std::memcpy(&bytes, tail.data() + 12, sizeof bytes);
  return bytes;
}

// Where the frame of event `sequence` begins, from `from` on.
inline std::size_t FindFrame(const std::string& tail, std::uint64_t sequence, std::size_t from) {
  for (std::size_t at = from; at + sizeof(FrameHeader) < tail.size(); at += sizeof(std::uint64_t)) {
    FrameHeader header = {};
    std::memcpy(&header, tail.data() + at, sizeof header);
    if (header.magic == kFrameMagic && header.sequence == sequence) return at;
  }
  return std::string::npos;
}

// Changes a bit in the payload of event `sequence` wherever it stands, in the ring and in its copy. Returns in how many
// places.
inline int TearFrame(std::string& tail, std::uint64_t sequence) {
  int places = 0;
  for (std::size_t at = FindFrame(tail, sequence, kTailCopyOffset); at != std::string::npos;
       at = FindFrame(tail, sequence, at + sizeof(std::uint64_t))) {
    tail[at + sizeof(FrameHeader) + 8] ^= 1;
    ++places;
  }
  return places;
}

// Makes every mark of the copy claim `claim`.
inline void SetClaims(std::string& tail, const TailClaim& claim) {
  for (std::size_t at = kTailCopyOffset; at < TailRingOffset(tail); at += sizeof(CopyPage)) {
    CopyPage page;
    std::memcpy(&page, tail.data() + at, sizeof page);
    SetClaim(page, (at - kTailCopyOffset) / sizeof page, claim);
    std::memcpy(tail.data() + at, &page, sizeof page);
  }
}

// Leaves of the copy what a file has in which nothing was ever made durable.
inline void ForgetCopy(std::string& tail) {
  std::memset(tail.data() + kTailCopyOffset, 0, TailRingOffset(tail) - kTailCopyOffset);
}

}  // namespace foldlog

#endif  // FOLDLOG_TESTS_SUPPORT_TAIL_BYTES_H_
