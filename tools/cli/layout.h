// Aligned text: labelled values and tables.

#ifndef FOLDLOG_CLI_LAYOUT_H_
#define FOLDLOG_CLI_LAYOUT_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace foldlog::cli {

// "Label     value" lines, the values below each other. Values are escaped; an empty label continues the value above.
class Fields {
 public:
  void Add(std::string_view label, std::string_view value);

  // Each value on its own line under one label; nothing if there are none.
  void AddAll(std::string_view label, const std::vector<std::string>& values);

  // A line by itself, such as a heading or an empty line.
  void AddLine(std::string_view text);

  const std::vector<std::string>& lines() const { return lines_; }

 private:
  std::vector<std::string> lines_;
};

// A table with a heading. Cells are escaped.
class Table {
 public:
  enum class Align { kLeft, kRight };
  struct Column {
    std::string heading;
    Align align = Align::kLeft;
  };

  explicit Table(std::vector<Column> columns);
  void AddRow(const std::vector<std::string>& cells);  // as many as there are columns
  std::vector<std::string> Render() const;

 private:
  std::string RenderRow(const std::vector<std::string>& cells) const;

  std::vector<Column> columns_;
  std::vector<std::size_t> widths_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace foldlog::cli

#endif  // FOLDLOG_CLI_LAYOUT_H_
