#include "tests/crash/trace.h"

#include <cstring>
#include <fstream>
#include <iterator>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace foldlog::power_cut {

absl::StatusOr<Trace> ReadTrace(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return absl::NotFoundError(absl::StrCat("cannot open the trace ", path));
  const std::string bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  Trace trace;
  std::size_t at = 0;
  const auto take = [&](std::size_t size) { return bytes.substr(std::exchange(at, at + size), size); };
  while (at < bytes.size()) {
    TraceRecord record;
    if (bytes.size() - at < sizeof record) return absl::DataLossError(absl::StrCat(path, " ends within a record"));
    std::memcpy(&record, bytes.data() + at, sizeof record);
    at += sizeof record;
    const std::uint64_t rest = bytes.size() - at;
    if (record.data_bytes > rest || record.path_bytes + std::uint64_t{record.path2_bytes} > rest - record.data_bytes) {
      return absl::DataLossError(absl::StrCat(path, " ends within a record"));
    }
    Call call{.kind = static_cast<CallKind>(record.kind),
              .flags = record.flags,
              .file = record.file,
              .offset = record.offset,
              .value = record.value};
    call.path = take(record.path_bytes);
    call.path2 = take(record.path2_bytes);
    call.data = take(record.data_bytes);
    if (call.kind == CallKind::kUnsupported) {
      return absl::UnimplementedError(absl::StrCat(path, ": the program changed the watched directory by ", call.path,
                                                   ", which the recorder cannot follow"));
    }
    trace.push_back(std::move(call));
  }
  return trace;
}

}  // namespace foldlog::power_cut
