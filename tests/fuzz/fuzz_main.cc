// libFuzzer's side of the targets: fuzz_campaign TARGET [OPTION ...] [CORPUS ...], with libFuzzer's own options. The
// target's seeds are written to the first corpus. Without a target, it lists them.

#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/fuzz/sample.h"
#include "tests/fuzz/target.h"

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

namespace foldlog::fuzz {
namespace {

const Target* chosen = nullptr;

// The seeds as files of the corpus directory, which is the first argument that is no option.
void WriteSeeds(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    if (name.starts_with("-") || std::filesystem::is_regular_file(name)) continue;
    std::filesystem::create_directories(name);
    int number = 0;
    for (const std::string& seed : chosen->seeds()) WriteBytes(name + "/seed-" + std::to_string(++number), seed);
    return;
  }
}

}  // namespace
}  // namespace foldlog::fuzz

using namespace foldlog::fuzz;

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  chosen = *argc > 1 ? FindTarget((*argv)[1]) : nullptr;
  if (chosen == nullptr) {
    for (const Target* target : AllTargets()) std::puts(target->name);
    std::exit(*argc > 1 ? 2 : 0);
  }
  for (int i = 1; i + 1 < *argc; ++i) (*argv)[i] = (*argv)[i + 1];
  (*argv)[--*argc] = nullptr;
  WriteSeeds(*argc, *argv);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  chosen->run({reinterpret_cast<const char*>(data), size});
  return 0;
}

// One mutation in eight keeps the hashes that it has made wrong.
extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size,
                                               unsigned seed) {
  size = LLVMFuzzerMutate(data, size, max_size);
  if (chosen->repair == nullptr || seed % 8 == 0) return size;
  std::string bytes(reinterpret_cast<const char*>(data), size);
  chosen->repair(bytes);
  if (bytes.size() > max_size) return size;
  std::memcpy(data, bytes.data(), bytes.size());
  return bytes.size();
}
