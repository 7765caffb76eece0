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
  const std::size_t width = Width(text);
  return std::string(columns > width ? columns - width : 0, ' ');
}

std::string Cut(const std::string& text, std::size_t columns) {
  if (Width(text) <= columns) return text;
  return std::string(TruncateToWidth(text, columns - 1)) + "…";
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
    widths_[i] = std::max(widths_[i], Width(row[i]));
  }
  rows_.push_back(std::move(row));
}

std::vector<std::string> Table::Render(std::optional<std::size_t> columns_max, bool heading) const {
  const Widths widths = columns_max ? Fitted(*columns_max) : widths_;
  std::vector<std::string> lines;
  std::vector<std::string> headings;
  for (const Column& column : columns_) headings.push_back(column.heading);
  if (heading) lines.push_back(RenderRow(headings, widths));
  for (const std::vector<std::string>& row : rows_) lines.push_back(RenderRow(row, widths));
  return lines;
}

// Numbers are never cut, and of texts so much stays that they can be told apart.
Table::Widths Table::Fitted(std::size_t columns_max) const {
  constexpr std::size_t kTextMin = 8;
  Widths widths = widths_;
  std::size_t line = kColumnGap.size() * (widths.size() - 1);
  for (const std::size_t width : widths) line += width;
  for (; line > columns_max; --line) {
    std::size_t* widest = nullptr;
    for (std::size_t i = 0; i < widths.size(); ++i) {
      const bool may_be_cut = columns_[i].align == Align::kLeft && widths[i] > kTextMin;
      if (may_be_cut && (widest == nullptr || widths[i] > *widest)) widest = &widths[i];
    }
    if (widest == nullptr) break;
    --*widest;
  }
  return widths;
}

std::string Table::RenderRow(const std::vector<std::string>& cells, const Widths& widths) const {
  std::string line;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    if (i > 0) line += kColumnGap;
    const std::string cell = Cut(cells[i], widths[i]);
    const std::string padding = Padding(cell, widths[i]);
    if (columns_[i].align == Align::kRight) {
      line += padding + cell;
    } else {
      line += cell;
      if (i + 1 < cells.size()) line += padding;  // no blanks at the end of a line
    }
  }
  return line;
}

}  // namespace foldlog::cli
