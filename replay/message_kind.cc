#include "replay/message_kind.h"

#include <algorithm>
#include <array>
#include <utility>

namespace foldlog {
namespace {

// So many hexadecimal digits in a row are no word.
constexpr std::size_t kHexDigitsMin = 8;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool IsHex(char c) { return IsDigit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

// Bytes of characters outside of ASCII count as letters.
bool IsWord(char c) { return IsDigit(c) || IsLetter(c) || c == '_' || static_cast<unsigned char>(c) >= 0x80; }

bool EndsPath(char c) { return std::string_view(" \t\n:;,()[]{}<>|\"'").find(c) != std::string_view::npos; }
bool ContinuesCharacter(char c) { return (static_cast<unsigned char>(c) & 0xC0U) == 0x80; }

constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kQuotes = {
    {{"'", "'"}, {"\"", "\""}, {"`", "'"}, {"`", "`"}, {"‘", "’"}, {"“", "”"}}};

// Walks a message once, from the left.
class KindMaker {
 public:
  KindMaker(std::string_view message, std::string_view path) : rest_(message), path_(path) {}

  std::string Make() {
    while (!rest_.empty() && kind_.size() <= kMessageKindBytesMax) {
      if (TakeOwnPath() || TakeQuoted() || TakePath() || TakeHex() || TakeNumber()) continue;
      Take(1);
    }
    std::size_t size = std::min(kind_.size(), kMessageKindBytesMax);
    while (size < kind_.size() && size > 0 && ContinuesCharacter(kind_[size])) --size;
    kind_.resize(size);
    return std::move(kind_);
  }

 private:
  void Take(std::size_t bytes) {
    kind_.append(rest_.substr(0, bytes));
    Skip(bytes);
  }

  void Skip(std::size_t bytes) {
    before_ = rest_[bytes - 1];
    rest_.remove_prefix(bytes);
  }

  bool Replace(std::size_t bytes, std::string_view placeholder) {
    kind_.append(placeholder);
    Skip(bytes);
    return true;
  }

  bool AtStartOfWord() const { return !IsWord(before_); }
  bool IsEndOfWord(std::size_t at) const { return at >= rest_.size() || !IsWord(rest_[at]); }

  bool TakeOwnPath() {
    if (path_.size() < 2 || !rest_.starts_with(path_)) return false;
    return AtStartOfWord() && IsEndOfWord(path_.size()) && Replace(path_.size(), "<path>");
  }

  // The apostrophe of "can't" opens nothing, and closes nothing.
  bool TakeQuoted() {
    if (!AtStartOfWord()) return false;
    for (const auto& [open, close] : kQuotes) {
      if (!rest_.starts_with(open)) continue;
      for (std::size_t at = open.size(); (at = rest_.find(close, at)) != std::string_view::npos; ++at) {
        if (IsEndOfWord(at + close.size())) return Replace(at + close.size(), "<text>");
      }
    }
    return false;
  }

  // A path begins with a root, a dot or a home; "I/O" is none.
  bool TakePath() {
    if (!AtStartOfWord() || before_ == '/' || before_ == '.') return false;
    std::size_t at = 0;
    for (const std::string_view start : {"/", "./", "../", "~/"}) {
      if (rest_.starts_with(start)) at = start.size();
    }
    if (at == 0 || at == rest_.size() || EndsPath(rest_[at])) return false;
    while (at < rest_.size() && !EndsPath(rest_[at])) ++at;
    return Replace(at, "<path>");
  }

  // Identifiers such as UUIDs are hexadecimal digits with dashes.
  bool TakeHex() {
    if (!AtStartOfWord()) return false;
    const bool marked = rest_.starts_with("0x") || rest_.starts_with("0X");
    std::size_t at = marked ? 2 : 0;
    std::size_t digits = 0;
    bool decimal = false;
    for (; at < rest_.size() && (IsHex(rest_[at]) || (digits > 0 && rest_[at] == '-' && !IsEndOfWord(at + 1))); ++at) {
      digits += IsHex(rest_[at]) ? 1 : 0;
      decimal = decimal || IsDigit(rest_[at]);
    }
    const std::string_view taken = rest_.substr(0, at);
    if (digits == 0 || !IsEndOfWord(at)) return false;
    if (!marked && (digits < kHexDigitsMin || !decimal)) return false;
    if (!marked && std::none_of(taken.begin(), taken.end(), IsLetter)) return false;
    return Replace(at, "<hex>");
  }

  // With what groups and divides its digits: "1,234.5", "12:30:05".
  bool TakeNumber() {
    if (!IsDigit(rest_.front())) return false;
    std::size_t at = 1;
    while (at < rest_.size()) {
      const bool divides = rest_[at] == '.' || rest_[at] == ',' || rest_[at] == ':';
      if (!IsDigit(rest_[at]) && !(divides && at + 1 < rest_.size() && IsDigit(rest_[at + 1]))) break;
      ++at;
    }
    return Replace(at, "<n>");
  }

  std::string_view rest_;
  const std::string_view path_;
  char before_ = ' ';
  std::string kind_;
};

}  // namespace

std::string MessageKind(std::string_view message, std::string_view path) {
  return KindMaker(message.substr(0, kMessageBytesLookedAt + path.size()), path).Make();
}

}  // namespace foldlog
