#include "engine/shorten.h"

#include <algorithm>
#include <cstdint>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"

namespace foldlog {
namespace {

constexpr char kLeftOut[] = "statistics_left_out";

// A shorter text would be little more than its mark.
constexpr std::size_t kTextBytesMin = 64;

// The size of a statistic in a message: its struct, and two texts in whole words.
constexpr std::size_t kStatStructBytes = 32;
constexpr std::size_t kWordBytes = 8;

// The size of a text that is cut to `text_bytes_max`.
std::size_t BytesOf(const std::string& text, std::size_t text_bytes_max) {
  return (std::min(text.size(), text_bytes_max) + kWordBytes - 1) / kWordBytes * kWordBytes;
}

std::size_t BytesOf(const std::pair<std::string, StatValue>& stat, std::size_t text_bytes_max) {
  const auto* text = std::get_if<std::string>(&stat.second);
  return kStatStructBytes + BytesOf(stat.first, text_bytes_max) +
         (text != nullptr ? BytesOf(*text, text_bytes_max) : 0);
}

std::size_t BytesOf(const Stats& stats, std::size_t text_bytes_max) {
  std::size_t bytes = 0;
  for (const auto& stat : stats) bytes += BytesOf(stat, text_bytes_max);
  return bytes;
}

bool ContinuesCharacter(char byte) { return (static_cast<unsigned char>(byte) & 0xc0) == 0x80; }

void ShortenTexts(Stats& stats, std::size_t bytes_max) {
  for (auto& [name, value] : stats) {
    name = ShortenText(std::move(name), bytes_max);
    if (auto* text = std::get_if<std::string>(&value)) *text = ShortenText(std::move(*text), bytes_max);
  }
}

}  // namespace

std::string ShortenText(std::string text, std::size_t bytes_max) {
  constexpr std::size_t kUtf8BytesMax = 4;
  if (text.size() <= bytes_max) return text;
  const std::string mark = absl::StrCat(" … [cut, of ", text.size(), " bytes]");
  std::size_t end = bytes_max - std::min(bytes_max, mark.size());
  // Goes back to the start of a character, but no further than one can be long: the text need not be UTF-8.
  for (std::size_t back = 1; back < kUtf8BytesMax && end > 0 && ContinuesCharacter(text[end]); ++back) --end;
  text.resize(end);
  return text + mark;
}

Stats ShortenStats(Stats stats, std::size_t bytes_max) {
  // All texts are cut to one length, which is halved until they fit: short names stay whole.
  std::size_t length = bytes_max;
  while (length > kTextBytesMin && BytesOf(stats, length) > bytes_max) length = std::max(length / 2, kTextBytesMin);
  ShortenTexts(stats, length);
  if (BytesOf(stats, length) <= bytes_max) return stats;

  // Room for the last statistic, which counts those left out.
  std::size_t bytes = BytesOf(std::pair<std::string, StatValue>(kLeftOut, std::int64_t{0}), length);
  std::size_t kept = 0;
  while ((bytes += BytesOf(stats[kept], length)) <= bytes_max) ++kept;
  const auto left_out = static_cast<std::int64_t>(stats.size() - kept);
  stats.resize(kept);
  stats.emplace_back(kLeftOut, left_out);
  return stats;
}

Event Shorten(Event event, std::size_t bytes_max) {
  const auto shorten = [bytes_max](std::string& text) { text = ShortenText(std::move(text), bytes_max); };
  if (auto* paused = std::get_if<Paused>(&event.body)) shorten(paused->reason);
  if (auto* failed = std::get_if<Failed>(&event.body)) shorten(failed->error);
  if (auto* reset = std::get_if<Reset>(&event.body)) shorten(reset->reason);
  if (auto* completed = std::get_if<Completed>(&event.body)) {
    completed->stats = ShortenStats(std::move(completed->stats), bytes_max);
  }
  return event;
}

}  // namespace foldlog
