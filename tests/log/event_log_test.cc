// The contract suite on every adapter.

#include "foldlog/log_directory.h"
#include "tests/support/event_log_contract.h"

namespace foldlog {
namespace {

struct MemoryBackend {
  static constexpr bool kPersistent = false;
  std::unique_ptr<EventLog> Open() { return NewMemoryLog(); }
};

template <std::uint64_t kTailBytes>
struct DirectoryBackend {
  static constexpr bool kPersistent = true;
  std::unique_ptr<EventLog> Open() {
    auto opened = OpenLogForWriting(directory / "log", {.tail_bytes = kTailBytes});
    EXPECT_OK(opened);
    return std::move(opened->log);
  }
  TempDir directory;
};

// Nearly all events stay in the tail.
using LargeTailBackend = DirectoryBackend<16 << 20>;

// Longer runs go round it, and what is appended has to wait for the drain.
using SmallTailBackend = DirectoryBackend<64 << 10>;

using Backends = testing::Types<MemoryBackend, LargeTailBackend, SmallTailBackend>;
INSTANTIATE_TYPED_TEST_SUITE_P(Adapters, EventLogContract, Backends);

}  // namespace
}  // namespace foldlog
