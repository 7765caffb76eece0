// Aligned text: labelled values and tables.

#ifndef FOLDLOG_CLI_LAYOUT_H_
#define FOLDLOG_CLI_LAYOUT_H_

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tools/cli/styled.h"

namespace foldlog::cli {

// "Label     value" lines, the values below each other. Values are escaped; an empty label continues the value above.
class Fields {
 public:
  void Add(std::string_view label, std::string_view value, Tone tone = Tone::kPlain);

  // Each value on its own line under one label; nothing if there are none.
  void AddAll(std::string_view label, const std::vector<std::string>& values);

  // A line by itself, such as a heading or an empty line; what is in it was escaped before.
  void AddLine(StyledLine line) { lines_.push_back(std::move(line)); }

  const Lines& lines() const { return lines_; }

 private:
  Lines lines_;
};

// A table with a heading. Cells are escaped.
class Table {
 public:
  enum class Align { kLeft, kRight };
  struct Column {
    std::string heading;
    Align align = Align::kLeft;
    std::size_t least = 8;           // of a text, so many columns stay when the line is cut; what tells rows apart
    bool left_out_if_empty = false;  // if every cell is empty
  };
  struct Cell {
    std::string text;
    Tone tone = Tone::kPlain;
    // Implicit: most cells are plain.
    Cell(std::string t, Tone s = Tone::kPlain) : text(std::move(t)), tone(s) {}  // NOLINT(google-explicit-constructor)
    Cell(const char* t) : text(t) {}                                             // NOLINT(google-explicit-constructor)
  };

  explicit Table(std::vector<Column> columns);
  void AddRow(std::vector<Cell> cells);  // as many as there are columns

  // What is common to tables that stand below each other.
  struct Shape {
    std::vector<std::size_t> widths = {};
    std::vector<bool> filled = {};  // the columns that have a cell with something in it
  };
  const Shape& shape() const { return shape_; }

  // Makes the columns at least as wide as those of a table of as many columns, and shows those that it shows.
  void GrowTo(const Shape& shape);

  // The headings of the columns that are shown.
  std::vector<std::string> Headings() const;

  // Columns of a whole line.
  std::size_t width() const;

  // Where `columns_max` is given, the widest of the columns on the left are cut until a line fits into it, and what was
  // cut ends with "…".
  Lines Render(std::optional<std::size_t> columns_max = std::nullopt, bool heading = true) const;

 private:
  using Widths = std::vector<std::size_t>;
  bool IsShown(std::size_t column) const { return shape_.filled[column] || !columns_[column].left_out_if_empty; }
  Widths Fitted(std::size_t columns_max) const;
  StyledLine RenderRow(const std::vector<Cell>& cells, const Widths& widths) const;

  std::vector<Column> columns_;
  Shape shape_;
  std::vector<std::vector<Cell>> rows_;
};

}  // namespace foldlog::cli

#endif  // FOLDLOG_CLI_LAYOUT_H_
