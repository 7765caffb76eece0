// Owners: what the facts prove. Real processes, really killed.

#include "foldlog/owner.h"

#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <fstream>
#include <thread>

#include "tests/support/test_support.h"

namespace foldlog {
namespace {

using testing::HasSubstr;

// A child that sleeps until it is killed.
class Child {
 public:
  Child() : pid_(fork()) {
    if (pid_ == 0) {
      while (true) pause();
    }
  }
  ~Child() { Kill(), Reap(); }
  pid_t pid() const { return pid_; }
  void Kill() const { kill(pid_, SIGKILL); }
  void Reap() const { waitpid(pid_, nullptr, 0); }
  void AwaitZombie() const {
    siginfo_t info = {};
    waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOWAIT);
  }

 private:
  pid_t pid_;
};

bool FirstThreadEnded(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string text;
  std::getline(file, text);
  return text.find(") Z") != std::string::npos;
}

class OwnerTest : public testing::Test {
 protected:
  const Owner self_ = DescribeThisProcess("self");
  const LogPlace here_ = {.file_system = 1, .device = 2, .directory = 3, .lock_file = 4};
  const WriterInfo unlocked_ = {.place = here_};
  // As after `rm writer.lock`: a running owner may still hold the file that had that name.
  const WriterInfo lock_replaced_ = {.place = {.file_system = 1, .device = 2, .directory = 3, .lock_file = 5}};
  const WriterInfo copy_ = {.place = {.file_system = 1, .device = 2, .directory = 30, .lock_file = 40}};

  WriterInfo Lock(bool held, const Owner& writer) const { return {.held = held, .writer = writer, .place = here_}; }

  Owner At(pid_t pid, const char* instance, bool holds_log) const {
    Owner owner = *DescribeProcess(pid, instance);
    owner.holds_log = holds_log;
    owner.place = here_;
    return owner;
  }
  Owner Holder(pid_t pid) const { return At(pid, "holder", true); }
  Owner Script(pid_t pid) const { return At(pid, "script", false); }

  // An owner that this process can't look for.
  Owner Elsewhere(bool holds_log) const {
    Owner owner = At(getpid(), "elsewhere", holds_log);
    owner.pid_namespace = 1;
    owner.start_ticks = 0;
    owner.machine_id = "of its container";
    owner.boot_id = "of its container";
    owner.kernel_boot_id = false;
    return owner;
  }

