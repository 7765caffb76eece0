// How long single calls took: counts in buckets that are at most 1.6 % wide, so that a run of any length takes 30 KB
// and counting costs some nanoseconds. Plain memory, so that a child process can leave it to its parent.

#ifndef FOLDLOG_BENCH_PEERS_LATENCY_H_
#define FOLDLOG_BENCH_PEERS_LATENCY_H_

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace foldlog::peers {

class Latency {
 public:
  void Add(std::int64_t ns) {
    const auto value = static_cast<std::uint64_t>(std::max<std::int64_t>(ns, 0));
    ++buckets_[BucketOf(value)];
    ++count_;
    sum_ns_ += value;
    max_ns_ = std::max(max_ns_, value);
  }

  void Merge(const Latency& other) {
    for (std::size_t i = 0; i < kBuckets; ++i) buckets_[i] += other.buckets_[i];
    count_ += other.count_;
    sum_ns_ += other.sum_ns_;
    max_ns_ = std::max(max_ns_, other.max_ns_);
  }

  std::uint64_t count() const { return count_; }
  std::uint64_t max_ns() const { return max_ns_; }
  double mean_ns() const { return count_ == 0 ? 0 : static_cast<double>(sum_ns_) / static_cast<double>(count_); }

  // The time that a share of the calls stayed at or below. `share` is of 0 to 1.
  double Percentile(double share) const {
    const auto wanted = static_cast<std::uint64_t>(share * static_cast<double>(count_));
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < kBuckets; ++i) {
      seen += buckets_[i];
      if (seen > wanted) return std::min(MiddleOf(i), static_cast<double>(max_ns_));
    }
    return static_cast<double>(max_ns_);
  }

 private:
  static constexpr unsigned kMantissaBits = 6;
  static constexpr std::size_t kInOctave = std::size_t{1} << kMantissaBits;
  static constexpr std::size_t kBuckets = (65 - kMantissaBits) * kInOctave;

  static std::size_t BucketOf(std::uint64_t value) {
    if (value < kInOctave) return value;
    const auto shift = static_cast<unsigned>(std::bit_width(value)) - kMantissaBits - 1;
    return (shift + 1) * kInOctave + (value >> shift) - kInOctave;
  }
  static double MiddleOf(std::size_t bucket) {
    if (bucket < 2 * kInOctave) return static_cast<double>(bucket);
    const auto shift = static_cast<unsigned>(bucket / kInOctave - 1);
    const std::uint64_t least = (bucket % kInOctave + kInOctave) << shift;
    return static_cast<double>(least) + static_cast<double>((std::uint64_t{1} << shift) - 1) / 2;
  }

  std::array<std::uint64_t, kBuckets> buckets_ = {};
  std::uint64_t count_ = 0;
  std::uint64_t sum_ns_ = 0;
  std::uint64_t max_ns_ = 0;
};

}  // namespace foldlog::peers

#endif  // FOLDLOG_BENCH_PEERS_LATENCY_H_
