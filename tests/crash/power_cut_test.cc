// Cuts the power of a foldlog log at every call, in every way that the disk model allows, and checks what is left.
//
//   power_cut_test [--images N] [--commits N] [--nested N] [--workers N] [--control-images N] [--keep DIRECTORY]
//
// The seed is printed, and FOLDLOG_TEST_SEED repeats it. Fails if an acknowledged event is lost, an image is refused or
// unsound, or a check crashes or hangs; and if the same run without LMDB's barriers does NOT fail: that would mean that
// this test could not see a loss.

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "engine/status_macros.h"
#include "tests/crash/checker_pool.h"
#include "tests/crash/enumerator.h"
#include "tests/crash/foldlog_check.h"
#include "tests/crash/recorder.h"

namespace foldlog::power_cut {
namespace {

namespace fs = std::filesystem;

struct Arguments {
  std::uint64_t seed = 0;
  std::map<std::string, std::uint64_t> numbers = {
      {"--images", 20'000}, {"--commits", 90}, {"--nested", 60}, {"--workers", 2}, {"--control-images", 1'500}};
  std::string keep = {};
  std::string programs = {};  // where the workload and the recorder are: beside this program

  std::uint64_t operator[](const char* name) const { return numbers.at(name); }
};

// In memory if there is room: what is tested is the recovery, and the disk is simulated.
class Scratch {
 public:
  Scratch() {
    std::string pattern = fs::is_directory("/dev/shm") ? "/dev/shm/foldlog_power_cut_XXXXXX" : "power_cut_XXXXXX";
    path_ = fs::absolute(mkdtemp(pattern.data()));
  }
  ~Scratch() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// A recorded run, and the events that it appended.
struct Recording {
  Trace trace;
  std::vector<RecordedEvent> reference;
};

absl::StatusOr<Recording> RecordRun(const Arguments& arguments, std::vector<std::string> command,
                                    const std::string& directory) {
  const std::string trace_path = directory + ".trace";
  fs::remove(trace_path);
  command.insert(command.begin(), arguments.programs + "/power_cut_workload");
  Recording recording;
  ASSIGN_OR_RETURN(recording.trace,
                   Record(command, arguments.programs + "/libfoldlog_recorder.so", directory, trace_path));
  ASSIGN_OR_RETURN(recording.reference, ReadEvents(directory + "/log"));
  return recording;
}

// Some of the images that go by, each with the same chance.
class Sample {
 public:
  Sample(std::size_t wanted, std::uint64_t seed) : wanted_(wanted), random_(seed) {}

  void Offer(const CrashImage& image) {
    if (image.torn_write || wanted_ == 0) return;
    if (images_.size() < wanted_) {
      images_.push_back(image);
    } else if (const std::uint64_t place = random_() % (seen_ + 1); place < wanted_) {
      images_[place] = image;
    }
    ++seen_;
  }

  const std::vector<CrashImage>& images() const { return images_; }

