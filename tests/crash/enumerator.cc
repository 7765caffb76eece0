#include "tests/crash/enumerator.h"

#include <xxhash.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <unordered_map>
#include <utility>

#include "absl/strings/str_cat.h"

namespace foldlog::power_cut {
namespace {

constexpr std::size_t kWordBytes = 8;
constexpr std::size_t kExhaustiveUnitsMax = 12;  // 2^12 images a moment; beyond that, samples
constexpr std::size_t kSystematicUnitsMax = 256;
constexpr double kSystematicPart = 0.6;  // of the images wanted: the rest are samples
constexpr int kRoundsMax = 30;           // of samples, if one does not give enough different images

std::uint64_t HashOf(const DiskImage& disk, const DiskModel& model) {
  std::uint64_t hash = 0;
  const auto add = [&](const std::string& text) { hash = XXH3_64bits_withSeed(text.data(), text.size(), hash); };
  for (const std::string& directory : disk.directories) add(directory);
  for (const auto& [path, content] : disk.files) {
    if (model.IsBackground(path)) continue;
    add(path);
    add(content);
  }
  return hash;
}

// "0-4 7 9-12": the places of those that are true.
std::string Places(const std::vector<bool>& chosen, const std::vector<std::size_t>& of) {
  std::string text;
  for (std::size_t i = 0; i < of.size(); ++i) {
    if (!chosen[of[i]]) continue;
    std::size_t end = i;
    while (end + 1 < of.size() && chosen[of[end + 1]]) ++end;
    absl::StrAppend(&text, " ", i, i == end ? "" : absl::StrCat("-", end));
    i = end;
  }
  return text;
}

// A sector of which each 8-byte word may be old or new.
struct Tear {
  std::size_t unit = 0;
  std::uint64_t sector = 0;
  std::string before = {};
  std::string after = {};
  std::vector<std::size_t> words = {};  // those that differ
  bool by_rule = true;                  // stores through a mapping: no broken rule, every program must stand it
};

class Enumeration {
 public:
  Enumeration(const Trace& trace, const EnumerationOptions& options, const std::function<void(CrashImage)>& sink)
      : trace_(trace), options_(options), sink_(sink), random_(options.seed) {}

  EnumerationCounts Run() {
    counting_ = true;
    Pass(/*samples=*/0);
    counting_ = false;
    const double wanted = kSystematicPart * static_cast<double>(options_.images);
    systematic_part_ = options_.systematic ? wanted / std::max(wanted, static_cast<double>(systematic_)) : 0;
    Pass(/*samples=*/0);
    for (int round = 1; round <= kRoundsMax && counts_.images < options_.images && open_moments_ > 0; ++round) {
      const std::uint64_t missing = options_.images - counts_.images;
      const std::uint64_t before = counts_.images;
      // Some samples will turn out to be known already.
      const std::uint64_t samples = missing + missing / 4;
      sampled_part_ = std::min(1.0, static_cast<double>(samples) / static_cast<double>(open_moments_));
      Pass(samples > open_moments_ ? samples / open_moments_ + 1 : 1);
      if (counts_.images == before) break;
    }
    return counts_;
  }

 private:
  bool Enough() const { return sampling_ && counts_.images >= options_.images; }

  void Pass(std::uint64_t samples) {
    samples_ = samples;
    sampling_ = samples > 0;
    open_moments_ = 0;
    obligation_ = options_.at_start;
    DiskModel model(options_.background);
    bool started = false;
    for (call_ = 0; call_ < trace_.size() && !Enough(); ++call_) {
      const Call& call = trace_[call_];
      const bool initial = call.kind == CallKind::kInitialDirectory || call.kind == CallKind::kInitialFile;
      if (!initial && !std::exchange(started, true)) Moment(model, nullptr);
      model.Begin(call);
      if (initial) continue;
      if (call.kind == CallKind::kMark) {
        std::int64_t& number = call.flags == kAcknowledged ? obligation_.acknowledged : obligation_.submitted;
        number = std::max(number, static_cast<std::int64_t>(call.value));
      }
      // A barrier adds nothing to what is pending: its images are those of the call before.
      const bool changes = call.kind <= CallKind::kResize || call.kind == CallKind::kMark;
      if (changes) Moment(model, &call);
      if (options_.ignore_barriers) continue;
      model.End(call);
      if (!changes || (call.flags & kDurableOnReturn) != 0) Moment(model, nullptr);
    }
    counts_.moments = moments_in_pass_;
    moments_in_pass_ = 0;
  }

  void Moment(const DiskModel& model, const Call* call) {
    ++moments_in_pass_;
    model_ = &model;
    units_.clear();
    for (std::size_t i = 0; i < model.pending().size(); ++i) {
      if (!model.pending()[i].background) units_.push_back(i);
    }
    if (sampling_) {
      SampleSubsets();
    } else {
      Systematic();
    }
    if (call != nullptr && call->kind == CallKind::kWrite && !(call->flags & kThroughMapping) && options_.tears &&
        options_.tears(*call)) {
      TearLastUnit(/*by_rule=*/false);
    }
    if (call != nullptr && (call->flags & kThroughMapping) != 0 && call->kind == CallKind::kWrite) {
      TearLastUnit(/*by_rule=*/true);
    }
  }