  // As Elsewhere(), but by the kernel's own word from another boot.
  Owner FromAnotherBoot(bool holds_log, const std::string& machine_id) const {
    Owner owner = At(getpid(), "earlier", holds_log);
    owner.boot_id = "earlier";
    owner.machine_id = machine_id;
    return owner;
  }
};

TEST_F(OwnerTest, DescribesThisProcess) {
  EXPECT_EQ(self_.pid, getpid());
  EXPECT_EQ(self_.instance, "self");
  EXPECT_GT(self_.start_ticks, 0u);
  EXPECT_GT(self_.pid_namespace, 0u);
  EXPECT_FALSE(self_.boot_id.empty());
  const std::string program = std::string(program_invocation_short_name).substr(0, 15);  // as long as the kernel's
  EXPECT_EQ(self_.program, program);
  EXPECT_THAT(Describe(self_), HasSubstr(program + ", process " + std::to_string(getpid())));
  EXPECT_EQ(Describe(Owner{.pid = 5}), "a program, process 5");
}

TEST_F(OwnerTest, ProcessThatIsNotThereHasNoDescription) {
  EXPECT_FALSE(DescribeProcess(0, "x").has_value());
  EXPECT_FALSE(DescribeProcess(-1, "x").has_value());
  EXPECT_FALSE(DescribeProcess(1 << 23, "x").has_value());
}

TEST_F(OwnerTest, ThisVeryOpeningIsAlive) { EXPECT_EQ(AssessOwner(self_, unlocked_, self_), OwnerFate::kAlive); }

TEST_F(OwnerTest, HolderNamedInAHeldLockIsAlive) {
  Child child;
  const Owner owner = Holder(child.pid());
  EXPECT_EQ(AssessOwner(owner, Lock(true, owner), self_), OwnerFate::kAlive);
}

TEST_F(OwnerTest, DeadHolderIsProven) {
  Child child;
  const Owner owner = Holder(child.pid());
  child.Kill();
  child.Reap();
  EXPECT_EQ(AssessOwner(owner, Lock(false, owner), self_), OwnerFate::kProcessDied);
  Owner other = self_;
  EXPECT_EQ(AssessOwner(owner, Lock(true, other), self_), OwnerFate::kProcessDied);
}

TEST_F(OwnerTest, ZombieCountsAsDead) {
  Child child;
  const Owner owner = Script(child.pid());
  child.Kill();
  child.AwaitZombie();
  EXPECT_EQ(AssessOwner(owner, unlocked_, self_), OwnerFate::kProcessDied);
}

TEST_F(OwnerTest, HolderThatSignedOffClosedWithoutAnEnd) {
  Child child;
  const Owner owner = Holder(child.pid());
  child.Kill();
  child.Reap();
  EXPECT_EQ(AssessOwner(owner, {.held = false, .writer = self_, .closed_cleanly = {"older", "holder"}, .place = here_},
                        self_),
            OwnerFate::kClosedWithoutEnd);
}

TEST_F(OwnerTest, HolderThatLivesButHoldsNoMoreClosedWithoutAnEnd) {
  Child child;
  EXPECT_EQ(AssessOwner(Holder(child.pid()), Lock(false, self_), self_), OwnerFate::kClosedWithoutEnd);
}

TEST_F(OwnerTest, RunningHolderWhoseLockFileWasReplacedIsUnknown) {
  Child child;
  const Owner owner = Holder(child.pid());
  EXPECT_EQ(AssessOwner(owner, lock_replaced_, self_), OwnerFate::kUnknown);
  child.Kill();
  child.Reap();
  EXPECT_EQ(AssessOwner(owner, lock_replaced_, self_), OwnerFate::kProcessDied);
}

TEST_F(OwnerTest, HeldLockWithAnUnreadableRecordProvesNothing) {
  Child child;
  EXPECT_EQ(AssessOwner(Holder(child.pid()), {.held = true, .place = here_}, self_), OwnerFate::kUnknown);
  EXPECT_EQ(AssessOwner(Elsewhere(true), {.held = true, .place = here_}, self_), OwnerFate::kUnknown);
}

TEST_F(OwnerTest, ReusedPidIsNotTheOwner) {
  Child child;
  Owner owner = Script(child.pid());
  EXPECT_EQ(AssessOwner(owner, unlocked_, self_), OwnerFate::kAlive);
  owner.start_ticks -= 2;
  EXPECT_EQ(AssessOwner(owner, unlocked_, self_), OwnerFate::kProcessDied);
}

TEST_F(OwnerTest, NotBeingAbleToLookProvesNothing) {
  Child child;
  const Owner script = Script(child.pid());
  std::vector<int> all;
  for (int fd = dup(0); fd >= 0; fd = dup(0)) all.push_back(fd);  // no descriptor is left to read /proc with
  const OwnerFate fate = AssessOwner(script, unlocked_, self_);
  for (const int fd : all) close(fd);
  EXPECT_EQ(fate, OwnerFate::kUnknown);
}

TEST_F(OwnerTest, ProcessLivesAsLongAsAnyOfItsThreads) {
  const pid_t child = fork();
  if (child == 0) {
    std::thread([] {
      while (true) pause();
    }).detach();
    syscall(SYS_exit, 0);  // of this thread alone
  }
  const Owner script = Script(child);
  while (std::ifstream("/proc/" + std::to_string(child) + "/status").good() && !FirstThreadEnded(child)) usleep(1000);
  EXPECT_EQ(AssessOwner(script, unlocked_, self_), OwnerFate::kAlive);
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
}

TEST_F(OwnerTest, FreeLockOfTheSameFileProvesItsHolderGoneFromAnywhere) {
  EXPECT_EQ(AssessOwner(Elsewhere(true), unlocked_, self_), OwnerFate::kProcessDied);
  EXPECT_EQ(AssessOwner(Elsewhere(true), Lock(true, self_), self_), OwnerFate::kProcessDied) << "another has it";
  EXPECT_EQ(AssessOwner(Elsewhere(true), lock_replaced_, self_), OwnerFate::kUnknown) << "it may hold the old one";
  Owner without_proc{.instance = "x", .pid = 5, .place = here_};
  EXPECT_EQ(AssessOwner(without_proc, unlocked_, Owner{.instance = "y"}), OwnerFate::kProcessDied);
}

TEST_F(OwnerTest, HeldLockProvesLifeWhateverTheBootId) {
  const Owner elsewhere = Elsewhere(true);
  EXPECT_EQ(AssessOwner(elsewhere, Lock(true, elsewhere), self_), OwnerFate::kAlive);
  const Owner rebooted = FromAnotherBoot(true, self_.machine_id);
  EXPECT_EQ(AssessOwner(rebooted, Lock(true, rebooted), self_), OwnerFate::kAlive);
}

TEST_F(OwnerTest, LockFileOfAnotherMountOfTheSameFileSystemProvesNothing) {
  Child child;
  WriterInfo snapshot = unlocked_;
  snapshot.place.device = 20;
  EXPECT_EQ(AssessOwner(Holder(child.pid()), snapshot, self_), OwnerFate::kUnknown);
}

TEST_F(OwnerTest, AnotherBootOfThisMachineIsAReboot) {
  Owner self = self_;
  self.machine_id = "m";
  for (const bool holds_log : {true, false}) {
    EXPECT_EQ(AssessOwner(FromAnotherBoot(holds_log, "m"), unlocked_, self), OwnerFate::kMachineRebooted);
    EXPECT_EQ(AssessOwner(FromAnotherBoot(holds_log, "m"), copy_, self), OwnerFate::kMachineRebooted);
    EXPECT_EQ(AssessOwner(FromAnotherBoot(holds_log, ""), unlocked_, self), OwnerFate::kMachineRebooted);
    EXPECT_EQ(AssessOwner(FromAnotherBoot(holds_log, "n"), copy_, self), OwnerFate::kCopied);
  }
  EXPECT_EQ(AssessOwner(FromAnotherBoot(true, "n"), unlocked_, self), OwnerFate::kProcessDied) << "by the lock";
  EXPECT_EQ(AssessOwner(FromAnotherBoot(false, "n"), unlocked_, self), OwnerFate::kUnknown);
}

TEST_F(OwnerTest, ScriptIsAliveWhateverBootIdItsContainerWasGiven) {
  Child child;
  Owner script = Script(child.pid());
  script.boot_id = "of its container";
  script.kernel_boot_id = false;
  EXPECT_EQ(AssessOwner(script, unlocked_, self_), OwnerFate::kAlive);
  Owner self = self_;
  self.boot_id = "of this container";
  self.kernel_boot_id = false;
  EXPECT_EQ(AssessOwner(Script(child.pid()), unlocked_, self), OwnerFate::kAlive);
  child.Kill();
  child.Reap();
  EXPECT_TRUE(IsGone(AssessOwner(script, unlocked_, self_)));
}

TEST_F(OwnerTest, ScriptThatCannotBeLookedForIsUnknown) {
  EXPECT_EQ(AssessOwner(Owner{.instance = "x", .pid = 5, .holds_log = false}, unlocked_, Owner{.instance = "y"}),
            OwnerFate::kUnknown);
}

TEST_F(OwnerTest, CopyIsKnownByItsDirectory) {
  Child child;
  EXPECT_FALSE(IsCopy(Holder(child.pid()), unlocked_));
  EXPECT_FALSE(IsCopy(Holder(child.pid()), lock_replaced_));
  EXPECT_TRUE(IsCopy(Holder(child.pid()), copy_));
  EXPECT_FALSE(IsCopy(Owner{}, copy_)) << "not known";
  EXPECT_EQ(AssessOwner(Holder(child.pid()), copy_, self_), OwnerFate::kCopied);
  EXPECT_EQ(AssessOwner(Script(child.pid()), copy_, self_), OwnerFate::kCopied);
  WriterInfo with_record = copy_;
  with_record.writer = Holder(child.pid());
  with_record.held = true;  // by somebody who has not signed it yet
  EXPECT_EQ(AssessOwner(Holder(child.pid()), with_record, self_), OwnerFate::kCopied);
  const Owner owner = Holder(child.pid());
  child.Kill();
  child.Reap();
  EXPECT_EQ(AssessOwner(owner, copy_, self_), OwnerFate::kProcessDied);
}

TEST(OwnerFateTest, GoneIsWhatMayBeResumedWithoutForce) {
  EXPECT_FALSE(IsGone(OwnerFate::kAlive));
  EXPECT_TRUE(IsGone(OwnerFate::kProcessDied));
  EXPECT_TRUE(IsGone(OwnerFate::kMachineRebooted));
  EXPECT_TRUE(IsGone(OwnerFate::kClosedWithoutEnd));
  EXPECT_FALSE(IsGone(OwnerFate::kUnknown));
  EXPECT_FALSE(IsGone(OwnerFate::kCopied));
}

}  // namespace
}  // namespace foldlog
