#include "bench/peers/record.h"

#include <xxhash.h>

#include <algorithm>
#include <chrono>
#include <cstring>

#include "bench/generated_log.h"

namespace foldlog::peers {

Records::Records() {
  CheckpointGenerator generator(/*errors_per_10000=*/0);
  turn_.reserve(kRecordsInTurn);
  for (std::int64_t i = 0; i < kRecordsInTurn; ++i) turn_.push_back(generator.Next());
}

std::span<const Checkpoint> Records::From(std::int64_t first, std::int64_t count) {
  const std::int64_t begin = first % kRecordsInTurn;
  const std::int64_t taken = std::min(count, kRecordsInTurn - begin);
  for (std::int64_t i = 0; i < taken; ++i) At(first + i);
  return {turn_.data() + begin, static_cast<std::size_t>(taken)};
}

Checkpoint Failing(const Checkpoint& checkpoint) {
  Checkpoint failing = checkpoint;
  failing.error = FileError{*checkpoint.current_path, "unexpected end of file"};
  return failing;
}

RecordView ViewOf(const Checkpoint& checkpoint) {
  return {
      .files = checkpoint.files_processed,
      .batch = checkpoint.batch_num.value_or(0),
      .path = checkpoint.current_path ? std::string_view(*checkpoint.current_path) : std::string_view(),
      .name = checkpoint.last_processed_file ? std::string_view(*checkpoint.last_processed_file) : std::string_view(),
      .has_error = checkpoint.error.has_value()};
}

std::uint64_t ContentOf(const RecordView& record) {
  const std::uint64_t numbers[] = {static_cast<std::uint64_t>(record.files), static_cast<std::uint64_t>(record.batch),
                                   record.path.size(), record.has_error ? 1U : 0U};
  std::uint64_t hash = XXH3_64bits(numbers, sizeof numbers);
  hash = XXH3_64bits_withSeed(record.path.data(), record.path.size(), hash);
  return XXH3_64bits_withSeed(record.name.data(), record.name.size(), hash);
}

void Encode(const Checkpoint& checkpoint, std::int64_t errors, std::string& out) {
  const RecordView view = ViewOf(checkpoint);
  const std::string_view message = checkpoint.error ? std::string_view(checkpoint.error->message) : std::string_view();
  const std::string_view error_path = checkpoint.error ? std::string_view(checkpoint.error->path) : std::string_view();
  const auto size = [](std::string_view text) { return static_cast<std::uint32_t>(text.size()); };
  const Encoding head{.time_ns = std::chrono::system_clock::now().time_since_epoch().count(),
                      .files = view.files,
                      .batch = view.batch,
                      .errors = errors,
                      .path_bytes = size(view.path),
                      .name_bytes = size(view.name),
                      .message_bytes = size(message),
                      .error_path_bytes = size(error_path)};
  out.assign(reinterpret_cast<const char*>(&head), sizeof head);
  out.append(view.path).append(view.name).append(message).append(error_path);
}

std::optional<Decoded> Decode(std::string_view bytes) {
  Encoding head;
  if (bytes.size() < sizeof head) return std::nullopt;
  std::memcpy(&head, bytes.data(), sizeof head);
  const std::string_view texts = bytes.substr(sizeof head);
  const std::size_t needed =
      std::size_t{head.path_bytes} + head.name_bytes + head.message_bytes + head.error_path_bytes;
  if (texts.size() < needed) return std::nullopt;
  return Decoded{.record = {.files = head.files,
                            .batch = head.batch,
                            .path = texts.substr(0, head.path_bytes),
                            .name = texts.substr(head.path_bytes, head.name_bytes),
                            .has_error = head.message_bytes != 0},
                 .errors = head.errors};
}

}  // namespace foldlog::peers
