// Cuts the power of any recorded program and has a command look at what is left.
//
//   power_cut TRACE COMMAND [--images N] [--seed N] [--workers N] [--background END]... [--tear-lmdb] [--no-barriers]
//
// COMMAND is run by the shell as `COMMAND DIRECTORY` for each image, with at most 120 s to take. It exits with 0 and
// prints the number of the last item that it found (-1: nothing there at all, not even an empty log), or exits with 3
// if it refuses the directory as damaged, or with anything else if it found something wrong. Exits with 0 if every
// image is sound, 1 if not, 2 if it could not be found out.

#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "tests/crash/checker_pool.h"
#include "tests/crash/enumerator.h"

namespace foldlog::power_cut {
namespace {

constexpr int kRefusedExit = 3;

struct Arguments {
  EnumerationOptions enumeration = {};
  CheckerOptions checker = {.keep_failures_in = "power_cut_failures"};
};

absl::StatusOr<std::int64_t> RunCommand(const std::string& command, const std::string& directory) {
  FILE* const pipe = popen(absl::StrCat(command, " '", directory, "'").c_str(), "r");
  if (pipe == nullptr) return absl::InternalError("cannot start the shell");
  std::string output;
  std::array<char, 4096> part = {};
  while (const std::size_t got = fread(part.data(), 1, part.size(), pipe)) output.append(part.data(), got);
  const int status = pclose(pipe);
  if (WIFEXITED(status) && WEXITSTATUS(status) == kRefusedExit) return absl::DataLossError(output);
  std::int64_t last = 0;
  if (status == 0 && absl::SimpleAtoi(output, &last)) return last;
  return absl::InternalError(absl::StrCat("the command's wait status is ", status, ", it printed: ", output));
}

bool Parse(int argc, char** argv, Arguments& arguments) {
  EnumerationOptions& enumeration = arguments.enumeration;
  for (int i = 3; i < argc; ++i) {
    const std::string name = argv[i];
    const std::string value = i + 1 < argc ? argv[i + 1] : "";
    if (name == "--no-barriers") {
      enumeration.ignore_barriers = true;
    } else if (name == "--tear-lmdb") {
      enumeration.tears = IsLmdbMetaWrite;
    } else if (name == "--background" && !value.empty()) {
      enumeration.background.emplace_back(argv[++i]);
    } else if ((name == "--images" && absl::SimpleAtoi(value, &enumeration.images)) ||
               (name == "--seed" && absl::SimpleAtoi(value, &enumeration.seed)) ||
               (name == "--workers" && absl::SimpleAtoi(value, &arguments.checker.workers))) {
      ++i;
    } else {
      return false;
    }
  }
  return argc >= 3;
}

int Main(int argc, char** argv) {
  Arguments arguments;
  if (!Parse(argc, argv, arguments)) {
    fprintf(stderr,
            "usage: power_cut TRACE COMMAND [--images N] [--seed N] [--workers N] [--background END]... "
            "[--tear-lmdb] [--no-barriers]\n");
    return 2;
  }
  const auto trace = ReadTrace(argv[1]);
  if (!trace.ok()) {
    fprintf(stderr, "power_cut: %s\n", trace.status().ToString().c_str());
    return 2;
  }
  std::string scratch = std::filesystem::is_directory("/dev/shm") ? "/dev/shm/power_cut_XXXXXX" : "power_cut_XXXXXX";
  arguments.checker.scratch = std::filesystem::absolute(mkdtemp(scratch.data()));
  const std::string command = argv[2];
  Report report;
  {
    CheckerPool pool(arguments.checker, [&](const std::string& directory) { return RunCommand(command, directory); });
    Enumerate(*trace, arguments.enumeration, [&](CrashImage image) { pool.Add(std::move(image)); });
    report = pool.Finish();
  }
  std::filesystem::remove_all(arguments.checker.scratch);
  printf("%s\n", Summary(report).c_str());
  for (const std::string& failure : report.failures) printf("  %s\n", failure.c_str());
  return report.failed() == 0 ? 0 : 1;
}

}  // namespace
}  // namespace foldlog::power_cut

int main(int argc, char** argv) { return foldlog::power_cut::Main(argc, argv); }
