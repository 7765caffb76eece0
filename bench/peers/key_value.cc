#include "bench/peers/key_value.h"

#include <limits>

#include "engine/base/status_macros.h"

namespace foldlog::peers {
namespace {

constexpr std::int64_t kNoOperation = std::numeric_limits<std::int64_t>::max();

void PutBigEndian(std::int64_t value, char* out) {
  for (int byte = 7; byte >= 0; --byte, value >>= 8) out[byte] = static_cast<char>(value & 0xff);
}

std::int64_t BigEndian(const char* bytes) {
  std::uint64_t value = 0;
  for (int byte = 0; byte < 8; ++byte) value = value << 8 | static_cast<unsigned char>(bytes[byte]);
  return static_cast<std::int64_t>(value);
}

}  // namespace

Key KeyOf(std::int64_t operation, std::int64_t number) {
  Key key;
  PutBigEndian(operation, key.data());
  PutBigEndian(number, key.data() + 8);
  return key;
}

absl::Status KeyValueSystem::Open(const Place& place) {
  RETURN_IF_ERROR(OpenStore(place));
  return LastBefore(BytesOf(KeyOf(kNoOperation, 0)), [this](std::string_view key, std::string_view value) {
    operation_ = BigEndian(key.data());
    number_ = BigEndian(key.data() + 8);
    if (const auto decoded = Decode(value)) errors_ = decoded->errors;
  });
}

absl::Status KeyValueSystem::OpenToRead(const Place& place) { return OpenStoreToRead(place); }

absl::Status KeyValueSystem::Begin() {
  ++operation_;
  number_ = 0;
  errors_ = 0;
  return absl::OkStatus();
}

absl::Status KeyValueSystem::Record(int thread, const Checkpoint& checkpoint) {
  thread_local std::string value;
  const std::int64_t errors = checkpoint.error ? ++errors_ : errors_.load(std::memory_order_relaxed);
  const Key key = KeyOf(operation_, number_.fetch_add(1, std::memory_order_relaxed) + 1);
  Encode(checkpoint, errors, value);
  return Put(thread, BytesOf(key), value);
}

absl::Status KeyValueSystem::RecordAll(std::span<const Checkpoint> checkpoints) {
  std::string encoded;
  Key key_bytes;
  std::size_t next = 0;
  return PutAll([&](std::string_view& key, std::string_view& value) {
    if (next == checkpoints.size()) return false;
    const Checkpoint& checkpoint = checkpoints[next++];
    key_bytes = KeyOf(operation_, ++number_);
    Encode(checkpoint, checkpoint.error ? ++errors_ : errors_.load(), encoded);
    key = BytesOf(key_bytes);
    value = encoded;
    return true;
  });
}

absl::StatusOr<Current> KeyValueSystem::ReadLastBefore(const Key& bound) {
  absl::StatusOr<Current> current = absl::NotFoundError("no checkpoints");
  RETURN_IF_ERROR(LastBefore(BytesOf(bound), [&current](std::string_view key, std::string_view value) {
    const auto decoded = Decode(value);
    if (!decoded || key.size() != sizeof(Key)) {
      current = absl::DataLossError("a value that can't be read");
      return;
    }
    current = Current{.checkpoints = BigEndian(key.data() + 8),
                      .errors = decoded->errors,
                      .files = decoded->record.files,
                      .batch = decoded->record.batch,
                      .path = std::string(decoded->record.path),
                      .name = std::string(decoded->record.name)};
  }));
  return current;
}

absl::StatusOr<Current> KeyValueSystem::ReadCurrent() { return ReadLastBefore(KeyOf(kNoOperation, 0)); }

absl::StatusOr<Current> KeyValueSystem::ReadOperation(std::int64_t number) {
  return ReadLastBefore(KeyOf(number + 1, 0));
}

absl::Status KeyValueSystem::Scan(const Visit& visit) {
  bool whole = true;
  RETURN_IF_ERROR(Each([&](std::string_view, std::string_view value) {
    const auto decoded = Decode(value);
    whole = whole && decoded.has_value();
    if (decoded) visit(decoded->record);
  }));
  return whole ? absl::OkStatus() : absl::DataLossError("a value that can't be read");
}

}  // namespace foldlog::peers
