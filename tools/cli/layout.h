// Aligned text: labelled values and tables.

#ifndef FOLDLOG_CLI_LAYOUT_H_
#define FOLDLOG_CLI_LAYOUT_H_

#include <cstddef>
#include <optional>
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

  // Where `columns_max` is given, the widest of the columns on the left are cut until a line fits into it, and what was
  // cut ends with "…".
  std::vector<std::string> Render(std::optional<std::size_t> columns_max = std::nullopt, bool heading = true) const;

 private:
  using Widths = std::vector<std::size_t>;
  Widths Fitted(std::size_t columns_max) const;
  std::string RenderRow(const std::vector<std::string>& cells, const Widths& widths) const;

  std::vector<Column> columns_;
  Widths widths_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace foldlog::cli

#endif  // FOLDLOG_CLI_LAYOUT_H_
