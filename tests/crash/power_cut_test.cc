// Cuts the power of a foldlog log at every call, in every way that the disk model allows, and checks what is left; then
// cuts it again while the log recovers from that, and once more during the recovery from this.
//
//   power_cut_test [--images N] [--commits N] [--nested N] [--workers N] [--control-images N] [--keep DIRECTORY]
//                  [--trace FILE]
//
// The seed is printed. FOLDLOG_TEST_SEED repeats the workload, but the threads of the log meet differently each time;
// with --trace, and the trace that was kept, the same images come again. Fails if an acknowledged event is lost, an
// image is refused or unsound, or a check crashes or hangs; and if the same run without one of its flushes does NOT
// fail: that would mean that this test could not see a loss.

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <map>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
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
      {"--images", 20'000}, {"--commits", 170}, {"--nested", 30}, {"--workers", 2}, {"--control-images", 1'500}};
  std::string keep = {};
  std::string trace = {};     // to be repeated, instead of a new recording
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
  std::vector<RecordedEvent> earlier = {};  // of the run whose power cut this one began after
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

// A trace that was kept: what its run left behind is in it.
absl::StatusOr<Recording> ReadRecording(const std::string& trace_path, const std::string& directory) {
  Recording recording;
  ASSIGN_OR_RETURN(recording.trace, ReadTrace(trace_path));
  DiskModel model({});
  for (const Call& call : recording.trace) {
    model.Begin(call);
    model.End(call);
  }
  Materialise(model.Build(std::vector<bool>(model.pending().size(), true)), directory);
  ASSIGN_OR_RETURN(recording.reference, ReadEvents(directory + "/log"));
  return recording;
}

absl::StatusOr<Recording> RecordWorkload(const Arguments& arguments, std::uint64_t seed, const std::string& directory,
                                         const std::string& left_out = "") {
  fs::remove_all(directory);
  fs::create_directories(directory);
  if (!arguments.trace.empty() && left_out.empty()) return ReadRecording(arguments.trace, directory);
  return RecordRun(arguments, {"run", directory, absl::StrCat(arguments["--commits"]), absl::StrCat(seed), left_out},
                   directory);
}

// What the workload is there for: without it, the images would prove little of the tail.
absl::Status CheckWorkload(const Recording& recording) {
  constexpr std::string_view kSkipMark = "FLS1\xff\xff\xff\xff";
  std::uint64_t laps = 0;
  std::uint64_t drains = 0;
  std::uint64_t stores = 0;
  for (const Call& call : recording.trace) {
    const bool stored = call.kind == CallKind::kWrite && (call.flags & kThroughMapping) != 0;
    if (stored) ++stores;
    if (stored && call.data.find(kSkipMark) != std::string::npos) ++laps;
    if (call.kind == CallKind::kWrite && IsLmdbMetaWrite(call)) ++drains;
  }
  printf("recorded %zu calls and %llu stores, %zu events, %llu drains, %llu skip marks seen\n", recording.trace.size(),
         static_cast<unsigned long long>(stores), recording.reference.size(), static_cast<unsigned long long>(drains),
         static_cast<unsigned long long>(laps));
  if (laps < 2 || drains < 4) return absl::InternalError("too little happens to the tail: lengthen the workload");
  return absl::OkStatus();
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
  // What the lock files say is evidence, not truth, and the shared page means nothing after a power cut: any content
  // will do, so any is tried.
  return {.seed = seed,
          .images = images,
          .background = {"writer.lock", "-lock", "tail-shm"},
          .at_start = {},
          .tears = IsLmdbMetaWrite};
}

Report Check(const Recording& recording, const EnumerationOptions& options, const Arguments& arguments,
             const std::string& scratch, bool keep, Sample* sample) {
  CheckerPool pool({.scratch = scratch,
                    .workers = static_cast<unsigned>(arguments["--workers"]),
                    .keep_failures_in = keep ? arguments.keep : ""},
                   [&](const std::string& directory) {
                     return CheckFoldlogImage(directory + "/log", recording.reference, recording.earlier);
                   });
  Enumerate(recording.trace, options, [&](CrashImage image) {
    if (sample != nullptr) sample->Offer(image);
    pool.Add(std::move(image));
  });
  return pool.Finish();
}

// How a recovery is cut short: so many images of it, and of some of these the recovery again.
struct Nesting {
  std::uint64_t images = 0;
  std::size_t deeper = 0;
};
constexpr Nesting kNestings[] = {{300, 1}, {60, 0}};

// The power goes again while the log recovers from the cut that left `image`, and again while it recovers from that.
absl::Status CutAgain(const CrashImage& image, std::size_t depth, const Recording& first, const Arguments& arguments,
                      const std::string& scratch, std::vector<Report>& reports) {
  const std::string directory = absl::StrCat(scratch, "/again", depth);
  fs::remove_all(directory);
  fs::create_directories(directory);
  Materialise(image.disk, directory);
  PretendReboot(directory + "/log");
  ASSIGN_OR_RETURN(Recording second, RecordRun(arguments, {"recover", directory}, directory));
  second.earlier = first.reference;
  const std::size_t old = std::min(first.reference.size(), second.reference.size());
  for (std::size_t i = 0; i < old && static_cast<std::int64_t>(i) < image.obligation.acknowledged; ++i) {
    if (!(first.reference[i] == second.reference[i])) return absl::InternalError("recovery changed an event");
  }
  EnumerationOptions options = Options(arguments.seed, kNestings[depth].images);
  options.at_start = image.obligation;
  Sample sample(kNestings[depth].deeper, image.hash);
  reports[depth].Add(Check(second, options, arguments, scratch, /*keep=*/true, &sample));
  for (const CrashImage& deeper : sample.images()) {
    RETURN_IF_ERROR(CutAgain(deeper, depth + 1, second, arguments, scratch, reports));
  }
  return absl::OkStatus();
}

