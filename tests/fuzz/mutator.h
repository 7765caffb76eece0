// Small changes to bytes, for runs without libFuzzer: the same ones for the same seed.

#ifndef FOLDLOG_TESTS_FUZZ_MUTATOR_H_
#define FOLDLOG_TESTS_FUZZ_MUTATOR_H_

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <vector>

namespace foldlog::fuzz {

class Mutator {
 public:
  explicit Mutator(std::uint64_t seed) : random_(seed) {}

  std::uint64_t Below(std::uint64_t bound) { return bound == 0 ? 0 : random_() % bound; }

  // One of the seeds with some changes, and perhaps a part of another one.
  std::string Next(const std::vector<std::string>& seeds) {
    std::string bytes = seeds[Below(seeds.size())];
    for (std::uint64_t changes = 1 + Below(4); changes > 0; --changes) Change(seeds, bytes);
    return bytes;
  }

 private:
  void Change(const std::vector<std::string>& seeds, std::string& bytes) {
    const std::size_t at = Below(bytes.size());
    switch (Below(8)) {
      case 0:
        bytes.resize(at);
        return;
      case 1:
        bytes.insert(at, std::string(1 + Below(16), static_cast<char>(random_())));
        return;
      case 2:
        bytes.erase(at, 1 + Below(16));
        return;
      case 3:
        return Splice(seeds[Below(seeds.size())], bytes);
      case 4:
      case 5:
        return WriteNumber(at, bytes);
      default:
        if (!bytes.empty()) bytes[at] = static_cast<char>(bytes[at] ^ 1 << Below(8));
    }
  }

  void Splice(const std::string& other, std::string& bytes) {
    const std::size_t from = Below(other.size());
    const std::size_t count = std::min<std::size_t>(other.size() - from, 1 + Below(64));
    const std::size_t at = Below(bytes.size());
    if (Below(2) == 0) {
      bytes.insert(at, other, from, count);
    } else {
      bytes.replace(at, std::min(count, bytes.size() - at), other, from, count);
    }
  }

  void WriteNumber(std::size_t at, std::string& bytes) {
    const std::array<std::uint64_t, 9> numbers = {
        0, 1, 8, 255, 4096, ~std::uint64_t{0}, std::uint64_t{1} << Below(64), bytes.size(), random_()};
    const std::uint64_t number = numbers.at(Below(numbers.size()));
    const std::size_t count = std::min<std::size_t>(std::size_t{1} << Below(4), bytes.size() - at);
    if (count > 0) std::memcpy(&bytes[at], &number, count);
  }

  std::mt19937_64 random_;
};

}  // namespace foldlog::fuzz

#endif  // FOLDLOG_TESTS_FUZZ_MUTATOR_H_
