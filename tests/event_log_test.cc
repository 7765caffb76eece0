// The contract suite on every adapter.

#include "foldlog/log_directory.h"
#include "tests/event_log_contract.h"

namespace foldlog {
namespace {

struct MemoryBackend {
  static constexpr bool kPersistent = false;
  std::unique_ptr<EventLog> Open() { return NewMemoryLog(); }
};

struct LmdbBackend {
  static constexpr bool kPersistent = true;
  std::unique_ptr<EventLog> Open() {
    auto opened = OpenLogForWriting(directory / "log");
    EXPECT_OK(opened);
    return std::move(opened->log);
  }
  TempDir directory;
};

using Backends = testing::Types<MemoryBackend, LmdbBackend>;
INSTANTIATE_TYPED_TEST_SUITE_P(Adapters, EventLogContract, Backends);

}  // namespace
}  // namespace foldlog
