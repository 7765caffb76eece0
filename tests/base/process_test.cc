// Running processes, as /proc tells of them.

#include "engine/base/process.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>

#include "tests/support/child_process.h"
#include "tests/support/test_support.h"

namespace foldlog {
namespace {

TEST(ProcessTest, TellsOfThisProcessWhatTheSystemTells) {
  const ProcView view = LookAtProc();
  ASSERT_NE(view.self, 0);
  const auto self = ReadProcess(view.self);
  ASSERT_TRUE(self.has_value());
  EXPECT_EQ(self->name, std::string(program_invocation_short_name).substr(0, 15));
  EXPECT_EQ(self->pids.back(), getpid());
  EXPECT_GT(self->start_ticks.value_or(0), 0u);
  EXPECT_TRUE(IsRunning(*self));
  EXPECT_EQ(NumberOf(getpid(), view), view.self);
  EXPECT_NE(PidNamespaceOf(view.self), 0u);
  EXPECT_EQ(PidNamespaceOf(view.self), view.pid_namespace);
  ASSERT_FALSE(ArgumentsOf(view.self).empty());
  EXPECT_THAT(ArgumentsOf(view.self)[0], testing::HasSubstr("process_test"));
}

TEST(ProcessTest, ChildIsListedUntilItIsReapedAndRunsUntilItDies) {
  const pid_t child = fork();
  if (child == 0) _exit(SleepForever());
  const ProcView view = LookAtProc();
  const auto number = NumberOf(child, view);
  ASSERT_TRUE(number.has_value());
  EXPECT_TRUE(IsRunning(*ReadProcess(*number)));
  EXPECT_EQ(ReadProcess(*number)->parent, view.self);
  const auto listed = [&] {
    const AllProcesses all = ReadAllProcesses();
    return std::any_of(all.processes.begin(), all.processes.end(),
                       [&](const Process& process) { return process.number == *number; });
  };
  EXPECT_TRUE(listed());
  kill(child, SIGKILL);
  siginfo_t info = {};
  waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT);
  EXPECT_FALSE(IsRunning(*ReadProcess(*number))) << "a zombie";
  waitpid(child, nullptr, 0);
  EXPECT_FALSE(ReadProcess(*number).has_value());
  EXPECT_FALSE(listed());
}

TEST(ProcessTest, NumbersThatNoProcessHasTellNothing) {
  for (const std::int64_t number : {std::int64_t{0}, std::int64_t{-1}, std::int64_t{1} << 40}) {
    EXPECT_FALSE(ReadProcess(number).has_value()) << number;
    EXPECT_TRUE(ArgumentsOf(number).empty()) << number;
  }
}

TEST(ProcessTest, BootHasOneNameAllTheTime) {
  EXPECT_EQ(ReadKernelBoot().id, ReadKernelBoot().id);
  EXPECT_EQ(ReadKernelBoot().id.size(), 36u);
}

}  // namespace
}  // namespace foldlog
