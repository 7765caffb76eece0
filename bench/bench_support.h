// What the benchmarks share: a directory on the disk that is measured, the checkpoint that is typical, and labels that
// say what a figure is worth.

#ifndef FOLDLOG_BENCH_BENCH_SUPPORT_H_
#define FOLDLOG_BENCH_BENCH_SUPPORT_H_

#include <benchmark/benchmark.h>
#include <stdlib.h>

#include <filesystem>
#include <string>

#include "foldlog/event.h"

namespace foldlog {

#ifdef NDEBUG
inline constexpr const char* kBuild = "release";
#else
inline constexpr const char* kBuild = "debug: figures mean nothing";
#endif

// In the current directory: run benchmarks on the disk that is to be measured, never on tmpfs.
class ScratchDirectory {
 public:
  ScratchDirectory() : path_(std::filesystem::current_path() / "benchmark_XXXXXX") {
    if (mkdtemp(path_.data()) == nullptr) abort();
  }
  ~ScratchDirectory() { std::filesystem::remove_all(path_); }
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// A path of 60 bytes and a name of 20, as in a photo library. Its frame has kTypicalFrameBytes.
inline Checkpoint TypicalCheckpoint(std::int64_t files) {
  return {.files_processed = files,
          .current_path = "/srv/media/photos/2024/2024-07-14 summer in the alps/raw/one",
          .last_processed_file = "IMG_20240714_081.NEF",
          .batch_num = files / 100};
}
inline constexpr std::size_t kTypicalFrameBytes = 192;

inline void Label(benchmark::State& state, const std::string& durability) {
  state.SetLabel(durability + "; build " + kBuild);
  state.SetItemsProcessed(state.iterations());
}

}  // namespace foldlog

#endif  // FOLDLOG_BENCH_BENCH_SUPPORT_H_
