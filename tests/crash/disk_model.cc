#include "tests/crash/disk_model.h"

#include <algorithm>
#include <cstring>

namespace foldlog::power_cut {
namespace {

// A lock file is never synced, so its units would pile up. A few of the newest are as good as all.
constexpr std::ptrdiff_t kBackgroundUnitsMax = 24;

std::string DirectoryOf(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash);
}

std::string Sector(const std::string& content, std::uint64_t number) {
  const std::uint64_t begin = number * kSectorBytes;
  std::string sector = begin < content.size() ? content.substr(begin, kSectorBytes) : std::string();
  sector.resize(kSectorBytes, '\0');
  return sector;
}

void PutSector(std::string& content, std::uint64_t number, const std::string& sector) {
  const std::uint64_t begin = number * kSectorBytes;
  if (content.size() < begin + kSectorBytes) content.resize(begin + kSectorBytes, '\0');
  std::memcpy(content.data() + begin, sector.data(), kSectorBytes);
}

void PutName(std::map<std::string, int>& names, const std::string& path, int file) {
  if (file == kNothing) {
    names.erase(path);
  } else {
    names[path] = file;
  }
}

bool ParentsExist(const std::map<std::string, int>& names, const std::string& path) {
  for (std::string at = DirectoryOf(path); !at.empty(); at = DirectoryOf(at)) {
    const auto found = names.find(at);
    if (found == names.end() || found->second != kDirectory) return false;
  }
  return true;
}

}  // namespace

bool DiskModel::IsBackground(const std::string& path) const {
  return std::any_of(background_.begin(), background_.end(),
                     [&](const std::string& end) { return path.ends_with(end); });
}

int DiskModel::FileOf(std::uint64_t inode) const {
  const auto found = by_inode_.find(inode);
  return found == by_inode_.end() ? kNothing : found->second;
}

void DiskModel::Begin(const Call& call) {
  const int file = FileOf(call.file);
  switch (call.kind) {
    case CallKind::kInitialDirectory:
      durable_names_[call.path] = newest_names_[call.path] = kDirectory;
      break;
    case CallKind::kInitialFile:
    case CallKind::kCreate: {
      const int added = by_inode_[call.file] = static_cast<int>(files_.size());
      files_.push_back({.durable = call.data,
                        .durable_size = call.data.size(),
                        .newest = call.data,
                        .background = IsBackground(call.path)});
      if (call.kind == CallKind::kCreate) return AddNames({{call.path, added}}, call.path);
      durable_names_[call.path] = newest_names_[call.path] = added;
      break;
    }
    case CallKind::kMakeDirectory:
      return AddNames({{call.path, kDirectory}}, call.path);
    case CallKind::kLink:
      return AddNames({{call.path, file}}, call.path);
    case CallKind::kRename: {
      const auto moved = newest_names_.find(call.path);
      if (moved == newest_names_.end()) return;
      return AddNames({{call.path, kNothing}, {call.path2, moved->second}}, call.path2);
    }
    case CallKind::kRemove:
      return AddNames({{call.path, kNothing}}, call.path);
    case CallKind::kWrite:
      if (file != kNothing) AddWrite(call, file);
      break;
    case CallKind::kResize:
      if (file != kNothing) AddResize(call.value, file);
      break;
    default:
      break;
  }
}

void DiskModel::AddWrite(const Call& call, int file) {
  std::string& newest = files_[static_cast<std::size_t>(file)].newest;
  const std::uint64_t end = call.offset + call.data.size();
  const std::uint64_t old_size = newest.size();
  const std::uint64_t first = call.offset / kSectorBytes;
  std::vector<std::string> before;
  for (std::uint64_t number = first; number * kSectorBytes < end; ++number) before.push_back(Sector(newest, number));
  newest.resize(std::max(old_size, end), '\0');
  newest.replace(call.offset, call.data.size(), call.data);
  for (std::uint64_t number = first; number * kSectorBytes < end; ++number) {
    Unit unit{.file = file, .through_mapping = (call.flags & kThroughMapping) != 0};
    unit.sectors[number] = Sector(newest, number);
    if (unit.sectors[number] != before[number - first]) AddUnit(std::move(unit));
  }
  if (end > old_size) AddUnit({.file = file, .size = end});
}

void DiskModel::AddResize(std::uint64_t size, int file) {
  std::string& newest = files_[static_cast<std::size_t>(file)].newest;
  if (size == newest.size()) return;
  Unit unit{.file = file, .size = size};
  // What is cut off must read as zeros if the file grows again: one unit with the size.
  for (std::uint64_t number = size / kSectorBytes; number * kSectorBytes < newest.size(); ++number) {
    unit.sectors[number] = Sector(newest.substr(0, size), number);
  }
  newest.resize(size, '\0');
  AddUnit(std::move(unit));
}

