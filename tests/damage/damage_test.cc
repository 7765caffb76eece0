// The damage campaign: damages logs in every way that is known, and watches what the program and the library make of
// it.
//
//   damage_test [--images N] [--seed S] [--jobs N] [--kind TEXT] [--only I] [--keep DIRECTORY] [--control]
//
// An image is a sample log with one damage; its number and the seed say which. On each, every command runs in a child
// process of its own, and judge.h says what it may do. --kind: only kinds whose name has the text in it. --only: that
// image. Images that broke a rule stay in the directory of --keep. --control takes bytes that were forged, with all
// hashes right, for damage: nothing can find that, so the campaign has to fail.

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "tests/damage/bad_sectors.h"
#include "tests/damage/damages.h"
#include "tests/damage/fields.h"
#include "tests/damage/image.h"
#include "tests/damage/judge.h"
#include "tests/damage/sample_logs.h"
#include "tests/damage/trial.h"
#include "tests/support/file_bytes.h"

namespace foldlog::damage {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kAll = ~std::uint64_t{0};

struct Options {
  std::uint64_t images = 400;
  std::uint64_t seed = 0;
  std::uint64_t jobs = 1;
  std::uint64_t only = kAll;
  std::string kind = {};
  std::string keep = "damage_failures";
  bool control = false;
};

// All kinds of damage to all samples, in an order that has nothing to do with where they come from.
class Campaign {
 public:
  Campaign(const Options& options, std::vector<SampleLog> samples) : options_(options), samples_(std::move(samples)) {
    for (std::size_t i = 0; i < samples_.size(); ++i) {
      for (DamageKind& kind : DamageKinds(samples_[i], samples_[(i + 3) % samples_.size()])) {
        if (kind.name.find(options.kind) == std::string::npos) continue;
        kinds_.push_back({&samples_[i], std::move(kind)});
      }
    }
    std::mt19937_64 random(options.seed);
    std::shuffle(kinds_.begin(), kinds_.end(), random);
  }

  std::size_t kinds() const { return kinds_.size(); }

  // The failures of image `number`, one a line.
  std::vector<std::string> Try(std::uint64_t number, const std::string& directory) const {
    std::mt19937_64 random(options_.seed + number);
    const auto& [sample, kind] = kinds_[number % kinds_.size()];
    Damage damage = kind.pick(random);
    if (options_.control && damage.proof == Proof::kNone) damage.proof = Proof::kSharedPage;
    fs::create_directories(directory);
    Image image(*sample, damage, directory, random());
    std::vector<std::string> lines;
    for (const Failure& failure : image.Try()) {
      lines.push_back(failure.rule + "\t" + failure.command + "\t" + sample->name + "\t" + damage.kind + "\t" +
                      std::to_string(number) + "\t" + damage.what + "\t" + failure.detail);
    }
    return lines;
  }

  // Image `number`, to be looked at.
  void Keep(std::uint64_t number, const std::string& log) const {
    std::mt19937_64 random(options_.seed + number);
    const auto& [sample, kind] = kinds_[number % kinds_.size()];
    const Damage damage = kind.pick(random);
    fs::create_directories(fs::path(log).parent_path());
    MakeImage(*sample, damage, log);
  }

 private:
  struct Kind {
    const SampleLog* sample;
    DamageKind kind;
  };

