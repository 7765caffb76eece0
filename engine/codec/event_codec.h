// Events as Cap'n Proto messages: the payload of a frame. No exception of the library leaves these functions, and no
// byte is trusted. Threads: any; the functions are pure.

#ifndef FOLDLOG_CODEC_EVENT_CODEC_H_
#define FOLDLOG_CODEC_EVENT_CODEC_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "foldlog/event.h"

namespace foldlog {

// The most that the message of such an event may take.
std::size_t MaxBytesOf(const EventBody& body);

// Appends the event to `words` as one segment, without a segment table.
absl::Status EncodeEvent(const Event& event, std::vector<std::uint64_t>& words);

// The event in `words`. DataLoss if the bytes are no event; Unimplemented if this version does not know its kind.
absl::StatusOr<Event> DecodeEvent(std::span<const std::uint64_t> words);

// DecodeEvent() by Cap'n Proto alone, without the short way for plain checkpoints.
absl::StatusOr<Event> DecodeAnyEvent(std::span<const std::uint64_t> words);

}  // namespace foldlog

#endif  // FOLDLOG_CODEC_EVENT_CODEC_H_
