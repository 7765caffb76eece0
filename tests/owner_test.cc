// Owners: what the facts prove. Real processes, really killed.

#include "foldlog/owner.h"

#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <thread>

#include "engine/log/writer_lock.h"
#include "tests/test_support.h"

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
  const WriterInfo unlocked_ = {};

  Owner Holder(pid_t pid) const { return *DescribeProcess(pid, "holder"); }
  Owner Script(pid_t pid) const {
    Owner owner = *DescribeProcess(pid, "script");
    owner.holds_log = false;
    return owner;
  }
};

TEST_F(OwnerTest, DescribesThisProcess) {
  EXPECT_EQ(self_.pid, getpid());
  EXPECT_EQ(self_.instance, "self");
  EXPECT_GT(self_.start_ticks, 0u);
  EXPECT_GT(self_.pid_namespace, 0u);
  EXPECT_FALSE(self_.boot_id.empty());
  EXPECT_EQ(self_.program, "owner_test");
  EXPECT_THAT(Describe(self_), HasSubstr("owner_test, process " + std::to_string(getpid())));
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
  EXPECT_EQ(AssessOwner(owner, {.held = true, .writer = owner}, self_), OwnerFate::kAlive);
}

TEST_F(OwnerTest, DeadHolderIsProven) {
  Child child;
  const Owner owner = Holder(child.pid());
  child.Kill();
  child.Reap();
  EXPECT_EQ(AssessOwner(owner, {.held = false, .writer = owner}, self_), OwnerFate::kProcessDied);
  Owner other = self_;
  EXPECT_EQ(AssessOwner(owner, {.held = true, .writer = other}, self_), OwnerFate::kProcessDied);
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
  EXPECT_EQ(AssessOwner(owner, {.held = false, .writer = self_, .signed_off = {"older", "holder"}}, self_),
            OwnerFate::kClosedWithoutEnd);
}

TEST_F(OwnerTest, HolderThatLivesButHoldsNoMoreClosedWithoutAnEnd) {
  Child child;
  EXPECT_EQ(AssessOwner(Holder(child.pid()), {.held = false, .writer = self_}, self_), OwnerFate::kClosedWithoutEnd);
}

// As after `rm writer.lock`: the running owner may still hold the file that had that name.
TEST_F(OwnerTest, RunningHolderWithoutALockRecordIsUnknown) {
  Child child;
  EXPECT_EQ(AssessOwner(Holder(child.pid()), unlocked_, self_), OwnerFate::kUnknown);
}

TEST_F(OwnerTest, HeldLockWithAnUnreadableRecordProvesNothing) {
  Child child;
  EXPECT_EQ(AssessOwner(Holder(child.pid()), {.held = true}, self_), OwnerFate::kUnknown);
}

TEST_F(OwnerTest, ReusedPidIsNotTheOwner) {
  Child child;
  Owner owner = Script(child.pid());
  EXPECT_EQ(AssessOwner(owner, unlocked_, self_), OwnerFate::kAlive);
  --owner.start_ticks;
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

TEST_F(OwnerTest, AnotherBootOfThisMachineProvesAReboot) {
  Owner owner = self_;
  owner.instance = "other";
  owner.boot_id = "earlier";
  owner.machine_id = "m";
  Owner self = self_;
  self.machine_id = "m";
  EXPECT_EQ(AssessOwner(owner, unlocked_, self), OwnerFate::kMachineRebooted);
  owner.machine_id = "n";
  EXPECT_EQ(AssessOwner(owner, unlocked_, self), OwnerFate::kUnknown);
  owner.machine_id = self.machine_id = "";
  EXPECT_EQ(AssessOwner(owner, unlocked_, self), OwnerFate::kUnknown);
}

TEST_F(OwnerTest, WithoutBootIdNothingIsProven) {
  Owner owner = self_;
  owner.instance = "other";
  owner.boot_id = "";
  EXPECT_EQ(AssessOwner(owner, unlocked_, self_), OwnerFate::kUnknown);
}

TEST_F(OwnerTest, ScriptInAnotherPidNamespaceIsUnknownAndAHolderThereIsNot) {
  Owner owner = self_;
  owner.instance = "other";
  owner.pid_namespace = 1;
  owner.holds_log = false;
  EXPECT_EQ(AssessOwner(owner, unlocked_, self_), OwnerFate::kUnknown);
  owner.holds_log = true;  // the kernel's lock reaches across namespaces
  EXPECT_EQ(AssessOwner(owner, unlocked_, self_), OwnerFate::kProcessDied);
}

TEST_F(OwnerTest, WriterRecordComesBackAsItWas) {
  const WriterInfo open = ParseWriterRecord(FormatWriterRecord(self_, {}));
  EXPECT_EQ(open.writer, self_);
  EXPECT_TRUE(open.signed_off.empty());
  EXPECT_THAT(ParseWriterRecord(FormatWriterRecord(self_, {"a", "b"})).signed_off, testing::ElementsAre("a", "b"));
  Owner odd = self_;
  odd.program = "two\nlines \x1b[31m";
  EXPECT_EQ(ParseWriterRecord(FormatWriterRecord(odd, {})).writer->program, "two?lines ?[31m");
}

TEST_F(OwnerTest, NoBytesCrashTheRecordParser) {
  std::mt19937_64 random(TestSeed());
  const std::string good = FormatWriterRecord(self_, {"a", "b"});
  for (int i = 0; i < 5000; ++i) {
    std::string text = good;
    text[random() % text.size()] = static_cast<char>(random());
    if (random() % 2 == 0) text.resize(random() % text.size());
    (void)ParseWriterRecord(text);
  }
  EXPECT_FALSE(ParseWriterRecord("").writer.has_value());
  EXPECT_FALSE(ParseWriterRecord("foldlog writer 1\npid x\n").writer.has_value());
}

}  // namespace
}  // namespace foldlog