  std::vector<bool> Chosen(bool all) {
    std::vector<bool> chosen(model_->pending().size(), all);
    for (std::size_t i = 0; i < chosen.size(); ++i) {
      if (model_->pending()[i].background) chosen[i] = (random_() & 1) != 0;
    }
    return chosen;
  }

  // Whether one of the systematic images is left out, because there are more than are wanted.
  bool LeaveOut() {
    if (counting_) ++systematic_;
    return counting_ || (systematic_part_ < 1 && !Happens(systematic_part_));
  }

  bool Happens(double probability) { return std::uniform_real_distribution<>()(random_) < probability; }

  void Systematic() {
    if (!counting_ && options_.systematic) {
      Emit(Chosen(false), "none");
      if (!units_.empty()) Emit(Chosen(true), "all");
    }
    if (units_.empty()) return;
    // Where nothing is ever made durable, units pile up: then it is some of the prefixes and of the units.
    const std::size_t stride = units_.size() / kSystematicUnitsMax + 1;
    for (std::size_t n = 1 + random_() % stride; n < units_.size(); n += stride) {
      if (LeaveOut()) continue;
      std::vector<bool> prefix = Chosen(false);
      for (std::size_t i = 0; i < n; ++i) prefix[units_[i]] = true;
      Emit(prefix, "prefix");
    }
    for (std::size_t i = random_() % stride; i < units_.size(); i += stride) {
      if (!LeaveOut()) {
        std::vector<bool> but_one = Chosen(true);
        but_one[units_[i]] = false;
        Emit(but_one, "all but one");
      }
      if (LeaveOut()) continue;
      std::vector<bool> one = Chosen(false);
      one[units_[i]] = true;
      Emit(one, "one");
    }
    // Up to three units, the above are all subsets.
    if (units_.size() > 3) ++open_moments_;
  }

  void SampleSubsets() {
    const std::size_t n = units_.size();
    if (n <= 3) return;
    ++open_moments_;
    if (sampled_part_ < 1 && !Happens(sampled_part_)) return;
    if (n <= kExhaustiveUnitsMax && (std::uint64_t{1} << n) <= samples_) {
      for (std::uint64_t bits = 0; bits < (std::uint64_t{1} << n) && !Enough(); ++bits) {
        std::vector<bool> chosen = Chosen(false);
        for (std::size_t i = 0; i < n; ++i) chosen[units_[i]] = ((bits >> i) & 1) != 0;
        Emit(chosen, "subset");
      }
      return;
    }
    for (std::uint64_t sample = 0; sample < samples_ && !Enough(); ++sample) {
      // Few, half or most of the units: each finds other mistakes. None and all have come up, if anything has.
      const std::uint64_t odds = options_.systematic ? 1 + random_() % 15 : random_() % 17;
      std::vector<bool> chosen = Chosen(false);
      for (const std::size_t unit : units_) chosen[unit] = random_() % 16 < odds;
      Emit(chosen, "sample");
      TearOneOf(chosen);
    }
  }

  // The sector of a unit, and the words of it that the unit changes. Fewer than two words cannot be torn apart.
  Tear TearOf(std::size_t index) const {
    const Unit& unit = model_->pending()[index];
    if (unit.file < 0 || unit.sectors.size() != 1 || unit.background) return {};
    Tear tear{.unit = index, .sector = unit.sectors.begin()->first, .after = unit.sectors.begin()->second};
    tear.before = model_->SectorBefore(tear.unit, tear.sector);
    for (std::size_t word = 0; word < kSectorBytes / kWordBytes; ++word) {
      if (std::memcmp(&tear.before[word * kWordBytes], &tear.after[word * kWordBytes], kWordBytes) != 0) {
        tear.words.push_back(word);
      }
    }
    return tear;
  }

  // The unit of this call is the last one.
  void TearLastUnit(bool by_rule) {
    if (model_->pending().empty()) return;
    Tear tear = TearOf(model_->pending().size() - 1);
    tear.by_rule = by_rule;
    const std::size_t n = tear.words.size();
    if (n < 2) return;
    if (sampling_) return SampleTears(tear);
    for (std::size_t split = 1; split < n; ++split) {
      if (LeaveOut()) continue;
      std::vector<bool> prefix(n, false);
      std::fill_n(prefix.begin(), split, true);
      EmitTorn(tear, prefix, Chosen(true));
    }
    for (std::size_t i = 0; i < n; ++i) {
      if (!LeaveOut()) {
        std::vector<bool> but_one(n, true);
        but_one[i] = false;
        EmitTorn(tear, but_one, Chosen(true));
      }
      if (LeaveOut()) continue;
      std::vector<bool> one(n, false);
      one[i] = true;
      EmitTorn(tear, one, Chosen(true));
    }
    if (n > 3) ++open_moments_;
  }

