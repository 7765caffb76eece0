// Aligned text. Knows nothing of events.

#include "tools/cli/layout.h"

#include <algorithm>
#include <utility>

#include "tools/cli/printable.h"

namespace foldlog::cli {
namespace {

constexpr std::size_t kLabelColumns = 15;
constexpr std::string_view kColumnGap = "  ";

std::string Padding(std::string_view text, std::size_t columns) {
  const std::size_t width = WidthAtMost(text);
  return std::string(columns > width ? columns - width : 0, ' ');
}

}  // namespace

void Fields::Add(std::string_view label, std::string_view value) {
  lines_.push_back(std::string(label) + Padding(label, kLabelColumns) + Printable(value));
}

void Fields::AddAll(std::string_view label, const std::vector<std::string>& values) {
  for (const std::string& value : values) {
    Add(label, value);
    label = "";
  }
}

void Fields::AddLine(std::string_view text) { lines_.push_back(Printable(text)); }

Table::Table(std::vector<Column> columns) : columns_(std::move(columns)) {
  for (const Column& column : columns_) widths_.push_back(column.heading.size());
}

void Table::AddRow(const std::vector<std::string>& cells) {
  std::vector<std::string> row;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    row.push_back(Printable(cells[i]));
    widths_[i] = std::max(widths_[i], WidthAtMost(row[i]));
  }
  rows_.push_back(std::move(row));
}

std::vector<std::string> Table::Render() const {
  std::vector<std::string> headings;
  for (const Column& column : columns_) headings.push_back(column.heading);
  std::vector<std::string> lines = {RenderRow(headings)};
  for (const std::vector<std::string>& row : rows_) lines.push_back(RenderRow(row));
  return lines;
}

std::string Table::RenderRow(const std::vector<std::string>& cells) const {
  std::string line;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    if (i > 0) line += kColumnGap;
    const std::string padding = Padding(cells[i], widths_[i]);
    if (columns_[i].align == Align::kRight) {
      line += padding + cells[i];
    } else {
      line += cells[i];
      if (i + 1 < cells.size()) line += padding;  // no blanks at the end of a line
    }
  }
  return line;
}

}  // namespace foldlog::cli
