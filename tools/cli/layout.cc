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

void Fields::Add(std::string_view label, std::string_view value, Tone tone) {
  StyledLine line(std::string(label) + Padding(label, kLabelColumns));
  const std::string printable = Printable(value);
  if (tone != Tone::kPlain) line.tints.push_back({line.text.size(), printable.size(), tone});
  line.text += printable;
  AddLine(std::move(line));
}

void Fields::AddAll(std::string_view label, const std::vector<std::string>& values) {
  for (const std::string& value : values) {
    Add(label, value);
    label = "";
  }
}

Table::Table(std::vector<Column> columns) : columns_(std::move(columns)) {
  for (const Column& column : columns_) shape_.widths.push_back(column.heading.size());
  shape_.filled.resize(columns_.size());
}

void Table::GrowTo(const Shape& shape) {
  for (std::size_t i = 0; i < shape.widths.size(); ++i) {
    shape_.widths[i] = std::max(shape_.widths[i], shape.widths[i]);
    if (shape.filled[i]) shape_.filled[i] = true;
  }
}

std::vector<std::string> Table::Headings() const {
  std::vector<std::string> headings;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    if (IsShown(i)) headings.push_back(columns_[i].heading);
  }
  return headings;
}

void Table::AddRow(std::vector<Cell> cells) {
  for (std::size_t i = 0; i < cells.size(); ++i) {
    cells[i].text = Printable(cells[i].text);
    shape_.widths[i] = std::max(shape_.widths[i], Width(cells[i].text));
    if (!cells[i].text.empty()) shape_.filled[i] = true;
  }
  rows_.push_back(std::move(cells));
}

std::size_t Table::width() const {
  std::size_t line = 0;
  for (std::size_t i = 0; i < shape_.widths.size(); ++i) {
    if (IsShown(i)) line += (line == 0 ? 0 : kColumnGap.size()) + shape_.widths[i];
  }
  return line;
}

Lines Table::Render(std::optional<std::size_t> columns_max, bool heading) const {
  const Widths widths = columns_max ? Fitted(*columns_max) : shape_.widths;
  Lines lines;
  std::vector<Cell> headings;
  for (const Column& column : columns_) headings.emplace_back(column.heading);
  if (heading) {
    lines.push_back(RenderRow(headings, widths));
    lines[0].tints = {{0, lines[0].text.size(), Tone::kHeading}};
  }
  for (const std::vector<Cell>& row : rows_) lines.push_back(RenderRow(row, widths));
  return lines;
}

// Numbers are never cut, and of texts so much stays that they can be told apart.
Table::Widths Table::Fitted(std::size_t columns_max) const {
  Widths widths = shape_.widths;
  for (std::size_t line = width(); line > columns_max; --line) {
    std::size_t* widest = nullptr;
    for (std::size_t i = 0; i < widths.size(); ++i) {
      const bool may_be_cut = IsShown(i) && columns_[i].align == Align::kLeft && widths[i] > columns_[i].least;
      if (may_be_cut && (widest == nullptr || widths[i] > *widest)) widest = &widths[i];
    }
    if (widest == nullptr) break;
    --*widest;
  }
  return widths;
}

StyledLine Table::RenderRow(const std::vector<Cell>& cells, const Widths& widths) const {
  StyledLine line;
  std::size_t blanks = 0;  // put only before something: no blanks at the end of a line
  bool first = true;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    if (!IsShown(i)) continue;
    if (!first) blanks += kColumnGap.size();
    first = false;
    const std::string cell = Cut(cells[i].text, widths[i]);
    const std::size_t padding = Padding(cell, widths[i]).size();
    if (columns_[i].align == Align::kRight) blanks += padding;
    if (!cell.empty()) {
      line.text.append(std::exchange(blanks, 0), ' ');
      if (cells[i].tone != Tone::kPlain) line.tints.push_back({line.text.size(), cell.size(), cells[i].tone});
      line.text += cell;
    }
    if (columns_[i].align == Align::kLeft) blanks += padding;
  }
  return line;
}

}  // namespace foldlog::cli