  void SampleTears(const Tear& tear) {
    const std::size_t n = tear.words.size();
    if (n <= 3) return;
    ++open_moments_;
    const bool exhaustive = n <= kExhaustiveUnitsMax && (std::uint64_t{1} << n) <= samples_;
    const std::uint64_t count = exhaustive ? std::uint64_t{1} << n : samples_;
    for (std::uint64_t bits = 0; bits < count && !Enough(); ++bits) {
      EmitTorn(tear, Mix(n, exhaustive ? bits : random_()), Chosen(true));
    }
  }

  // Of the stores through a mapping that are pending, any may have been caught in the middle, whatever else arrived.
  void TearOneOf(const std::vector<bool>& chosen) {
    std::vector<std::size_t> mapped;
    for (const std::size_t unit : units_) {
      if (chosen[unit] && model_->pending()[unit].through_mapping) mapped.push_back(unit);
    }
    if (mapped.empty()) return;
    const Tear tear = TearOf(mapped[random_() % mapped.size()]);
    if (tear.words.size() >= 2) EmitTorn(tear, Mix(tear.words.size(), random_()), chosen);
  }

  static std::vector<bool> Mix(std::size_t words, std::uint64_t bits) {
    std::vector<bool> taken(words);
    for (std::size_t i = 0; i < words; ++i) taken[i] = ((bits >> (i % 64)) & 1) != 0;
    return taken;
  }

  // Of the torn sector the `taken` words arrive; of the other units those that are chosen.
  void EmitTorn(const Tear& tear, const std::vector<bool>& taken, const std::vector<bool>& chosen) {
    TornSector torn{.unit = tear.unit, .number = tear.sector, .content = tear.before};
    std::string text = absl::StrCat("units", Places(chosen, units_), " of ", units_.size(), ", one torn, new words");
    for (std::size_t i = 0; i < taken.size(); ++i) {
      if (!taken[i]) continue;
      std::memcpy(&torn.content[tear.words[i] * kWordBytes], &tear.after[tear.words[i] * kWordBytes], kWordBytes);
      absl::StrAppend(&text, " ", tear.words[i]);
    }
    Give(model_->Build(chosen, &torn), text, !tear.by_rule);
  }

  void Emit(const std::vector<bool>& chosen, const char* kind) {
    Give(model_->Build(chosen), absl::StrCat(kind, " of ", units_.size(), " units:", Places(chosen, units_)),
         /*torn=*/false);
  }

  void Give(DiskImage disk, const std::string& text, bool torn) {
    const std::uint64_t hash = HashOf(disk, *model_);
    const auto [known, is_new] = seen_.try_emplace(hash, Seen{obligation_, torn});
    if (is_new) {
      ++counts_.images;
      if (torn) ++counts_.torn;
    } else {
      Seen& seen = known->second;
      const bool demands_more = obligation_.acknowledged > seen.obligation.acknowledged ||
                                obligation_.submitted < seen.obligation.submitted || (seen.torn && !torn);
      if (!demands_more) return;
      seen.obligation.acknowledged = std::max(seen.obligation.acknowledged, obligation_.acknowledged);
      seen.obligation.submitted = std::min(seen.obligation.submitted, obligation_.submitted);
      seen.torn = seen.torn && torn;
    }
    sink_({.disk = std::move(disk),
           .hash = hash,
           .obligation = obligation_,
           .torn_write = torn,
           .origin = absl::StrCat("seed ", options_.seed, ", call ", call_, ", ", text)});
  }

  struct Seen {
    Obligation obligation;
    bool torn;
  };

  const Trace& trace_;
  const EnumerationOptions& options_;
  const std::function<void(CrashImage)>& sink_;
  std::mt19937_64 random_;
  std::unordered_map<std::uint64_t, Seen> seen_;
  EnumerationCounts counts_;
  std::uint64_t moments_in_pass_ = 0;
  std::uint64_t samples_ = 0;
  bool sampling_ = false;
  bool counting_ = false;           // a first pass, in which nothing is built
  std::uint64_t systematic_ = 0;    // images, as counted then
  double systematic_part_ = 1;      // of these that is wanted
  double sampled_part_ = 1;         // of the moments with more to try
  std::uint64_t open_moments_ = 0;  // with more subsets than have been tried
  std::size_t call_ = 0;
  Obligation obligation_;
  const DiskModel* model_ = nullptr;
  std::vector<std::size_t> units_;  // of model_->pending(), those that are enumerated
};

}  // namespace

EnumerationCounts Enumerate(const Trace& trace, const EnumerationOptions& options,
                            const std::function<void(CrashImage)>& sink) {
  return Enumeration(trace, options, sink).Run();
}

bool IsLmdbMetaWrite(const Call& call) {
  constexpr std::uint64_t kPageBytes = 4096;
  constexpr std::uint64_t kMetaOffset = 32;
  constexpr std::uint64_t kMetaBytes = 120;
  return call.offset % kPageBytes == kMetaOffset && call.offset < 2 * kPageBytes && call.data.size() == kMetaBytes;
}

}  // namespace foldlog::power_cut
