#include "tests/crash/checker_pool.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"

namespace foldlog::power_cut {
namespace {

constexpr std::size_t kKeptMax = 5;
constexpr std::size_t kFailuresShownMax = 10;
constexpr std::size_t kOriginBytesMax = 400;  // an image that comes up at many calls need not name them all

// Between parent and workers: numbers and strings with their length. Either end dying ends the other's reading.
bool SendAll(int socket, const void* data, std::size_t size) {
  const char* at = static_cast<const char*>(data);
  while (size > 0) {
    const ssize_t sent = send(socket, at, size, MSG_NOSIGNAL);
    if (sent <= 0) return false;
    at += sent;
    size -= static_cast<std::size_t>(sent);
  }
  return true;
}

bool ReceiveAll(int socket, void* data, std::size_t size) {
  char* at = static_cast<char*>(data);
  while (size > 0) {
    const ssize_t got = recv(socket, at, size, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    at += got;
    size -= static_cast<std::size_t>(got);
  }
  return true;
}

bool SendText(int socket, const std::string& text) {
  const std::uint64_t size = text.size();
  return SendAll(socket, &size, sizeof size) && SendAll(socket, text.data(), text.size());
}

bool ReceiveText(int socket, std::string& text) {
  std::uint64_t size = 0;
  if (!ReceiveAll(socket, &size, sizeof size)) return false;
  text.resize(size);
  return ReceiveAll(socket, text.data(), size);
}

bool SendImage(int socket, const DiskImage& disk) {
  const std::uint64_t counts[2] = {disk.directories.size(), disk.files.size()};
  bool sent = SendAll(socket, counts, sizeof counts);
  for (const std::string& directory : disk.directories) sent = sent && SendText(socket, directory);
  for (const auto& [path, content] : disk.files) sent = sent && SendText(socket, path) && SendText(socket, content);
  return sent;
}

bool ReceiveImage(int socket, DiskImage& disk) {
  std::uint64_t counts[2] = {};
  if (!ReceiveAll(socket, counts, sizeof counts)) return false;
  for (; counts[0] > 0; --counts[0]) {
    if (!ReceiveText(socket, disk.directories.emplace_back())) return false;
  }
  for (; counts[1] > 0; --counts[1]) {
    std::string path;
    if (!ReceiveText(socket, path) || !ReceiveText(socket, disk.files[path])) return false;
  }
  return true;
}

void Empty(const std::string& directory) {
  std::error_code ignored;
  std::filesystem::remove_all(directory, ignored);
  std::filesystem::create_directories(directory, ignored);
}

}  // namespace

struct CheckerPool::Answer {
  Outcome outcome = Outcome::kFound;
  std::int64_t last = kNoLog;
  std::string message = {};
};

void Report::Add(const Report& other) {
  images += other.images;
  sound += other.sound;
  detected += other.detected;
  lost += other.lost;
  invented += other.invented;
  corrupt += other.corrupt;
  signals += other.signals;
  hangs += other.hangs;
  for (const std::string& failure : other.failures) {
    if (failures.size() < kFailuresShownMax) failures.push_back(failure);
  }
}

std::string Summary(const Report& report) {
  return absl::StrCat(report.images, " images: ", report.sound, " sound, ", report.detected, " torn and refused, ",
                      report.lost, " lost an acknowledged event, ", report.invented, " with one never submitted, ",
                      report.corrupt, " corrupt, ", report.signals, " signals, ", report.hangs, " hangs");
}

void Materialise(const DiskImage& disk, const std::string& directory) {
  for (const std::string& path : disk.directories)
    std::filesystem::create_directories(absl::StrCat(directory, "/", path));
  for (const auto& [path, content] : disk.files) {
    const int fd = open(absl::StrCat(directory, "/", path).c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    const bool whole = fd >= 0 && write(fd, content.data(), content.size()) == static_cast<ssize_t>(content.size());
    if (fd >= 0) close(fd);
    if (whole) continue;
    fprintf(stderr, "cannot write the image to %s: %s\n", directory.c_str(), strerror(errno));
    _exit(2);
  }
}

CheckerPool::CheckerPool(CheckerOptions options, CheckFunction check)
    : options_(std::move(options)), check_(std::move(check)), workers_(std::max(1U, options_.workers)) {
  fflush(nullptr);  // or each child would print what is still in the buffer
  for (Worker& worker : workers_) Fork(worker);
}

CheckerPool::~CheckerPool() {
  for (const Worker& worker : workers_) {
    close(worker.socket);
    kill(worker.pid, SIGKILL);
    waitpid(worker.pid, nullptr, 0);
  }
}

void CheckerPool::Fork(Worker& worker) {
  int ends[2] = {-1, -1};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) abort();
  const std::string directory = absl::StrCat(options_.scratch, "/worker", &worker - workers_.data());
  const pid_t pid = fork();
  if (pid < 0) abort();
  if (pid == 0) {
    for (const Worker& other : workers_) {
      if (other.socket >= 0) close(other.socket);
    }
    close(ends[0]);
    Work(ends[1], directory);
  }
  close(ends[1]);
  worker.pid = pid;
  worker.socket = ends[0];
  worker.at_work.reset();
}

void CheckerPool::Work(int socket, const std::string& directory) {
  const struct rlimit no_core = {0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  signal(SIGALRM, SIG_DFL);  // by which a hanging check ends
  DiskImage disk;
  while (ReceiveImage(socket, disk)) {
    Empty(directory);
    Materialise(disk, directory);
    alarm(options_.timeout_s);
    const Answer answer = CheckOne(directory);
    alarm(0);
    if (!SendAll(socket, &answer.outcome, sizeof answer.outcome) ||
        !SendAll(socket, &answer.last, sizeof answer.last) || !SendText(socket, answer.message)) {
      break;
    }
    disk = {};
  }
  _exit(0);
}

CheckerPool::Answer CheckerPool::CheckOne(const std::string& directory) const {
  const absl::StatusOr<std::int64_t> last = check_(directory);
  if (last.ok()) return {.outcome = Outcome::kFound, .last = *last};
  const bool refused = absl::IsDataLoss(last.status());
  return {.outcome = refused ? Outcome::kRefused : Outcome::kUnsound, .message = last.status().ToString()};
}

void CheckerPool::Add(CrashImage image) {
  const auto [known, is_new] =
      judgements_.try_emplace(image.hash, Judgement{image.obligation, image.torn_write, image.origin});
  Judgement& judgement = known->second;
  if (!is_new) {
    judgement.obligation.acknowledged = std::max(judgement.obligation.acknowledged, image.obligation.acknowledged);
    judgement.obligation.submitted = std::min(judgement.obligation.submitted, image.obligation.submitted);
    judgement.torn = judgement.torn && image.torn_write;
    if (judgement.origin.size() < kOriginBytesMax) absl::StrAppend(&judgement.origin, "; again ", image.origin);
    if (judgement.done) KeepIfFailing(image, judgement);  // it may fail only now that more is asked of it
    return;
  }
  Worker& worker = WaitForFree();
  worker.at_work = std::move(image);
  if (!SendImage(worker.socket, worker.at_work->disk)) Receive(worker);
}

CheckerPool::Worker& CheckerPool::WaitForFree() {
  for (Worker& worker : workers_) {
    if (!worker.at_work) return worker;
  }
  std::vector<struct pollfd> polled;
  for (const Worker& worker : workers_) polled.push_back({worker.socket, POLLIN, 0});
  while (poll(polled.data(), polled.size(), -1) < 0 && errno == EINTR) {
  }
  for (std::size_t i = 0; i < polled.size(); ++i) {
    if (polled[i].revents == 0) continue;
    Receive(workers_[i]);
    return workers_[i];
  }
  return WaitForFree();
}

void CheckerPool::Receive(Worker& worker) {
  const CrashImage image = *std::exchange(worker.at_work, std::nullopt);
  Judgement& judgement = judgements_.at(image.hash);
  if (!ReceiveAll(worker.socket, &judgement.outcome, sizeof judgement.outcome) ||
      !ReceiveAll(worker.socket, &judgement.last, sizeof judgement.last) ||
      !ReceiveText(worker.socket, judgement.message)) {
    Died(worker, judgement);
  }
  judgement.done = true;
  if (KeepIfFailing(image, judgement)) return;
  judgement.origin = {};  // of a million images that are sound nobody wants to know
}

void CheckerPool::Died(Worker& worker, Judgement& judgement) {
  int status = 0;
  waitpid(worker.pid, &status, 0);
  close(std::exchange(worker.socket, -1));
  const int number = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  judgement.outcome = number == SIGALRM ? Outcome::kHang : Outcome::kSignal;
  judgement.message = number != 0 ? strsignal(number) : absl::StrCat("ended by exit ", WEXITSTATUS(status));
  Fork(worker);
}

bool CheckerPool::KeepIfFailing(const CrashImage& image, const Judgement& judgement) {
  Report verdict;
  Judge(image.hash, judgement, verdict);
  if (verdict.failed() == 0) return false;
  if (options_.keep_failures_in.empty() || kept_.size() >= kKeptMax) return true;
  if (!kept_.insert(image.hash).second) return true;
  const std::string directory = absl::StrCat(options_.keep_failures_in, "/", absl::Hex(image.hash));
  Empty(directory);
  Materialise(image.disk, directory);
  return true;
}

Report CheckerPool::Finish() {
  for (Worker& worker : workers_) {
    if (worker.at_work) Receive(worker);
  }
  Report report;
  for (const auto& [hash, judgement] : judgements_) Judge(hash, judgement, report);
  return report;
}

void CheckerPool::Judge(std::uint64_t hash, const Judgement& judgement, Report& report) const {
  ++report.images;
  const Obligation& must = judgement.obligation;
  std::string what;
  switch (judgement.outcome) {
    case Outcome::kFound:
      if (judgement.last < must.acknowledged) {
        ++report.lost;
        what = absl::StrCat("lost: ends with ", judgement.last, ", but ", must.acknowledged, " was acknowledged");
      } else if (judgement.last > must.submitted) {
        ++report.invented;
        what = absl::StrCat("invented: ends with ", judgement.last, ", but only ", must.submitted, " was submitted");
      } else {
        ++report.sound;
      }
      break;
    case Outcome::kRefused:
      if (judgement.torn) {
        ++report.detected;
      } else {
        ++report.corrupt;
        what = "corrupt";
      }
      break;
    case Outcome::kUnsound:
      ++report.corrupt;
      what = "corrupt";
      break;
    case Outcome::kSignal:
      ++report.signals;
      what = "signal";
      break;
    case Outcome::kHang:
      ++report.hangs;
      what = "hang";
      break;
  }
  if (what.empty() || report.failures.size() >= kFailuresShownMax) return;
  report.failures.push_back(
      absl::StrCat("image ", absl::Hex(hash), ": ", what, " ", judgement.message, "\n    from ", judgement.origin));
}

}  // namespace foldlog::power_cut
