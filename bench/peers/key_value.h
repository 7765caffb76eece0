// A log in a store of keys and values: a checkpoint is a value under (operation, number), whose bytes sort as those do.
// So the state is the last entry, an old operation's the last one before the next operation, and all of it a pass.

#ifndef FOLDLOG_BENCH_PEERS_KEY_VALUE_H_
#define FOLDLOG_BENCH_PEERS_KEY_VALUE_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bench/peers/system.h"

namespace foldlog::peers {

// Both numbers with their highest byte first.
using Key = std::array<char, 16>;
Key KeyOf(std::int64_t operation, std::int64_t number);
inline std::string_view BytesOf(const Key& key) { return {key.data(), key.size()}; }

// What an adapter of such a store has to do; the rest of System is done here.
class KeyValueSystem : public System {
 public:
  absl::Status Open(const Place& place) final;
  absl::Status OpenToRead(const Place& place) final;
  absl::Status Begin() final;
  absl::Status Record(int thread, const Checkpoint& checkpoint) final;
  absl::Status RecordAll(std::span<const Checkpoint> checkpoints) final;
  absl::StatusOr<Current> ReadCurrent() final;
  absl::StatusOr<Current> ReadOperation(std::int64_t number) final;
  absl::Status Scan(const Visit& visit) final;

 protected:
  // Gives the next entry of a batch, valid until it is called again; false at the end.
  using NextEntry = std::function<bool(std::string_view& key, std::string_view& value)>;
  using VisitEntry = std::function<void(std::string_view key, std::string_view value)>;

  virtual absl::Status OpenStore(const Place& place) = 0;
  virtual absl::Status OpenStoreToRead(const Place&) { return absl::UnimplementedError("not from another process"); }
  virtual absl::Status Put(int thread, std::string_view key, std::string_view value) = 0;
  virtual absl::Status PutAll(const NextEntry& next) = 0;
  // Calls `visit` with the last entry whose key is less than `bound`; not at all if there is none.
  virtual absl::Status LastBefore(std::string_view bound, const VisitEntry& visit) = 0;
  virtual absl::Status Each(const VisitEntry& visit) = 0;

 private:
  absl::StatusOr<Current> ReadLastBefore(const Key& bound);

  std::int64_t operation_ = 0;
  std::atomic<std::int64_t> number_ = 0;  // of the last checkpoint of the operation
  std::atomic<std::int64_t> errors_ = 0;
};

}  // namespace foldlog::peers

#endif  // FOLDLOG_BENCH_PEERS_KEY_VALUE_H_
