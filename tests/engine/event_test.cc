// Names of what an event may say: people and scripts give them, too.

#include "foldlog/event.h"

#include "tests/support/test_support.h"

namespace foldlog {
namespace {

TEST(Names, ParseBackToWhatTheyName) {
  for (const OperationType type : {OperationType::kInitial, OperationType::kIncremental, OperationType::kRecovery}) {
    EXPECT_EQ(ParseOperationType(Name(type)), type);
  }
  EXPECT_FALSE(ParseOperationType("full").has_value());
  EXPECT_EQ(Name(Evidence::kMachineRebooted), "machine_rebooted");
}

}  // namespace
}  // namespace foldlog
