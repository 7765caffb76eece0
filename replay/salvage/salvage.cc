#include "foldlog/salvage.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <memory>
#include <set>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/file_system.h"
#include "engine/base/status_macros.h"
#include "engine/codec/frame.h"
#include "engine/log/copy_writer.h"
#include "engine/log/store/lmdb/file.h"
#include "engine/log/store/lmdb/map_bytes.h"
#include "engine/log/tail/file.h"
#include "foldlog/event_index.h"
#include "foldlog/json_lines.h"
#include "replay/salvage/chains.h"
#include "replay/salvage/found_log.h"
#include "replay/salvage/pruned_past.h"
#include "replay/salvage/search.h"

namespace foldlog {
namespace {

using salvage::Chain;
using salvage::Chains;
using salvage::FoundLog;
using salvage::Piece;
using salvage::PieceReader;
using salvage::SearchedFile;

constexpr std::size_t kRunBytes = std::size_t{256} << 10;
// So many commit records are looked for in the chain: each may cost a batch to unpack.
constexpr std::size_t kCommitsTriedMax = 1000;

// A symbolic link counts as there.
absl::Status CheckNothingAt(const std::string& directory) {
  std::error_code error;
  const auto found = std::filesystem::symlink_status(directory, error);
  if (!std::filesystem::exists(found)) return absl::OkStatus();
  if (std::filesystem::is_directory(found) && std::filesystem::is_empty(directory, error)) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("there is something at ", directory,
                   " already; what is salvaged becomes a log of its own: name a new directory"));
}

class Salvaging {
 public:
  Salvaging(std::string from, std::string to, const SalvageOptions& options)
      : from_(std::move(from)), to_(std::move(to)), options_(options), reader_(files_) {}

  absl::StatusOr<SalvageReport> Run() {
    if (!to_.empty()) RETURN_IF_ERROR(CheckNothingAt(to_));
    RETURN_IF_ERROR(OpenFiles());
    for (std::uint32_t i = 0; i < files_.size(); ++i) {
      Search(
          files_[i], i, [&](std::uint64_t words) { Tell(words * sizeof(std::uint64_t), 0); }, found_);
    }
    report_.given_up = std::move(found_.given_up);
    ForgetUnfinishedCommits();
    RETURN_IF_ERROR(FindId());
    const std::optional<CommitRecord> commit = NewestCommit();
    FindPast(commit);
    ASSIGN_OR_RETURN(Chains chains, Chains::Of(std::move(found_.pieces), report_.base.sequence,
                                               commit ? std::optional(commit->end) : std::nullopt, reader_));
    const Chain chain = chains.Behind(report_.base);
    report_.proven_through = ProvenThrough(chains, chain);
    report_.unproven = chain.after.sequence - report_.proven_through;
    const std::vector<Chain> beyond = FindBeyond(chains, chain);
    Sequence first = 0;
    const std::uint64_t others = chains.CountOthers(first);
    NoteOthers(first, others);
    NoteLastKnown(chain);
    RETURN_IF_ERROR(Write(chains, chain));
    RETURN_IF_ERROR(ExportBeyond(chains, beyond));
    return std::move(report_);
  }

 private:
  void Tell(std::uint64_t bytes, std::uint64_t events) {
    progress_.bytes += bytes;
    progress_.events += events;
    if (options_.progress) options_.progress(progress_);
  }

  static bool IsStore(const SearchedFile& file) { return file.path().ends_with("/log.mdb"); }

  absl::Status OpenFiles() {
    for (const char* const name : {"log.mdb", "tail"}) {
      const std::string path = absl::StrCat(from_, "/", name);
      absl::StatusOr<SearchedFile> file = SearchedFile::Open(path);
      if (absl::IsNotFound(file.status())) {
        report_.missing_files.push_back(path);
        continue;
      }
      RETURN_IF_ERROR(file.status());
      report_.bytes += file->words() * sizeof(std::uint64_t);
      files_.push_back(*std::move(file));
      if (name != std::string_view("tail")) continue;
      ASSIGN_OR_RETURN(SearchedFile copy, SearchedFile::OpenCopy(path));
      report_.bytes += copy.words() * sizeof(std::uint64_t);
      files_.push_back(std::move(copy));
    }
    progress_.bytes_total = report_.bytes;
    if (!files_.empty()) return absl::OkStatus();
    return absl::NotFoundError(
        absl::StrCat("there is neither log.mdb nor tail in ", from_, ": name the directory of a log"));
  }

