// The table of operations, narrower by degrees.

#include "tools/cli/history_table.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "absl/time/time.h"
#include "engine/json/writer.h"
#include "tools/cli/layout.h"
#include "tools/cli/phrases.h"
#include "tools/cli/time_format.h"

namespace foldlog::cli {
namespace {

std::string HistoryStatus(const HistoryEntry& entry, const LogView& view) {
  if (entry.reset_by) return "reset";
  if (view.interrupted && view.IsAbout(entry.operation)) return "interrupted";
  return Words(Name(entry.operation.status));
}

Tone StatusTone(const HistoryEntry& entry, const LogView& view) {
  if (view.interrupted && view.IsAbout(entry.operation)) return Tone::kWarning;
  return entry.reset_by ? Tone::kPlain : ToneOf(entry.operation.status);
}

std::vector<std::string> Ids(const std::vector<HistoryEntry>& entries) {
  std::vector<std::string> ids;
  ids.reserve(entries.size());
  for (const HistoryEntry& entry : entries) ids.push_back(entry.operation.operation_id);
  return ids;
}

// "STARTED (UTC)"; "STARTED" alone if the zone differs from row to row, as it does where summer time begins.
bool OneZone(const std::vector<HistoryEntry>& entries, const absl::TimeZone& zone) {
  const absl::Time first = absl::FromUnixNanos(entries[0].operation.started_at);
  const int offset = zone.At(first).offset;
  return std::all_of(entries.begin(), entries.end(), [&](const HistoryEntry& entry) {
    return zone.At(absl::FromUnixNanos(entry.operation.started_at)).offset == offset;
  });
}

class HistoryTable {
 public:
  HistoryTable(const std::vector<HistoryEntry>& entries, const LogView& view, TimeNs now, const Look& look)
      : entries_(entries), view_(view), now_(now), look_(look), one_zone_(OneZone(entries, look.zone)) {}

  Table At(Degree degree, HistoryShape& shape) const {
    const bool lean = degree >= Degree::kWithoutEmptyColumns;
    const bool short_ids = degree >= Degree::kShortIds;
    if (short_ids) shape.id_bytes = std::max(shape.id_bytes, TellingPrefix(Ids(entries_)));
    Table table(Columns(degree >= Degree::kRelativeTimes, lean));
    for (const HistoryEntry& entry : entries_) {
      table.AddRow(Row(entry, degree, short_ids ? shape.id_bytes : std::string::npos));
    }
    if (degree == shape.degree) table.GrowTo(shape.table);
    return table;
  }

 private:
  std::vector<Table::Column> Columns(bool relative, bool lean) const {
    constexpr auto kLeft = Table::Align::kLeft;
    constexpr auto kRight = Table::Align::kRight;
    const std::string zone = one_zone_ ? " (" + ZoneText(entries_[0].operation.started_at, look_.zone) + ")" : "";
    return {{.heading = "OPERATION"},
            {.heading = "TYPE", .least = 5},
            {.heading = "STATUS", .least = 11},
            {.heading = relative ? "STARTED" : "STARTED" + zone, .align = relative ? kRight : kLeft},
            {.heading = "TOOK", .align = kRight},
            {.heading = "FILES", .align = kRight},
            {.heading = "ERRORS", .align = kRight, .left_out_if_empty = lean},
            {.heading = "INTERRUPTIONS", .align = kRight, .left_out_if_empty = lean}};
  }

  std::vector<Table::Cell> Row(const HistoryEntry& entry, Degree degree, std::size_t id_bytes) const {
    const Operation& operation = entry.operation;
    const auto count = [&](std::int64_t n) {
      return n == 0 && degree >= Degree::kWithoutEmptyColumns ? "" : Grouped(n);
    };
    return {std::string(Beginning(operation.operation_id, id_bytes)),
            std::string(Name(operation.type)),
            {HistoryStatus(entry, view_), StatusTone(entry, view_)},
            Started(operation.started_at, degree),
            HumanDuration(0, operation.active_ns),
            FilesText(operation),
            count(operation.error_count),
            count(operation.interruptions())};
  }

  std::string Started(TimeNs time, Degree degree) const {
    if (degree >= Degree::kRelativeTimes) return BriefAgo(time, now_);
    return one_zone_ ? ColumnTime(time, look_.zone) : HumanTime(time, look_.zone);
  }

  // Never splits a character.
  static std::string_view Beginning(std::string_view text, std::size_t bytes) {
    std::size_t end = 0;
    while (end < text.size() && end < bytes) end += FirstCharacter(text.substr(end)).size;
    return text.substr(0, end);
  }

  const std::vector<HistoryEntry>& entries_;
  const LogView& view_;
  TimeNs now_;
  const Look& look_;
  bool one_zone_;
};

}  // namespace

std::size_t TellingPrefix(std::vector<std::string> ids) {
  constexpr std::size_t kLeast = 8;
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  std::size_t bytes = kLeast;
  for (std::size_t i = 1; i < ids.size(); ++i) {
    const auto [a, b] = std::mismatch(ids[i - 1].begin(), ids[i - 1].end(), ids[i].begin(), ids[i].end());
    bytes = std::max(bytes, static_cast<std::size_t>(b - ids[i].begin()) + 1);
  }
  return bytes;
}

Lines HistoryText(const std::vector<HistoryEntry>& entries, const LogView& view, TimeNs now, const Look& look,
                  HistoryShape& shape) {
  if (entries.empty()) return {};
  const HistoryTable history(entries, view, now, look);
  for (const Degree degree :
       {Degree::kWhole, Degree::kWithoutEmptyColumns, Degree::kShortIds, Degree::kRelativeTimes}) {
    if (degree < shape.degree) continue;
    const Table table = history.At(degree, shape);
    const bool fits = !look.columns || table.width() <= *look.columns;
    if (!fits && degree != Degree::kRelativeTimes) continue;
    const bool other_headings = table.Headings() != shape.headings;
    shape.degree = degree;
    shape.table = table.shape();
    shape.headings = table.Headings();
    return table.Render(fits ? std::nullopt : look.columns, look.heading && other_headings);
  }
  return {};
}

Lines HistoryText(const std::vector<HistoryEntry>& entries, const LogView& view, TimeNs now, const Look& look) {
  HistoryShape shape;
  return HistoryText(entries, view, now, look, shape);
}

}  // namespace foldlog::cli
