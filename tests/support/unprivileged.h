// For tests of permissions that may be run by root, whom no permission stops.

#ifndef FOLDLOG_TESTS_SUPPORT_UNPRIVILEGED_H_
#define FOLDLOG_TESTS_SUPPORT_UNPRIVILEGED_H_

#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>

namespace foldlog {

// While it lives, this thread keeps to the permission bits of files, whoever runs it.
class Unprivileged {
 public:
  Unprivileged() {
    syscall(SYS_capget, &header_, before_.data());
    std::array<__user_cap_data_struct, 2> without = before_;
    without[0].effective &= ~((1u << CAP_DAC_OVERRIDE) | (1u << CAP_DAC_READ_SEARCH));
    syscall(SYS_capset, &header_, without.data());
  }
  ~Unprivileged() { syscall(SYS_capset, &header_, before_.data()); }
  Unprivileged(const Unprivileged&) = delete;
  Unprivileged& operator=(const Unprivileged&) = delete;

 private:
  __user_cap_header_struct header_{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> before_{};
};

}  // namespace foldlog

#endif  // FOLDLOG_TESTS_SUPPORT_UNPRIVILEGED_H_