void Print(const std::string& title, const Report& report, std::chrono::steady_clock::time_point begin) {
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  printf("%s: %s (%.1f s)\n", title.c_str(), Summary(report).c_str(), seconds);
  for (const std::string& failure : report.failures) printf("  %s\n", failure.c_str());
  fflush(stdout);
}

// One recorded run, and all that may become of it. Adds to `total`.
absl::Status CutOneRun(const Arguments& arguments, std::uint64_t seed, std::uint64_t images, const std::string& scratch,
                       Report& total) {
  const auto begin = std::chrono::steady_clock::now();
  const std::string directory = scratch + "/run";
  ASSIGN_OR_RETURN(const Recording recording, RecordWorkload(arguments, seed, directory));
  RETURN_IF_ERROR(CheckWorkload(recording));
  Sample sample(arguments["--nested"], seed);
  Report report = Check(recording, Options(seed, images), arguments, scratch, true, &sample);
  Print("power cut", report, begin);
  if (report.images < images) return absl::InternalError("too few images: lengthen the workload");

  const auto nested_begin = std::chrono::steady_clock::now();
  std::vector<Report> nested(std::size(kNestings));
  for (const CrashImage& image : sample.images()) {
    const absl::Status cut = CutAgain(image, 0, recording, arguments, scratch, nested);
    if (!cut.ok()) return absl::InternalError(absl::StrCat(cut.ToString(), "; of ", image.origin));
  }
  Print("power cut during recovery", nested[0], nested_begin);
  Print("power cut during recovery from that", nested[1], nested_begin);
  for (const Report& deeper : nested) report.Add(deeper);
  total.Add(report);
  if (report.failed() == 0) return absl::OkStatus();
  fs::create_directories(arguments.keep);
  const std::string trace = arguments.trace.empty() ? directory + ".trace" : arguments.trace;
  fs::copy_file(trace, arguments.keep + "/run.trace", fs::copy_options::overwrite_existing);
  return absl::InternalError(absl::StrCat("foldlog did not survive a power cut; images and trace are in ",
                                          arguments.keep, ", and FOLDLOG_TEST_SEED=", seed, " with --trace ",
                                          arguments.keep, "/run.trace repeats them"));
}

// Threads meet differently in each run, so a long campaign is many of them.
absl::Status Campaign(const Arguments& arguments, const std::string& scratch) {
  constexpr std::uint64_t kImagesOfARunMax = 100'000;
  const auto begin = std::chrono::steady_clock::now();
  Report total;
  std::uint64_t left = arguments["--images"];
  std::uint64_t runs = 0;
  for (; left > 0; ++runs) {
    const std::uint64_t images = std::min(left, kImagesOfARunMax);
    RETURN_IF_ERROR(CutOneRun(arguments, arguments.seed + runs, images, scratch, total));
    left -= images;
  }
  Print(absl::StrCat("all of ", runs, runs == 1 ? " run" : " runs"), total, begin);
  return absl::OkStatus();
}

// With a flush missing, the test must fail. `corrupts`: not only by lost events.
absl::Status Control(const std::string& left_out, bool corrupts, const Arguments& arguments,
                     const std::string& scratch) {
  const auto begin = std::chrono::steady_clock::now();
  ASSIGN_OR_RETURN(const Recording recording,
                   RecordWorkload(arguments, arguments.seed, scratch + "/" + left_out, left_out));
  EnumerationOptions options = Options(arguments.seed, arguments["--control-images"]);
  options.tears = nullptr;
  options.systematic = false;
  const Report report = Check(recording, options, arguments, scratch, false, nullptr);
  Report shown = report;
  shown.failures.resize(std::min<std::size_t>(1, shown.failures.size()));
  Print("control " + left_out, shown, begin);
  const std::uint64_t damaged = report.corrupt + report.signals + report.hangs;
  // A loss that the log reports by itself, because its tail says how far it was durable, is found out as well.
  if (report.lost + damaged == 0 || (corrupts && damaged == 0)) {
    return absl::InternalError(absl::StrCat("the control ", left_out, " was not found out: this test proves nothing"));
  }
  return absl::OkStatus();
}

// The same trace as if fsync and its kind did nothing: without touching the program under test.
absl::Status ControlWithoutBarriers(const Arguments& arguments, const std::string& scratch) {
  const auto begin = std::chrono::steady_clock::now();
  const std::string directory = scratch + "/barriers";
  fs::create_directories(directory);
  ASSIGN_OR_RETURN(const Recording recording,
                   RecordRun(arguments, {"run", directory, "5", absl::StrCat(arguments.seed)}, directory));
  EnumerationOptions options = Options(arguments.seed, arguments["--control-images"]);
  options.tears = nullptr;
  options.systematic = false;
  options.ignore_barriers = true;
  Report report = Check(recording, options, arguments, scratch, false, nullptr);
  report.failures.resize(std::min<std::size_t>(1, report.failures.size()));
  Print("control, all barriers ignored", report, begin);
  return report.lost + report.corrupt > 0 ? absl::OkStatus()
                                          : absl::InternalError("a disk without barriers was not found out");
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
    const std::string option = argv[i];
    if (option != "--keep" && option != "--trace") {
      return absl::InvalidArgumentError(absl::StrCat("what is ", option, " ", argv[i + 1], "?"));
    }
    (option == "--keep" ? arguments.keep : arguments.trace) = fs::absolute(argv[i + 1]);
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
    RETURN_IF_ERROR(Control("notailsync", /*corrupts=*/false, arguments, scratch.path()));
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
