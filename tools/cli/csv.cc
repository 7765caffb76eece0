// Quoting.

#include "tools/cli/csv.h"

namespace foldlog::cli {
namespace {

void AppendField(const std::string& field, std::string& record) {
  if (field.find_first_of(",\"\r\n") == std::string::npos) {
    record += field;
    return;
  }
  record += '"';
  for (const char c : field) {
    record += c;
    if (c == '"') record += c;
  }
  record += '"';
}

}  // namespace

std::string CsvRecord(const std::vector<std::string>& fields) {
  std::string record;
  for (const std::string& field : fields) {
    if (&field != fields.data()) record += ',';
    AppendField(field, record);
  }
  return record;
}

}  // namespace foldlog::cli