 private:
  const std::size_t wanted_;
  std::mt19937_64 random_;
  std::uint64_t seen_ = 0;
  std::vector<CrashImage> images_;
};

EnumerationOptions Options(std::uint64_t seed, std::uint64_t images) {
  // What the two lock files say is evidence, not truth: any content will do, so any is tried.
  return {
      .seed = seed, .images = images, .background = {"writer.lock", "-lock"}, .at_start = {}, .tears = IsLmdbMetaWrite};
}

Report Check(const Recording& recording, const EnumerationOptions& options, const Arguments& arguments,
             const std::string& scratch, bool keep, Sample* sample) {
  CheckerPool pool(
      {.scratch = scratch,
       .workers = static_cast<unsigned>(arguments["--workers"]),
       .keep_failures_in = keep ? arguments.keep : ""},
      [&](const std::string& directory) { return CheckFoldlogImage(directory + "/log", recording.reference); });
  Enumerate(recording.trace, options, [&](CrashImage image) {
    if (sample != nullptr) sample->Offer(image);
    pool.Add(std::move(image));
  });
  return pool.Finish();
}

// The power goes again while the log recovers from the first cut.
absl::StatusOr<Report> CutAgain(const CrashImage& image, std::uint64_t seed, const Recording& first,
                                const Arguments& arguments, const std::string& scratch) {
  const std::string directory = scratch + "/again";
  fs::remove_all(directory);
  fs::create_directories(directory);
  Materialise(image.disk, directory);
  ASSIGN_OR_RETURN(const Recording second, RecordRun(arguments, {"recover", directory}, directory));
  const std::size_t old = std::min(first.reference.size(), second.reference.size());
  for (std::size_t i = 0; i < old && static_cast<std::int64_t>(i) < image.obligation.acknowledged; ++i) {
    if (!(first.reference[i] == second.reference[i])) return absl::InternalError("recovery changed an event");
  }
  EnumerationOptions options = Options(seed, /*images=*/300);
  options.at_start = image.obligation;
  return Check(second, options, arguments, scratch, /*keep=*/true, nullptr);
}

void Print(const std::string& title, const Report& report, std::chrono::steady_clock::time_point begin) {
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  printf("%s: %s (%.1f s)\n", title.c_str(), Summary(report).c_str(), seconds);
  for (const std::string& failure : report.failures) printf("  %s\n", failure.c_str());
  fflush(stdout);
}

absl::Status Campaign(const Arguments& arguments, const std::string& scratch) {
  const auto begin = std::chrono::steady_clock::now();
  const std::string directory = scratch + "/run";
  fs::create_directories(directory);
  ASSIGN_OR_RETURN(const Recording recording,
                   RecordRun(arguments, {"run", directory, absl::StrCat(arguments["--commits"])}, directory));
  printf("recorded %zu calls, %zu events\n", recording.trace.size(), recording.reference.size());
  Sample sample(arguments["--nested"], arguments.seed);
  Report total = Check(recording, Options(arguments.seed, arguments["--images"]), arguments, scratch, true, &sample);
  Print("power cut", total, begin);
  if (total.images < arguments["--images"]) return absl::InternalError("too few images: lengthen the workload");

  const auto nested_begin = std::chrono::steady_clock::now();
  Report nested;
  for (const CrashImage& image : sample.images()) {
    absl::StatusOr<Report> report = CutAgain(image, arguments.seed, recording, arguments, scratch);
    if (!report.ok()) {
      return absl::InternalError(absl::StrCat(report.status().ToString(), "; of ", image.origin));
    }
    nested.Add(*report);
  }
  Print("power cut during recovery", nested, nested_begin);
  total.Add(nested);
  if (total.failed() == 0) return absl::OkStatus();
  fs::create_directories(arguments.keep);
  fs::copy_file(directory + ".trace", arguments.keep + "/run.trace", fs::copy_options::overwrite_existing);
  return absl::InternalError(absl::StrCat("foldlog did not survive a power cut; images and trace are in ",
                                          arguments.keep, ", and FOLDLOG_TEST_SEED=", arguments.seed, " repeats them"));
}

// With a barrier missing, the test must fail. `corrupts`: not only by lost events.
absl::Status Control(const std::string& flags, bool corrupts, const Arguments& arguments, const std::string& scratch) {
  const auto begin = std::chrono::steady_clock::now();
  const std::string directory = scratch + "/" + flags;
  fs::create_directories(directory);
  ASSIGN_OR_RETURN(const Recording recording, RecordRun(arguments, {"run", directory, "14", flags}, directory));
  EnumerationOptions options = Options(arguments.seed, arguments["--control-images"]);
  options.tears = nullptr;
  const Report report = Check(recording, options, arguments, scratch, false, nullptr);
  Report shown = report;
  shown.failures.resize(std::min<std::size_t>(1, shown.failures.size()));
  Print("control, LMDB with " + flags, shown, begin);
  const std::uint64_t damaged = report.corrupt + report.signals + report.hangs;
  if (report.lost == 0 || (corrupts && damaged == 0)) {
    return absl::InternalError(absl::StrCat("the control ", flags, " was not found out: this test proves nothing"));
  }
  return absl::OkStatus();
}

// The same trace as if fsync and its kind did nothing: without touching the program under test.
absl::Status ControlWithoutBarriers(const Arguments& arguments, const std::string& scratch) {
  const auto begin = std::chrono::steady_clock::now();
  const std::string directory = scratch + "/barriers";
  fs::create_directories(directory);
  ASSIGN_OR_RETURN(const Recording recording, RecordRun(arguments, {"run", directory, "5"}, directory));
  EnumerationOptions options = Options(arguments.seed, arguments["--control-images"]);
  options.tears = nullptr;
  options.ignore_barriers = true;
  Report report = Check(recording, options, arguments, scratch, false, nullptr);
  report.failures.resize(std::min<std::size_t>(1, report.failures.size()));
  Print("control, all barriers ignored", report, begin);
  return report.lost > 0 ? absl::OkStatus() : absl::InternalError("a disk without barriers was not found out");
}

absl::StatusOr<Arguments> Parse(int argc, char** argv) {
  Arguments arguments;
  const char* given = getenv("FOLDLOG_TEST_SEED");
  if (given == nullptr || !absl::SimpleAtoi(given, &arguments.seed)) arguments.seed = std::random_device{}();
  arguments.programs = fs::canonical("/proc/self/exe").parent_path();
  arguments.keep = fs::absolute("power_cut_failures");
  for (int i = 1; i + 1 < argc; i += 2) {
    const auto number = arguments.numbers.find(argv[i]);
    if (number != arguments.numbers.end() && absl::SimpleAtoi(argv[i + 1], &number->second)) continue;
    if (std::string(argv[i]) != "--keep") return absl::InvalidArgumentError(absl::StrCat("what is ", argv[i], "?"));
    arguments.keep = argv[i + 1];
  }
  if (argc % 2 == 0) return absl::InvalidArgumentError("an argument lacks its value");
  return arguments;
}

absl::Status Run(int argc, char** argv) {
  ASSIGN_OR_RETURN(const Arguments arguments, Parse(argc, argv));
  printf("FOLDLOG_TEST_SEED=%llu\n", static_cast<unsigned long long>(arguments.seed));
  const Scratch scratch;
  if (arguments["--control-images"] > 0) {
    RETURN_IF_ERROR(Control("nosync", /*corrupts=*/true, arguments, scratch.path()));
    RETURN_IF_ERROR(Control("nometasync", /*corrupts=*/false, arguments, scratch.path()));
    RETURN_IF_ERROR(ControlWithoutBarriers(arguments, scratch.path()));
  }
  return Campaign(arguments, scratch.path());
}

}  // namespace
}  // namespace foldlog::power_cut

int main(int argc, char** argv) {
  const absl::Status status = foldlog::power_cut::Run(argc, argv);
  if (!status.ok()) fprintf(stderr, "power_cut_test: %s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}
