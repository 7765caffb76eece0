// The later stages of IndexRun: dropping the rows of files that are gone, and going again to directories that changed
// since they were walked.

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "tools/indexer/index_run.h"
#include "tools/indexer/paths.h"

namespace foldlog::indexer {
namespace {

// Rows and records that are taken from the catalog at a time: enough to make the query's cost small, few enough to
// hold.
constexpr std::size_t kPageRows = 1000;

// A sweep that is resumed begins again, so that it sees what changed in between. Not for ever: sessions may be so short
// that none gets to the end.
constexpr std::int64_t kSweepsMax = 4;

// Directories that still change after so many passes are said to be unproven. Each pass costs a system call a
// directory.
constexpr int kPassesMax = 5;

// A change so soon after another may leave the same time stamp: FAT knows only every second one of them.
constexpr std::int64_t kTimestampNs = 2'000'000'000;

constexpr int kReadDirectory = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;

bool IsGone(int error) { return error == ENOENT || error == ENOTDIR || error == ELOOP; }

std::string_view Below(std::string_view path, std::string_view root) {
  if (path.size() == root.size()) return "";
  return path.substr(root == "/" ? 1 : root.size() + 1);
}

std::string_view NameOf(std::string_view path) { return path.substr(path.rfind('/') + 1); }

// Whether a name that came after the record was made could show in no time stamp.
bool IsRecent(const DirectoryRecord& record) {
  return std::max(record.version.ctime_ns, record.version.mtime_ns) > record.listed_at_ns - kTimestampNs;
}

// A walk that lists a directory again, and goes on below it where `is_known` says that the record is of another.
WalkOptions OptionsToListAgain(const RunContext& context, const std::string& path,
                               std::function<bool(std::string_view, std::size_t, const DirectoryFacts&)> is_known) {
  return {.roots = {path},
          .exclusions = context.exclusions,
          .one_file_system = context.job.one_file_system,
          .pseudo_file_systems = context.job.pseudo_file_systems,
          .directories = true,
          .stop = &context.stop,
          .is_known = std::move(is_known)};
}

}  // namespace

absl::Status IndexRun::LoadPlaces() {
  ASSIGN_OR_RETURN(std::vector<Place> recorded, context_.catalog.tree().LoadPlaces());
  const std::vector<std::string>& roots = context_.job.roots;
  for (Place& place : recorded) {
    const bool ours =
        std::any_of(roots.begin(), roots.end(), [&](const auto& r) { return IsAtOrUnder(place.path, r); });
    if (ours) places_[place.path].recorded = std::move(place);
  }
  for (const std::string& root : roots) places_[root].is_root = true;
  return absl::OkStatus();
}

// A place is recorded when it is first met, so that a disk that goes away in the middle of the operation is missed.
void IndexRun::NotePlace(const WalkEntry& entry) {
  if (!entry.boundary) return;
  const std::string path(entry.path);
  const auto known = places_.find(path);
  if (known != places_.end() && known->second.recorded) return;
  std::optional<Place> place = LookAtPlace(path, entry.directory_fd);
  if (!place || (!place->mount_point && known == places_.end())) return;
  batch_.places.push_back(*place);
  places_[path].recorded = std::move(place);
}

// The deepest one that `path` is in. Roots are places, so there is one. A place stands before what is in it.
IndexRun::Places::value_type& IndexRun::PlaceOf(std::string_view path) {
  auto deepest = places_.begin();
  for (auto place = places_.begin(); place != places_.end(); ++place) {
    if (IsAtOrUnder(path, place->first)) deepest = place;
  }
  return *deepest;
}

// Holds the place open: it can't be unmounted while its rows are compared with it.
PresenceProbe* IndexRun::ProbeOf(Places::value_type& entry) {
  auto& [path, place] = entry;
  if (!place.opened) {
    place.opened = true;
    FileDescriptor fd = ReachAbsolute(path);
    place.open_error = fd.valid() ? 0 : errno;
    if (fd.valid()) place.probe = std::make_unique<PresenceProbe>(path, std::move(fd));
  }
  return place.probe.get();
}

std::string IndexRun::FindDoubt(const std::string& path, const PlaceState& place) const {
  const FileDescriptor fd = ReachAbsolute(path);
  if (context_.accept_removed && (fd.valid() || IsGone(errno))) return "";
  if (!fd.valid()) return absl::StrCat("the directory cannot be reached: ", ErrnoText(errno));
  const std::optional<Place> now = LookAtPlace(path, fd.get());
  if (!now) return absl::StrCat("it cannot be looked at: ", ErrnoText(errno));
  if (place.recorded) {
    if (std::string why = WhyNotTheSame(*place.recorded, *now); !why.empty()) return why;
  }
  return HasFiles(path) ? "" : "there is no file at all any more";
}

bool IndexRun::HasFiles(const std::string& path) const {
  TreeWalk walk({.roots = {path},
                 .exclusions = context_.exclusions,
                 .one_file_system = context_.job.one_file_system,
                 .pseudo_file_systems = context_.job.pseudo_file_systems});
  while (const std::optional<WalkEntry> entry = walk.Next()) {
    // What cannot be read may hold files.
    if (entry->kind == WalkEntry::Kind::kFile || entry->kind == WalkEntry::Kind::kUnreadableDirectory) return true;
  }
  return false;
}

// False: the row is kept, because the place of the file is in doubt.
bool IndexRun::RemoveRow(const std::string& path) {
  auto& [place_path, place] = PlaceOf(path);
  if (!place.doubt) place.doubt = FindDoubt(place_path, place);
  if (!place.doubt->empty()) return false;
  ++batch_.run.counters.removed;
  batch_.removed.push_back(path);
  return true;
}

void IndexRun::RemoveOrCount(const std::string& path) {
  if (RemoveRow(path)) return;
  ++PlaceOf(path).second.kept;
  ++batch_.run.counters.kept;
}

// Says which rows were kept, and remembers every other place as it is now.
absl::Status IndexRun::ConcludePlaces() {
  for (auto& [path, place] : places_) {
    if (place.kept == 0) continue;
    RETURN_IF_ERROR(NoteErrorOnce(
        path, absl::StrCat(place.kept, place.kept == 1 ? " row" : " rows", " without a file kept: ", *place.doubt,
                           ". Bring the files back, or drop such rows with --accept-removed")));
  }
  if (batch_.run.counters.kept > 0) return absl::OkStatus();
  for (auto& [path, place] : places_) {
    const FileDescriptor fd = ReachAbsolute(path);
    const std::optional<Place> now = fd.valid() ? LookAtPlace(path, fd.get()) : std::nullopt;
    const bool worth_it = now && (now->mount_point || place.is_root);
    if (worth_it && place.recorded != now) batch_.places.push_back(*now);
    if (worth_it || !place.recorded || (place.is_root && !context_.accept_removed)) continue;
    ASSIGN_OR_RETURN(const std::string row, context_.catalog.NextPath(path, ""));
    if (row.empty() || now) batch_.forgotten_places.push_back(path);
  }
  return absl::OkStatus();
}

void IndexRun::BeginSweep() {
  if (batch_.run.sweeps > kSweepsMax) return;
  if (++batch_.run.sweeps > kSweepsMax) {
    NoteProblem(batch_.run.swept_to,
                "the sessions are too short to compare all rows with their files in one. It goes on from here: files "
                "before this one that were changed in place since are left to the next incremental run");
    return;
  }
  batch_.run.swept_to.clear();
  batch_.run.counters.kept = 0;
}

absl::Status IndexRun::Sweep() {
  RETURN_IF_ERROR(Commit());
  const std::vector<std::string>& roots = context_.job.roots;
  std::size_t first = 0;
  for (std::size_t i = 0; i < roots.size(); ++i) {
    if (IsAtOrUnder(batch_.run.swept_to, roots[i])) first = i;
  }
  for (std::size_t i = first; i < roots.size() && !Stopped(); ++i) RETURN_IF_ERROR(SweepRoot(roots[i]));
  return absl::OkStatus();
}

absl::Status IndexRun::SweepRoot(const std::string& root) {
  Places::value_type& entry = PlaceOf(root);
  const PlaceState& place = entry.second;
  if (ProbeOf(entry) == nullptr && !(context_.accept_removed && IsGone(place.open_error))) {
    // Nothing tells whether its files are gone, or a disk was merely unplugged.
    return NoteErrorOnce(root, absl::StrCat("its rows are kept as they are: ", ErrnoText(place.open_error),
                                            ". Bring the directory back, or drop them with --accept-removed"));
  }
  if (!IsAtOrUnder(batch_.run.swept_to, root)) {
    batch_.run.swept_to = root;
    ASSIGN_OR_RETURN(const std::optional<FileRow> row, context_.catalog.Find(root));
    if (row) RemoveOrCount(root);  // a file once, a directory now
  }
  while (true) {
    ASSIGN_OR_RETURN(const std::vector<CatalogFile> rows,
                     context_.catalog.RowsBelow(root, batch_.run.swept_to, kPageRows));
    if (rows.empty()) return absl::OkStatus();
    for (const CatalogFile& row : rows) {
      if (Stopped()) return absl::OkStatus();
      RETURN_IF_ERROR(SweepRow(row));
    }
  }
}

absl::Status IndexRun::SweepRow(const CatalogFile& row) {
  using Presence = PresenceProbe::Presence;
  if (!context_.exclusions.CoverPath(row.path)) {
    Places::value_type& place = PlaceOf(row.path);
    PresenceProbe* probe = ProbeOf(place);
    PresenceProbe::Answer answer{.presence = IsGone(place.second.open_error) ? Presence::kGone : Presence::kUnknown};
    if (probe != nullptr) answer = probe->Check(row.path);
    if (answer.presence == Presence::kGone) RemoveOrCount(row.path);
    if (answer.presence == Presence::kRegularFile && answer.facts != row.row.facts) {
      const WalkEntry entry{.path = row.path, .directory_fd = answer.directory_fd, .name = answer.name};
      RETURN_IF_ERROR(Revisit(entry, row.row).status());
    }
  }
  if (Stopped()) return absl::OkStatus();
  batch_.run.swept_to = row.path;
  ShowProgress(Progress::Stage::kSweeping, row.path);
  return BatchIsFull() ? Commit() : absl::OkStatus();
}

// Reads a file that had its turn, or came too late for it. False: there was nothing to read, or no end to it.
absl::StatusOr<bool> IndexRun::Revisit(const WalkEntry& entry, const std::optional<FileRow>& row) {
  const absl::StatusOr<HashedFile> file = Hash(entry);
  if (file.ok()) {
    if (!row) {
      ++batch_.run.counters.files;
      ++batch_.run.counters.late;
    }
    NoteContent(entry.path, row, *file);
    return true;
  }
  if (absl::IsCancelled(file.status())) return false;
  if (absl::IsResourceExhausted(file.status())) return file.status();
  RETURN_IF_ERROR(NoteErrorOnce(entry.path, std::string(file.status().message())));
  return false;
}

absl::Status IndexRun::LookAgain() {
  for (int passes = 1; !Stopped(); ++passes) {
    RETURN_IF_ERROR(Commit());
    ASSIGN_OR_RETURN(const Pass pass, LookOnce());
    if (pass.clean) return absl::OkStatus();
    if (passes < kPassesMax) continue;
    batch_.run.counters.unproven = pass.changed;
    return NoteErrorOnce(pass.first_changed,
                         absl::StrCat("kept changing, as did ", pass.changed - 1,
                                      " other directories: files that were moved between them meanwhile may be "
                                      "missing. Index with type incremental when there is less going on"));
  }
  return absl::OkStatus();
}

// A pass without a change proves that no name was moved from where the pass had not come yet to where it had been.
absl::StatusOr<IndexRun::Pass> IndexRun::LookOnce() {
  Pass pass;
  for (auto& [path, place] : places_) {
    place.doubt.reset();  // a disk may have gone since
    place.opened = false;
    place.probe.reset();
  }
  for (const std::string& root : context_.job.roots) {
    if (!Stopped()) RETURN_IF_ERROR(LookAtDirectories(root, pass));
  }
  return pass;
}

// Goes down the directories as they were recorded, each before what is in it.
absl::Status IndexRun::LookAtDirectories(const std::string& root, Pass& pass) {
  struct Level {
    std::int64_t id;
    std::size_t path_bytes;
    std::vector<DirectoryRecord> children;
    std::size_t next = 0;
  };
  TreeStore& tree = context_.catalog.tree();
  const std::string& operation_id = batch_.run.operation_id;
  FileDescriptor root_fd = ReachAbsolute(root);
  if (!root_fd.valid()) return absl::OkStatus();  // the walk and the sweep have said so
  DirectoryTrail trail(std::move(root_fd));
  std::string path = root;
  std::vector<Level> levels;
  ASSIGN_OR_RETURN(std::optional<DirectoryRecord> record, tree.FindDirectory(operation_id, 0, root));
  while (!Stopped()) {
    if (record) {
      const int fd = trail.MoveTo(Below(path, root));
      ASSIGN_OR_RETURN(const bool is_there, LookAtRecord(*record, path, fd, pass));
      if (is_there) {
        ASSIGN_OR_RETURN(auto children, tree.LoadDirectories(operation_id, record->id, "", kPageRows));
        levels.push_back({.id = record->id, .path_bytes = path.size(), .children = std::move(children)});
      }
      record.reset();
    }
    if (levels.empty()) return absl::OkStatus();
    Level& level = levels.back();
    if (level.next == kPageRows) {
      const std::string last = level.children.back().name;
      ASSIGN_OR_RETURN(level.children, tree.LoadDirectories(operation_id, level.id, last, kPageRows));
      level.next = 0;
    }
    if (level.next == level.children.size()) {
      levels.pop_back();
      continue;
    }
    record = level.children[level.next++];  // a copy: the next page begins behind the last one's name
    path.resize(level.path_bytes);
    if (!path.ends_with('/')) path += '/';
    path += record->name;
  }
  return absl::OkStatus();
}

// `fd` is where the directory was, or negative, with errno set. False: there is none any more, or none to be entered.
absl::StatusOr<bool> IndexRun::LookAtRecord(const DirectoryRecord& record, std::string_view path, int fd, Pass& pass) {
  const std::optional<DirectoryFacts> now = fd >= 0 ? LookAtDirectory(fd) : std::nullopt;
  if (!now && !IsGone(errno)) {
    RETURN_IF_ERROR(NoteErrorOnce(path, absl::StrCat("cannot be looked at again: ", ErrnoText(errno))));
    return false;
  }
  if (now && pass.listed.contains(record.id)) return true;
  const bool changed = !now || now->version != record.version;
  if (changed) {
    pass.clean = false;
    if (pass.changed++ == 0) pass.first_changed = path;
  }
  if (!now) {  // the directory above has changed with it, and is where the rows are looked for
    batch_.forgotten_directories.push_back(record.id);
    return false;
  }
  if (!changed && !IsRecent(record)) return true;
  ShowProgress(Progress::Stage::kLookingAgain, path);
  RETURN_IF_ERROR(ListAgain(record, std::string(path), fd, pass));
  return true;
}

// Visits what is new in a directory, with all that is below what is new, and drops the rows of what is gone.
absl::Status IndexRun::ListAgain(const DirectoryRecord& record, const std::string& path, int fd, Pass& pass) {
  FileDescriptor start(openat(fd, ".", kReadDirectory));
  if (!start.valid()) {
    return NoteErrorOnce(path, absl::StrCat("cannot read directory: ", ErrnoText(errno)));
  }
  std::vector<DirectoryRecord> unfinished;  // recorded when all that is in them has been visited
  const auto finish = [&](std::size_t depth) {
    for (; unfinished.size() > depth; unfinished.pop_back()) {
      batch_.directories.push_back(std::move(unfinished.back()));
    }
  };
  absl::Status failed;
  const auto is_known = [&](std::string_view below, std::size_t depth, const DirectoryFacts& facts) {
    const auto known =
        context_.catalog.tree().FindDirectory(batch_.run.operation_id, unfinished[depth - 1].id, NameOf(below));
    if (!known.ok()) failed = known.status();
    return known.ok() && *known && (*known)->version.inode == facts.version.inode;
  };
  TreeWalk walk(OptionsToListAgain(context_, path, is_known), std::move(start));
  while (const std::optional<WalkEntry> entry = walk.Next()) {
    RETURN_IF_ERROR(failed);
    finish(entry->depth);
    if (entry->kind == WalkEntry::Kind::kDirectory || entry->entered) {
      ASSIGN_OR_RETURN(DirectoryRecord listed,
                       RecordOf(unfinished.empty() ? record.parent : unfinished.back().id,
                                unfinished.empty() ? record.name : NameOf(entry->path), *entry));
      pass.listed.insert(listed.id);
      unfinished.push_back(std::move(listed));
    }
    if (entry->kind == WalkEntry::Kind::kDirectory) {
      NotePlace(*entry);
      RETURN_IF_ERROR(DropGoneRows(std::string(entry->path), entry->directory_fd, pass));
    } else {
      RETURN_IF_ERROR(VisitAgain(*entry, entry->depth == 1 ? &record : nullptr, pass));
    }
    if (BatchIsFull()) RETURN_IF_ERROR(Commit());
  }
  RETURN_IF_ERROR(failed);
  if (!Stopped()) finish(0);
  return absl::OkStatus();
}

// `before` is what was known of the file's directory, if it was visited before.
absl::Status IndexRun::VisitAgain(const WalkEntry& entry, const DirectoryRecord* before, Pass& pass) {
  if (entry.kind == WalkEntry::Kind::kLeftOut) return absl::OkStatus();
  if (entry.kind == WalkEntry::Kind::kUnreadableDirectory) {
    return NoteErrorOnce(entry.path, absl::StrCat("cannot read directory: ", ErrnoText(entry.error)));
  }
  ASSIGN_OR_RETURN(const std::optional<FileRow> row, context_.catalog.Find(entry.path));
  struct stat facts {};
  if (fstatat(entry.directory_fd, entry.name, &facts, AT_SYMLINK_NOFOLLOW) != 0) return absl::OkStatus();
  if (!S_ISREG(facts.st_mode)) return absl::OkStatus();
  const bool had_its_turn = context_.job.type == OperationType::kIncremental ||
                            (before != nullptr && ChangeTimeNs(facts) <= before->listed_at_ns);
  if (row && row->facts == FactsOf(facts) && had_its_turn) return absl::OkStatus();
  ASSIGN_OR_RETURN(const bool read, Revisit(entry, row));
  if (read && !row) pass.clean = false;
  ShowProgress(Progress::Stage::kLookingAgain, entry.path);
  return absl::OkStatus();
}

// Of the rows of files in the open directory, and in directories in it that are gone themselves.
absl::Status IndexRun::DropGoneRows(const std::string& directory, int fd, Pass& pass) {
  std::string from;
  while (!Stopped()) {
    ASSIGN_OR_RETURN(const std::string path, context_.catalog.NextPath(directory, from));
    if (path.empty()) return absl::OkStatus();
    from = path + '\0';  // behind it there is nothing before this
    const std::string_view below = Below(path, directory);
    const std::string name(below.substr(0, below.find('/')));
    const bool inside = name.size() < below.size();
    struct stat facts {};
    const bool there = fstatat(fd, name.c_str(), &facts, AT_SYMLINK_NOFOLLOW) == 0;
    if (!there && !IsGone(errno)) continue;
    if (there && inside && S_ISDIR(facts.st_mode)) {
      from = JoinPath(directory, name) + static_cast<char>('/' + 1);  // it has a record of its own
      continue;
    }
    if ((there && !inside && S_ISREG(facts.st_mode)) || context_.exclusions.CoverPath(path)) continue;
    if (!RemoveRow(path)) {
      PlaceState& place = PlaceOf(path).second;  // most were counted by the sweep
      place.kept = std::max<std::int64_t>(place.kept, 1);
      batch_.run.counters.kept = std::max<std::int64_t>(batch_.run.counters.kept, 1);
      continue;
    }
    pass.clean = false;
    if (BatchIsFull()) RETURN_IF_ERROR(Commit());
  }
  return absl::OkStatus();
}

}  // namespace foldlog::indexer