  // The records of a transaction whose meta page was never written count for nothing, if both pages can be read.
  void ForgetUnfinishedCommits() {
    const auto file = std::find_if(files_.begin(), files_.end(), IsStore);
    if (file == files_.end()) return;
    const auto opened = lmdb_file::File::Open(file->fd(), file->path());
    if (!opened.ok()) return;
    const absl::StatusOr<lmdb_file::Metas> metas = lmdb_file::ReadSoundMetas(*opened, kMapBytes);
    if (!metas.ok()) return;
    const std::uint64_t newest = std::max((*metas)[0].meta.txn_id, (*metas)[1].meta.txn_id);
    std::erase_if(found_.commits, [&](const CommitRecord& commit) { return commit.txn_id > newest; });
  }

  // The first event proves which of the ids that the files name is the log's.
  absl::Status FindId() {
    std::vector<LogId> ids;
    if (options_.log_id) ids.push_back(*options_.log_id);
    for (const FormatRecord& format : found_.formats) ids.push_back(format.log_id);
    const absl::StatusOr<LogId> of_tail = TailFile::ReadId(from_);
    if (of_tail.ok()) ids.push_back(*of_tail);
    if (ids.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("no file of ", from_, " tells the id of the log any more; give it with --log-id"));
    }
    std::set<std::uint64_t> first;
    for (const Piece& piece : found_.pieces) {
      if (piece.first == 1) first.insert(piece.before);
    }
    const auto begins = [&](const LogId& id) { return first.contains(GenesisHash(id)); };
    const auto proven = std::find_if(ids.begin(), ids.end(), begins);
    report_.log_id = proven == ids.end() ? ids.front() : *proven;
    if (of_tail.ok() && *of_tail == report_.log_id) claim_ = TailFile::ReadClaimOf(from_);
    if (!options_.log_id || report_.log_id == *options_.log_id) return absl::OkStatus();
    return absl::FailedPreconditionError(absl::StrCat("the first event in ", from_, " is of a log with another id"));
  }

  std::optional<CommitRecord> NewestCommit() {
    std::sort(found_.commits.begin(), found_.commits.end(), [](const CommitRecord& a, const CommitRecord& b) {
      return a.end.sequence != b.end.sequence ? a.end.sequence > b.end.sequence : a.txn_id > b.txn_id;
    });
    // Each page that was copied has it once more.
    const auto same = [](const CommitRecord& a, const CommitRecord& b) { return a.end == b.end; };
    found_.commits.erase(std::unique(found_.commits.begin(), found_.commits.end(), same), found_.commits.end());
    return found_.commits.empty() ? std::nullopt : std::optional(found_.commits.front());
  }

  // Where the log begins. Without the state at the base of a pruned one nothing can be folded: then all is beyond a
  // gap.
  void FindPast(const std::optional<CommitRecord>& commit) {
    const ChainEnd genesis{0, GenesisHash(report_.log_id)};
    report_.base = genesis;
    if (!commit || commit->base.sequence == 0) return;
    const auto file = std::find_if(files_.begin(), files_.end(), IsStore);
    std::optional<BaseRecord> base;
    if (file != files_.end()) base = salvage::FindBase(*file, commit->base, genesis);
    if (!base) {
      report_.lost_of_pruned = absl::StrCat("the log was pruned up to event ", commit->base.sequence,
                                            ", and the state there, without which it can't go on, was not found");
      return;
    }
    report_.base = commit->base;
    past_.emplace(PrunedPast{.base = *std::move(base)});
    if (salvage::FindOperations(file->path(), from_, *past_)) return;
    report_.lost_of_pruned = "the history of operations whose events were pruned can't be read, and is left out";
  }

  // Whether the chain has that very event.
  bool Holds(const Chains& chains, const Chain& chain, const ChainEnd& end) {
    if (end.sequence <= chain.before.sequence || end.sequence > chain.after.sequence) return end == chain.before;
    const FoundLog log(chains, chain, reader_, from_);
    const absl::StatusOr<FrameRun> run = log.Read(end.sequence, 1);
    return run.ok() && !run->words.empty() && FrameAtStartOf(run->words)->end() == end;
  }

