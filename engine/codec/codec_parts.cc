#include "engine/codec/codec_parts.h"

namespace foldlog {

// Counts are signed in the schema, as in the code; no writer has stored a negative one.
absl::StatusOr<std::int64_t> FromPlainCount(std::int64_t stored, const char* what) {
  if (stored < 0) return absl::DataLossError(absl::StrCat("negative ", what, ": ", stored));
  return stored;
}

// -1 is "absent"; no writer stores another negative number.
absl::StatusOr<std::optional<std::int64_t>> FromCount(std::int64_t stored, const char* what) {
  if (stored == -1) return std::optional<std::int64_t>();
  if (stored < 0) return absl::DataLossError(absl::StrCat("negative ", what, ": ", stored));
  return std::optional<std::int64_t>(stored);
}

namespace {

// All of it: as a C string it would end at a zero byte.
capnp::Text::Reader ToText(const std::string& text) { return {text.c_str(), text.size()}; }

}  // namespace

// Texts that the system gives are bytes, such as program and host; ids are made here or by the kernel, and are text.
void EncodeOwner(const Owner& owner, schema::Owner::Builder out) {
  out.setInstance(ToText(owner.instance));
  out.setMachineId(ToText(owner.machine_id));
  out.setBootId(ToText(owner.boot_id));
  out.setPidNamespace(owner.pid_namespace);
  out.setPid(owner.pid);
  out.setStartTicks(owner.start_ticks);
  out.setHoldsLog(owner.holds_log);
  out.setProgram(ToData(owner.program));
  out.setHost(ToData(owner.host));
  out.setKernelBootId(owner.kernel_boot_id);
  out.setFileSystem(owner.place.file_system);
  out.setDevice(owner.place.device);
  out.setDirectory(owner.place.directory);
  out.setLockFile(owner.place.lock_file);
}

Owner DecodeOwner(schema::Owner::Reader in) {
  return {.instance = std::string(in.getInstance().begin(), in.getInstance().size()),
          .machine_id = std::string(in.getMachineId().begin(), in.getMachineId().size()),
          .boot_id = std::string(in.getBootId().begin(), in.getBootId().size()),
          .pid_namespace = in.getPidNamespace(),
          .pid = in.getPid(),
          .start_ticks = in.getStartTicks(),
          .holds_log = in.getHoldsLog(),
          .program = FromData(in.getProgram()),
          .host = FromData(in.getHost()),
          .kernel_boot_id = in.getKernelBootId(),
          .place = {.file_system = in.getFileSystem(),
                    .device = in.getDevice(),
                    .directory = in.getDirectory(),
                    .lock_file = in.getLockFile()}};
}

void EncodePaths(const std::vector<std::string>& paths, capnp::List<capnp::Data>::Builder out) {
  for (unsigned i = 0; i < out.size(); ++i) out.set(i, ToData(paths[i]));
}

std::vector<std::string> DecodePaths(capnp::List<capnp::Data>::Reader in) {
  std::vector<std::string> paths;
  for (const auto path : in) paths.push_back(FromData(path));
  return paths;
}

void EncodeMetadata(const Metadata& metadata, capnp::List<schema::Pair>::Builder out) {
  for (unsigned i = 0; i < out.size(); ++i) {
    out[i].setName(ToData(metadata[i].first));
    out[i].setValue(ToData(metadata[i].second));
  }
}

Metadata DecodeMetadata(capnp::List<schema::Pair>::Reader in) {
  Metadata metadata;
  for (const auto pair : in) metadata.emplace_back(FromData(pair.getName()), FromData(pair.getValue()));
  return metadata;
}

// The type of each value is kept: a reader gets back the integer, double or text that was given.
void EncodeStats(const Stats& stats, capnp::List<schema::Statistic>::Builder out) {
  for (unsigned i = 0; i < out.size(); ++i) {
    const auto& [name, value] = stats[i];
    out[i].setName(ToData(name));
    if (const auto* integer = std::get_if<std::int64_t>(&value)) out[i].setInteger(*integer);
    if (const auto* real = std::get_if<double>(&value)) out[i].setReal(*real);
    if (const auto* text = std::get_if<std::string>(&value)) out[i].setText(ToData(*text));
  }
}

// A newer version may store further types; to skip one would falsify the statistics.
absl::StatusOr<Stats> DecodeStats(capnp::List<schema::Statistic>::Reader in) {
  Stats stats;
  for (const auto statistic : in) {
    std::string name = FromData(statistic.getName());
    switch (statistic.which()) {
      case schema::Statistic::INTEGER:
        stats.emplace_back(std::move(name), statistic.getInteger());
        break;
      case schema::Statistic::REAL:
        stats.emplace_back(std::move(name), statistic.getReal());
        break;
      case schema::Statistic::TEXT:
        stats.emplace_back(std::move(name), FromData(statistic.getText()));
        break;
      default:
        return absl::UnimplementedError("a statistic of a newer type; read this log with a newer foldlog");
    }
  }
  return stats;
}

// A number beyond the known ones is not damage: a newer version may have written it.
absl::StatusOr<OperationType> DecodeOperationType(schema::OperationType type) {
  if (type > schema::OperationType::RECOVERY) {
    return absl::UnimplementedError("an operation of a newer type; read this log with a newer foldlog");
  }
  return static_cast<OperationType>(type);
}

absl::StatusOr<OperationStatus> DecodeOperationStatus(schema::OperationStatus status) {
  if (status > schema::OperationStatus::FAILED) return absl::DataLossError("unknown status");
  return static_cast<OperationStatus>(status);
}

void SizeBound::Add(const Owner& owner) {
  Add(owner.instance);
  Add(owner.machine_id);
  Add(owner.boot_id);
  Add(owner.program);
  Add(owner.host);
}

// A list element takes a pointer, or a struct of a few words.
void SizeBound::Add(const std::vector<std::string>& paths) {
  for (const std::string& path : paths) {
    Add(path);
    words_ += kWordsPerElement;
  }
}

void SizeBound::Add(const Metadata& metadata) {
  for (const auto& [name, value] : metadata) {
    Add(name);
    Add(value);
    words_ += kWordsPerElement;
  }
}

void SizeBound::Add(const Stats& stats) {
  for (const auto& [name, value] : stats) {
    Add(name);
    if (const auto* text = std::get_if<std::string>(&value)) Add(*text);
    words_ += kWordsPerElement;
  }
}

void SizeBound::Add(const FileError& error) {
  Add(error.path);
  Add(error.message);
  Add(error.details);
}

void SizeBound::Add(const std::vector<ImportedError>& errors) {
  for (const ImportedError& error : errors) {
    Add(error.error);
    words_ += kWordsPerElement;
  }
}

}  // namespace foldlog
