// What a disk may hold after a power cut, at one moment of a recorded run.
//
// The model: what was made durable is there. Everything since is pending, in units that reach the disk independently of
// each other and in any order: each 512-byte sector of each write, each change of a file's size, each change of names.
//
//   fdatasync, fsync of a file   its sectors and its size become durable; its name does not
//   O_DSYNC write                its own sectors do, and the size
//   msync                        its own sectors do
//   fsync of a directory         changes of the names in it do
//
// Real file systems promise more, each something else. What survives this, survives them.

#ifndef FOLDLOG_TESTS_CRASH_DISK_MODEL_H_
#define FOLDLOG_TESTS_CRASH_DISK_MODEL_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "tests/crash/trace.h"

namespace foldlog::power_cut {

inline constexpr std::size_t kSectorBytes = 512;
inline constexpr int kDirectory = -1;  // what a name stands for, if not for a file
inline constexpr int kNothing = -2;    // a name that is gone

// One thing that reaches the disk whole or not at all.
struct Unit {
  int file = kNothing;                                // whose sectors and size these are; kNothing for names
  std::map<std::uint64_t, std::string> sectors = {};  // sector number: what it holds after the write
  std::optional<std::uint64_t> size = {};
  std::vector<std::pair<std::string, int>> names = {};  // path: the file it now stands for
  std::string directory = {};                           // whose fsync makes the names durable
  bool through_mapping = false;
  bool background = false;
};

// A sector of a unit that arrives as something between old and new.
struct TornSector {
  std::size_t unit = 0;
  std::uint64_t number = 0;
  std::string content = {};
};

// The contents of a directory tree.
struct DiskImage {
  std::vector<std::string> directories = {};      // parents first
  std::map<std::string, std::string> files = {};  // path: content
};

class DiskModel {
 public:
  // `background`: endings of the names of files that are no part of what is to be proven, as lock files. They are in
  // the images, in any of their possible contents, but do not multiply them.
  explicit DiskModel(std::vector<std::string> background) : background_(std::move(background)) {}

  // The call takes effect: what it changes is pending from here on.
  void Begin(const Call& call);

  // The call returns: what it makes durable is durable from here on.
  void End(const Call& call);

  // In the order in which they were given to the kernel.
  const std::vector<Unit>& pending() const { return pending_; }

  // What sector `number` of `unit.file` holds on the disk if `unit` has not reached it, but all before it have.
  std::string SectorBefore(std::size_t unit, std::uint64_t number) const;

  // The image with the units of which `chosen` is true, one of them perhaps torn.
  DiskImage Build(const std::vector<bool>& chosen, const TornSector* torn = nullptr) const;

  bool IsBackground(const std::string& path) const;

 private:
  struct File {
    std::string durable = {};
    std::uint64_t durable_size = 0;
    std::string newest = {};
    bool background = false;
  };

  int FileOf(std::uint64_t inode) const;
  void AddWrite(const Call& call, int file);
  void AddResize(std::uint64_t size, int file);
  void AddNames(std::vector<std::pair<std::string, int>> names, const std::string& at);
  void AddUnit(Unit unit);
  void ForgetOldBackground(int file);
  template <typename Which>
  void Settle(const Which& which);
  void MakeDurable(const Unit& unit);

  const std::vector<std::string> background_;
  std::vector<File> files_;
  std::map<std::uint64_t, int> by_inode_;
  std::map<std::string, int> durable_names_;
  std::map<std::string, int> newest_names_;
  std::vector<Unit> pending_;
};

}  // namespace foldlog::power_cut

#endif  // FOLDLOG_TESTS_CRASH_DISK_MODEL_H_
