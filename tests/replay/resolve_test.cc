// Which operation a person means.

#include "foldlog/history.h"
#include "tests/support/test_support.h"

namespace foldlog {
namespace {

using absl::StatusCode;
using testing::HasSubstr;

class ResolveTest : public testing::Test {
 protected:
  ResolveTest() {
    EngineOptions options = DeterministicOptions();
    options.new_id = [ids = std::vector<std::string>{"abc", "abcd", "axe", "abcd"}, next = 0u]() mutable {
      return ids.at(next++);
    };
    auto engine = Engine::Open(NewWritableMemoryLog(), options);
    EXPECT_OK(engine);
    engine_ = *std::move(engine);
  }

  OperationHandle Start() {
    auto handle = engine_->Start({});
    EXPECT_OK(handle);
    return *handle;
  }
  Sequence FirstOf(const std::string& text) {
    const auto entry = ResolveOperation(engine_->log(), text);
    EXPECT_OK(entry);
    return entry.ok() ? entry->operation.first_sequence : 0;
  }
  absl::Status Refused(const std::string& text) { return ResolveOperation(engine_->log(), text).status(); }

  std::unique_ptr<Engine> engine_;
};

TEST_F(ResolveTest, WordsIdsAndPrefixesNameOperations) {
  EXPECT_THAT(Refused("last"), Fails(StatusCode::kNotFound, HasSubstr("has only 0 operations")));
  for (int i = 0; i < 3; ++i) ASSERT_OK(engine_->Complete(Start()));  // 1, 3, 5
  EXPECT_THAT(Refused("active"), Fails(StatusCode::kNotFound, HasSubstr("\"last\" means the latest")));
  Start();  // 7
  EXPECT_EQ(FirstOf("active"), 7u);
  EXPECT_EQ(FirstOf("last"), 7u);
  EXPECT_EQ(FirstOf("last~1"), 5u);
  EXPECT_EQ(FirstOf("last~3"), 1u);
  EXPECT_THAT(Refused("last~4"), Fails(StatusCode::kNotFound, HasSubstr("only 4 operations")));
  EXPECT_EQ(FirstOf("ax"), 5u);
  EXPECT_EQ(FirstOf("abc"), 1u) << "complete, though others begin so";
  EXPECT_EQ(FirstOf("abcd"), 7u) << "its latest use";
  EXPECT_THAT(Refused("ab"), Fails(StatusCode::kInvalidArgument, HasSubstr("abcd, abc; give more of the id")));
  for (const char* text : {"b", "last~", "last~x", "lasting"}) {
    EXPECT_THAT(Refused(text), Fails(StatusCode::kNotFound, HasSubstr("knows no operation")));
  }
  EXPECT_THAT(Refused(""), Fails(StatusCode::kInvalidArgument, HasSubstr("named by its id")));
}

TEST_F(ResolveTest, AnOperationThatWasResetIsNotActive) {
  Start();
  ASSERT_OK(engine_->Reset("stop"));
  EXPECT_THAT(Refused("active"), Fails(StatusCode::kNotFound, HasSubstr("no operation is active")));
  EXPECT_EQ(FirstOf("last"), 1u);
}

}  // namespace
}  // namespace foldlog