  Sequence ProvenThrough(const Chains& chains, const Chain& chain) {
    Sequence proven = std::max(chain.before.sequence, std::min(claim_.durable, chain.after.sequence));
    std::size_t tried = 0;
    for (const CommitRecord& commit : found_.commits) {
      if (commit.end.sequence <= proven || ++tried > kCommitsTriedMax) break;
      if (Holds(chains, chain, commit.end)) proven = commit.end.sequence;
    }
    return proven;
  }

  std::vector<Chain> FindBeyond(Chains& chains, const Chain& chain) {
    std::vector<Chain> beyond;
    for (Sequence last = chain.after.sequence; std::optional<Chain> next = chains.NextBehind(last);) {
      // What should continue the event before, and names another one, is behind no gap.
      if (next->before.sequence == last) {
        NoteOthers(next->before.sequence + 1, next->after.sequence - last);
        continue;
      }
      last = next->after.sequence;
      report_.beyond.push_back({next->before, next->after});
      beyond.push_back(*std::move(next));
    }
    return beyond;
  }

  void NoteOthers(Sequence first, std::uint64_t count) {
    if (count > 0 && (report_.others == 0 || first < report_.first_other)) report_.first_other = first;
    report_.others += count;
  }

  void NoteLastKnown(const Chain& chain) {
    report_.last_known = std::max(chain.after.sequence, claim_.durable);
    if (!report_.beyond.empty()) {
      report_.last_known = std::max(report_.last_known, report_.beyond.back().after.sequence);
    }
    if (!found_.commits.empty()) {
      report_.last_known = std::max(report_.last_known, found_.commits.front().end.sequence);
    }
  }

  absl::Status Write(const Chains& chains, const Chain& chain) {
    report_.end = to_.empty() ? chain.after : chain.before;
    const Sequence through = options_.proven_only ? report_.proven_through : chain.after.sequence;
    if (to_.empty() || through == chain.before.sequence) return absl::OkStatus();
    ASSIGN_OR_RETURN(
        const auto copy,
        CopyWriter::Create(to_, {.log_id = report_.log_id, .base = report_.base, .past = past_}, NewEventIndexer()));
    const FoundLog log(chains, chain, reader_, from_);
    while (copy->end().sequence < through) {
      ASSIGN_OR_RETURN(FrameRun run, log.Read(copy->end().sequence + 1, kRunBytes));
      if (run.after.sequence > through) CutBehind(through, run);
      Tell(0, run.count());
      RETURN_IF_ERROR(copy->Append(SpanOf(run)));
    }
    report_.end = copy->end();
    return copy->Finish();
  }

  static void CutBehind(Sequence through, FrameRun& run) {
    std::size_t at = 0;
    while (run.before.sequence < through) {
      const std::optional<FrameView> frame = FrameAtStartOf(std::span(run.words).subspan(at));
      at += frame->size_words();
      run.after = frame->end();
      if (run.after.sequence == through) break;
    }
    run.words.resize(at);
  }

  absl::Status ExportBeyond(const Chains& chains, const std::vector<Chain>& beyond) {
    if (!options_.beyond_gaps) return absl::OkStatus();
    for (const Chain& chain : beyond) {
      const FoundLog log(chains, chain, reader_, from_);
      ASSIGN_OR_RETURN(JsonLinesExport lines, JsonLinesExport::Of(log, report_.log_id));
      while (true) {
        ASSIGN_OR_RETURN(const std::optional<std::string> line, lines.Next());
        if (!line) break;
        RETURN_IF_ERROR(options_.beyond_gaps(*line));
      }
    }
    return absl::OkStatus();
  }

  const std::string from_;
  const std::string to_;
  const SalvageOptions& options_;
  std::vector<SearchedFile> files_;
  PieceReader reader_;
  salvage::Found found_;
  TailClaim claim_;
  std::optional<PrunedPast> past_;
  SalvageProgress progress_;
  SalvageReport report_;
};

}  // namespace

std::vector<Gap> SalvageReport::gaps() const {
  std::vector<Gap> gaps;
  Sequence last = end.sequence;
  for (const SalvagedStretch& stretch : beyond) {
    if (stretch.before.sequence > last) gaps.push_back({last + 1, stretch.before.sequence});
    last = stretch.after.sequence;
  }
  if (last_known > last) gaps.push_back({last + 1, last_known});
  return gaps;
}

absl::StatusOr<SalvageReport> Salvage(const std::string& from, const std::string& to, const SalvageOptions& options) {
  return Salvaging(WithoutTrailingSlashes(from), WithoutTrailingSlashes(to), options).Run();
}

}  // namespace foldlog
