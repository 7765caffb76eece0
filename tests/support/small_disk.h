// File systems that a test mounts for itself, in a mount namespace of a child, which a user without privileges may
// have, too.

#ifndef FOLDLOG_TESTS_SUPPORT_SMALL_DISK_H_
#define FOLDLOG_TESTS_SUPPORT_SMALL_DISK_H_

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <string>

#include "tests/support/test_support.h"

namespace foldlog {

inline constexpr int kNoNamespaces = 77;

// Mounts a tmpfs of `size` on `directory`, for this process only.
inline bool MountSmall(const std::string& directory, const std::string& size) {
  const uid_t uid = getuid();
  if (uid == 0 ? unshare(CLONE_NEWNS) != 0 : unshare(CLONE_NEWNS | CLONE_NEWUSER) != 0) return false;
  if (uid != 0) std::ofstream("/proc/self/uid_map") << "0 " << uid << " 1";
  mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
  return mount("small", directory.c_str(), "tmpfs", 0, ("size=" + size).c_str()) == 0;
}

// In a body below: says on standard error what did not hold, and ends the body.
#define REQUIRE(condition)                                                  \
  if (!(condition)) {                                                       \
    fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
    return 1;                                                               \
  }

// Runs `body` on an empty directory in a child: it returns 0, or kNoNamespaces, or fails by REQUIRE.
inline void RunOnASmallDisk(int (*body)(const std::string&)) {
  const TempDir directory;
  const pid_t child = fork();
  if (child == 0) _exit(body(directory.path()));
  int status = 0;
  waitpid(child, &status, 0);
  ASSERT_TRUE(WIFEXITED(status)) << "killed by signal " << WTERMSIG(status);
  ASSERT_NE(WEXITSTATUS(status), kNoNamespaces) << "this test needs a mount namespace: root, or user namespaces";
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace foldlog

#endif  // FOLDLOG_TESTS_SUPPORT_SMALL_DISK_H_
