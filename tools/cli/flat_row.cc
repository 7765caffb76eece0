#include "tools/cli/flat_row.h"

#include <cmath>
#include <utility>

#include "engine/json/writer.h"
#include "replay/report/text.h"
#include "tools/cli/csv.h"

namespace foldlog::cli {
namespace {

struct FieldText {
  std::string operator()(std::monostate) const { return ""; }
  std::string operator()(bool value) const { return value ? "true" : "false"; }
  std::string operator()(std::int64_t value) const { return std::to_string(value); }
  std::string operator()(std::uint64_t value) const { return std::to_string(value); }
  std::string operator()(double value) const {
    std::string text;
    AppendPythonFloat(value, text);
    return text;
  }
  std::string operator()(const std::string& text) const { return text.empty() ? "\"\"" : CsvField(text); }
};

}  // namespace

FlatRow::FlatRow(const std::vector<std::string>& columns) : values_(columns.size()) {
  for (std::size_t place = 0; place < columns.size(); ++place) places_.emplace(columns[place], place);
}

void FlatRow::Set(const std::string& column, FlatValue value) {
  const auto place = places_.find(column);
  if (place != places_.end()) values_[place->second] = std::move(value);
}

void FlatRow::Key(std::string_view key) {
  if (outside()) {
    key_ = key;
  } else {
    json_.Key(key);
  }
}

void FlatRow::BeginObject() {
  if (depth_++ > 0) json_.BeginObject();
}

void FlatRow::EndObject() {
  if (depth_ > 1) json_.EndObject();
  Close();
}

void FlatRow::BeginList() {
  ++depth_;
  json_.BeginList();
}

void FlatRow::EndList() {
  json_.EndList();
  Close();
}

void FlatRow::Close() {
  --depth_;
  if (outside()) Set(key_, json_.Take());
}

void FlatRow::Null() {
  if (!outside()) json_.Null();
}

void FlatRow::Bool(bool value) { outside() ? Set(key_, value) : json_.Bool(value); }
void FlatRow::Integer(std::int64_t value) { outside() ? Set(key_, value) : json_.Integer(value); }
void FlatRow::Unsigned(std::uint64_t value) { outside() ? Set(key_, value) : json_.Unsigned(value); }

// What is no finite number is nothing, as in JSON.
void FlatRow::Real(double value) {
  if (!outside()) return json_.Real(value);
  if (std::isfinite(value)) Set(key_, value);
}

void FlatRow::Text(std::string_view bytes) { outside() ? Set(key_, std::string(bytes)) : json_.Text(bytes); }
void FlatRow::Time(TimeNs time) { outside() ? Set(key_, report::Rfc3339(time)) : json_.Time(time); }

void FlatRow::Error(const FileError& error, TimeNs time) {
  if (!outside()) return json_.Error(error, time);
  Set("error_path", error.path);
  Set("error", error.message);
  if (!error.details.empty()) Set("error_details", error.details);
}

std::vector<FlatValue> FlatRow::Take() {
  std::vector<FlatValue> values(values_.size());
  values.swap(values_);
  return values;
}

std::string CsvLine(const std::vector<FlatValue>& values) {
  std::string line;
  for (const FlatValue& value : values) {
    if (&value != &values.front()) line += ',';
    line += std::visit(FieldText(), value);
  }
  return line.append(kCsvEnd);
}

std::string CsvLine(const std::vector<std::string>& texts) {
  return CsvLine(std::vector<FlatValue>(texts.begin(), texts.end()));
}

}  // namespace foldlog::cli