void DiskModel::AddNames(std::vector<std::pair<std::string, int>> names, const std::string& at) {
  for (const auto& [path, file] : names) PutName(newest_names_, path, file);
  Unit unit{.names = std::move(names), .directory = DirectoryOf(at)};
  unit.background = IsBackground(at);
  AddUnit(std::move(unit));
}

void DiskModel::AddUnit(Unit unit) {
  const int file = unit.file;
  if (file >= 0) unit.background = files_[static_cast<std::size_t>(file)].background;
  const bool background = unit.background;
  pending_.push_back(std::move(unit));
  if (background && file >= 0) ForgetOldBackground(file);
}

void DiskModel::ForgetOldBackground(int file) {
  const auto of_file = [&](const Unit& unit) { return unit.file == file; };
  if (std::count_if(pending_.begin(), pending_.end(), of_file) <= kBackgroundUnitsMax) return;
  const auto oldest = std::find_if(pending_.begin(), pending_.end(), of_file);
  MakeDurable(*oldest);
  pending_.erase(oldest);
}

void DiskModel::MakeDurable(const Unit& unit) {
  for (const auto& [path, file] : unit.names) PutName(durable_names_, path, file);
  if (unit.file < 0) return;
  File& file = files_[static_cast<std::size_t>(unit.file)];
  for (const auto& [number, sector] : unit.sectors) PutSector(file.durable, number, sector);
  if (unit.size) file.durable_size = *unit.size;
}

template <typename Which>
void DiskModel::Settle(const Which& which) {
  std::vector<Unit> rest;
  for (Unit& unit : pending_) {
    if (which(unit)) {
      MakeDurable(unit);
    } else {
      rest.push_back(std::move(unit));
    }
  }
  pending_ = std::move(rest);
}

void DiskModel::End(const Call& call) {
  const int file = FileOf(call.file);
  const auto in_range = [&](const Unit& unit, std::uint64_t begin, std::uint64_t end) {
    return unit.file == file && std::any_of(unit.sectors.begin(), unit.sectors.end(), [&](const auto& sector) {
             return sector.first * kSectorBytes < end && (sector.first + 1) * kSectorBytes > begin;
           });
  };
  if (call.kind == CallKind::kSyncDirectory) {
    return Settle([&](const Unit& unit) { return unit.file == kNothing && unit.directory == call.path; });
  }
  if (file == kNothing) return;
  if (call.kind == CallKind::kSyncFile) {
    Settle([&](const Unit& unit) { return unit.file == file; });
  } else if (call.kind == CallKind::kSyncRange) {
    Settle([&](const Unit& unit) { return in_range(unit, call.offset, call.offset + call.value); });
  } else if (call.kind == CallKind::kWrite && (call.flags & kDurableOnReturn) != 0) {
    const std::uint64_t end = call.offset + call.data.size();
    Settle([&](const Unit& unit) {
      return in_range(unit, call.offset, end) || (unit.file == file && unit.sectors.empty() && unit.size);
    });
  }
}

std::string DiskModel::SectorBefore(std::size_t unit, std::uint64_t number) const {
  const int file = pending_[unit].file;
  for (std::size_t i = unit; i-- > 0;) {
    if (pending_[i].file != file) continue;
    const auto found = pending_[i].sectors.find(number);
    if (found != pending_[i].sectors.end()) return found->second;
  }
  return Sector(files_[static_cast<std::size_t>(file)].durable, number);
}

DiskImage DiskModel::Build(const std::vector<bool>& chosen, const TornSector* torn) const {
  std::map<std::string, int> names = durable_names_;
  for (std::size_t i = 0; i < pending_.size(); ++i) {
    if (!chosen[i]) continue;
    for (const auto& [path, file] : pending_[i].names) PutName(names, path, file);
  }
  DiskImage image;
  for (const auto& [path, index] : names) {
    if (!ParentsExist(names, path)) continue;
    if (index == kDirectory) {
      image.directories.push_back(path);
      continue;
    }
    const File& file = files_[static_cast<std::size_t>(index)];
    std::string content = file.durable;
    std::uint64_t size = file.durable_size;
    for (std::size_t i = 0; i < pending_.size(); ++i) {
      if (!chosen[i] || pending_[i].file != index) continue;
      for (const auto& [number, sector] : pending_[i].sectors) {
        const bool is_torn = torn != nullptr && torn->unit == i && torn->number == number;
        PutSector(content, number, is_torn ? torn->content : sector);
      }
      if (pending_[i].size) size = *pending_[i].size;
    }
    content.resize(size, '\0');
    image.files.emplace(path, std::move(content));
  }
  return image;
}

}  // namespace foldlog::power_cut
