#include "replay/json_line.h"

#include <xxhash.h>

#include <cstring>

#include "absl/strings/escaping.h"
#include "engine/base/text.h"
#include "replay/report/text.h"

namespace foldlog {
namespace {

constexpr std::string_view kBeforeHash = ", \"line_hash\": \"";
constexpr std::string_view kBehindHash = "\"}";
constexpr std::size_t kHashDigits = 16;

std::uint64_t HashOf(std::string_view text) { return XXH3_64bits(text.data(), text.size()); }

}  // namespace

std::string WithLineHash(std::string object) {
  object.pop_back();  // the brace
  const std::string hash = report::HashText(HashOf(object));
  return object.append(kBeforeHash).append(hash).append(kBehindHash);
}

bool HasRightLineHash(std::string_view line) {
  constexpr std::size_t kEndBytes = kBeforeHash.size() + kHashDigits + kBehindHash.size();
  if (line.size() <= kEndBytes) return false;
  const std::string_view object = line.substr(0, line.size() - kEndBytes);
  return line.substr(object.size()) ==
         std::string(kBeforeHash) + report::HashText(HashOf(object)) + std::string(kBehindHash);
}

std::string HexOf(const LogId& id) {
  return absl::BytesToHexString(absl::string_view(reinterpret_cast<const char*>(id.data()), id.size()));
}

std::optional<LogId> LogIdOf(std::string_view hex) {
  LogId id = {};
  constexpr std::string_view kDigits = "0123456789abcdef";
  if (hex.size() != 2 * id.size() || hex.find_first_not_of(kDigits) != std::string_view::npos) return std::nullopt;
  const std::string bytes = absl::HexStringToBytes(ToAbsl(hex));
  std::memcpy(id.data(), bytes.data(), id.size());
  return id;
}

std::string Base64Of(const std::vector<std::uint64_t>& words) {
  return absl::Base64Escape(
      absl::string_view(reinterpret_cast<const char*>(words.data()), words.size() * sizeof(std::uint64_t)));
}

std::optional<std::vector<std::uint64_t>> WordsOf(const std::string& base64) {
  std::string bytes;
  if (!absl::Base64Unescape(base64, &bytes) || bytes.size() % sizeof(std::uint64_t) != 0) return std::nullopt;
  std::vector<std::uint64_t> words(bytes.size() / sizeof(std::uint64_t));
  std::memcpy(words.data(), bytes.data(), bytes.size());
  return words;
}

}  // namespace foldlog