  const Options& options_;
  const std::vector<SampleLog> samples_;
  std::vector<Kind> kinds_;
};

// What image `number` broke goes to `report`, and its files stay.
void TryAndReport(const Campaign& campaign, std::uint64_t number, const std::string& directory, const Options& options,
                  std::ofstream& report) {
  const std::vector<std::string> lines = campaign.Try(number, directory);
  for (const std::string& line : lines) {
    std::string flat = line;
    std::replace(flat.begin(), flat.end(), '\n', ' ');
    report << flat << "\n";
  }
  report.flush();
  if (!lines.empty() || options.only != kAll) campaign.Keep(number, options.keep + "/" + std::to_string(number));
}

// Job `job` takes every n-th image.
int RunJob(const Campaign& campaign, const Options& options, const std::string& directory, std::uint64_t job) {
  const std::string mine = directory + "/job" + std::to_string(job);
  std::ofstream report(mine + ".report");
  if (options.only != kAll) {
    TryAndReport(campaign, options.only, mine, options, report);
    return 0;
  }
  for (std::uint64_t number = job; number < options.images; number += options.jobs) {
    TryAndReport(campaign, number, mine, options, report);
  }
  return 0;
}

// Prints what was broken: each rule by each command and kind of damage once, with the first image that did it. Returns
// the number of those.
std::size_t PrintReport(const std::string& directory, const Options& options) {
  std::map<std::string, std::pair<std::size_t, std::string>> broken;
  for (std::uint64_t job = 0; job < options.jobs; ++job) {
    std::ifstream report(directory + "/job" + std::to_string(job) + ".report");
    for (std::string line; std::getline(report, line);) {
      std::vector<std::string> parts;
      std::istringstream in(line);
      for (std::string part; std::getline(in, part, '\t');) parts.push_back(part);
      auto& [count, first] = broken[parts.at(0) + " | " + parts.at(1) + " | " + parts.at(3)];
      if (count++ == 0)
        first = "  image " + parts[4] + ", log \"" + parts[2] + "\", " + parts[5] + "\n  " + parts.back();
    }
  }
  for (const auto& [what, found] : broken) {
    printf("NOT SO: %s (%zu)\n%s\n", what.c_str(), found.first, found.second.c_str());
  }
  return broken.size();
}

int Run(const Options& options) {
  // Memory, if there is some: nothing here is about what a disk has stored.
  std::string directory = (access("/dev/shm", W_OK) == 0 ? fs::path("/dev/shm") : fs::current_path()) / "damage_XXXXXX";
  if (mkdtemp(directory.data()) == nullptr) return perror("mkdtemp"), 2;
  fs::remove_all(options.keep);
  const Campaign campaign(options, MakeSampleLogs(directory));
  printf("%zu kinds of damage, --seed %llu\n", campaign.kinds(), static_cast<unsigned long long>(options.seed));
  fflush(stdout);
  std::vector<pid_t> jobs;
  for (std::uint64_t job = 0; job < options.jobs; ++job) {
    jobs.push_back(fork());
    if (jobs.back() == 0) _exit(RunJob(campaign, options, directory, job));
  }
  bool ended = true;
  for (const pid_t job : jobs) {
    int status = 0;
    waitpid(job, &status, 0);
    ended = ended && status == 0;
  }
  const std::size_t broken = PrintReport(directory, options);
  fs::remove_all(directory);
  if (!ended) return printf("the campaign itself has failed\n"), 2;
  if (broken > 0) return printf("%zu ways of breaking a rule; the images are in %s\n", broken, options.keep.c_str()), 1;
  printf("%llu damaged logs: no command was killed or hung, and none hid or made up anything\n",
         static_cast<unsigned long long>(options.images));
  return 0;
}

bool Parse(int argc, char** argv, Options& options) {
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    if (name == "--control") {
      options.control = true;
      continue;
    }
    if (++i == argc) return false;
    const std::string value = argv[i];
    if (name == "--kind") {
      options.kind = value;
    } else if (name == "--keep") {
      options.keep = value;
    } else {
      std::uint64_t* number = name == "--images" ? &options.images
                              : name == "--seed" ? &options.seed
                              : name == "--jobs" ? &options.jobs
                              : name == "--only" ? &options.only
                                                 : nullptr;
      if (number == nullptr || !absl::SimpleAtoi(value, number)) return false;
    }
  }
  return options.jobs > 0;
}

}  // namespace
}  // namespace foldlog::damage

int main(int argc, char** argv) {
  foldlog::damage::Options options;
  options.seed = std::random_device{}();
  if (!foldlog::damage::Parse(argc, argv, options)) {
    fprintf(stderr,
            "usage: damage_test [--images N] [--seed S] [--jobs N] [--kind TEXT] [--only I] [--keep DIRECTORY] "
            "[--control]\n");
    return 2;
  }
  return foldlog::damage::Run(options);
}
