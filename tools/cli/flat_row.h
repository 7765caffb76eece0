// FlatRow: fields as the values of given columns, for CSV and tables. What has fields of its own stands in its column
// as JSON; but the error of a file has three columns, error_path, error and error_details. A field that has no column
// is left out. Times are RFC 3339, bytes stay what they are.
//
//   FlatRow row({"sequence", "kind"});
//   row.BeginObject();
//   Put(row, "sequence", std::uint64_t{1});
//   row.EndObject();
//   out << CsvLine(row.Take());

#ifndef FOLDLOG_CLI_FLAT_ROW_H_
#define FOLDLOG_CLI_FLAT_ROW_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#include "replay/report/json_sink.h"
#include "replay/report/sink.h"

namespace foldlog::cli {

// monostate: nothing.
using FlatValue = std::variant<std::monostate, bool, std::int64_t, std::uint64_t, double, std::string>;

class FlatRow final : public report::Sink {
 public:
  explicit FlatRow(const std::vector<std::string>& columns);

  void Key(std::string_view key) override;
  void BeginObject() override;
  void EndObject() override;
  void BeginList() override;
  void EndList() override;
  void Null() override;
  void Bool(bool value) override;
  void Integer(std::int64_t value) override;
  void Unsigned(std::uint64_t value) override;
  void Real(double value) override;
  void Text(std::string_view bytes) override;
  void Time(TimeNs time) override;
  void Error(const FileError& error, TimeNs time) override;

  // In the order of the columns; the row is empty again.
  std::vector<FlatValue> Take();

 private:
  bool outside() const { return depth_ == 1; }
  void Close();
  void Set(const std::string& column, FlatValue value);

  std::unordered_map<std::string, std::size_t> places_;
  std::vector<FlatValue> values_;
  std::string key_;
  int depth_ = 0;          // of open objects and lists
  report::JsonSink json_;  // what is inside of the outermost
};

// A line of CSV (RFC 4180) with its end. Nothing is an empty field, an empty text is "".
std::string CsvLine(const std::vector<FlatValue>& values);
std::string CsvLine(const std::vector<std::string>& texts);

}  // namespace foldlog::cli

#endif  // FOLDLOG_CLI_FLAT_ROW_H_
