// The pieces that event and state messages share, and the way every message is encoded and decoded: one segment out,
// one segment in, exceptions turned into a status.

#ifndef FOLDLOG_CODEC_CODEC_PARTS_H_
#define FOLDLOG_CODEC_CODEC_PARTS_H_

#include <capnp/message.h>
#include <capnp/serialize.h>
#include <kj/exception.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "foldlog/event.h"
#include "foldlog/owner.h"
#include "schema/event.capnp.h"

namespace foldlog {

inline capnp::Data::Reader ToData(const std::string& bytes) {
  return kj::arrayPtr(reinterpret_cast<const kj::byte*>(bytes.data()), bytes.size());
}

inline std::string FromData(capnp::Data::Reader data) {
  return std::string(reinterpret_cast<const char*>(data.begin()), data.size());
}

// An empty string is stored as a null pointer: the same value for one word less.
template <typename Setter>
void SetUnlessEmpty(const std::string& bytes, Setter set) {
  if (!bytes.empty()) set(ToData(bytes));
}

// An optional count is stored as -1 when absent; any other negative number is damage.
inline std::int64_t ToCount(const std::optional<std::int64_t>& count) { return count.value_or(-1); }
absl::StatusOr<std::optional<std::int64_t>> FromCount(std::int64_t stored, const char* what);
absl::StatusOr<std::int64_t> FromPlainCount(std::int64_t stored, const char* what);

void EncodeOwner(const Owner& owner, schema::Owner::Builder out);
Owner DecodeOwner(schema::Owner::Reader in);

void EncodePaths(const std::vector<std::string>& paths, capnp::List<capnp::Data>::Builder out);
std::vector<std::string> DecodePaths(capnp::List<capnp::Data>::Reader in);

void EncodeMetadata(const Metadata& metadata, capnp::List<schema::Pair>::Builder out);
Metadata DecodeMetadata(capnp::List<schema::Pair>::Reader in);

void EncodeStats(const Stats& stats, capnp::List<schema::Statistic>::Builder out);
absl::StatusOr<Stats> DecodeStats(capnp::List<schema::Statistic>::Reader in);

absl::StatusOr<OperationType> DecodeOperationType(schema::OperationType type);
absl::StatusOr<OperationStatus> DecodeOperationStatus(schema::OperationStatus status);

// Stands for "not completed" where an operation or a row has that time: no event has this one.
inline constexpr std::int64_t kNotCompleted = std::numeric_limits<std::int64_t>::min();

// Room that fits any event or state in one segment: the bytes of its strings, `fixed_words` for structs and pointers,
// and kWordsPerElement for each list element. With too small a bound, encoding fails.
class SizeBound {
 public:
  SizeBound() = default;
  explicit SizeBound(std::size_t fixed_words) : words_(fixed_words) {}

  void Add(const std::string& bytes) { words_ += bytes.size() / sizeof(std::uint64_t) + 1; }
  void Add(const Owner& owner);
  void Add(const std::vector<std::string>& paths);
  void Add(const Metadata& metadata);
  void Add(const Stats& stats);
  void Add(const FileError& error);
  void Add(const std::vector<ImportedError>& errors);
  std::size_t words() const { return words_; }

 private:
  static constexpr std::size_t kFixedWords = 96;
  static constexpr std::size_t kWordsPerElement = 8;
  std::size_t words_ = kFixedWords;
};

// Builds a message of root type `Root` in one segment at the end of `words`. In place, because every event is built so.
template <typename Root, typename Fill>
absl::Status EncodeMessage(const SizeBound& bound, std::vector<std::uint64_t>& words, Fill fill) {
  const std::size_t old_size = words.size();
  try {
    words.resize(old_size + bound.words());  // zeros, as the builder demands
    capnp::FlatMessageBuilder message(
        kj::arrayPtr(reinterpret_cast<capnp::word*>(words.data() + old_size), bound.words()));
    fill(message.initRoot<Root>());
    words.resize(old_size + message.getSegmentsForOutput()[0].size());
    return absl::OkStatus();
  } catch (const kj::Exception& e) {
    words.resize(old_size);
    return absl::InternalError(absl::StrCat("cannot encode: ", e.getDescription().cStr()));
  }
}

// Reads a message of root type `Root` from one segment and passes it to `read`, which returns a StatusOr. Cap'n Proto
// checks the bounds of pointers. The traversal limit keeps a message whose pointers overlap from unfolding into more
// than a small multiple of itself.
template <typename Root, typename Read>
auto DecodeMessage(std::span<const std::uint64_t> words, Read read)
    -> decltype(read(std::declval<typename Root::Reader>())) {
  constexpr std::uint64_t kTraversalFactor = 4;  // each object is visited at most a few times: has…() and get…()
  constexpr std::uint64_t kTraversalSlackWords = 1024;
  try {
    const kj::ArrayPtr<const capnp::word> segment(reinterpret_cast<const capnp::word*>(words.data()), words.size());
    capnp::ReaderOptions options;
    options.traversalLimitInWords = kTraversalFactor * words.size() + kTraversalSlackWords;
    capnp::SegmentArrayMessageReader message(kj::arrayPtr(&segment, 1), options);
    return read(message.getRoot<Root>());
  } catch (const kj::Exception& e) {
    return absl::DataLossError(absl::StrCat("not a valid message: ", e.getDescription().cStr()));
  }
}

}  // namespace foldlog

#endif  // FOLDLOG_CODEC_CODEC_PARTS_H_
