#include "engine/log/store/restoration.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <string>

#include "engine/base/word_hash.h"

namespace foldlog {
namespace {

// The texts follow: the source, then the host, then zeros up to a whole word.
struct Header {
  std::uint64_t hash;  // XXH3-64 of all that follows
  std::int64_t at;
  ChainEnd end;
  std::uint32_t source_bytes;
  std::uint32_t host_bytes;
};
static_assert(sizeof(Header) == 40);

constexpr std::size_t kTextBytesMax = 4096;  // PATH_MAX

}  // namespace

std::vector<std::uint64_t> EncodeRestoration(const Restoration& restoration) {
  const std::string source = restoration.source.substr(0, kTextBytesMax);
  const std::string host = restoration.host.substr(0, kTextBytesMax);
  const Header header{.hash = 0,
                      .at = restoration.at,
                      .end = restoration.end,
                      .source_bytes = static_cast<std::uint32_t>(source.size()),
                      .host_bytes = static_cast<std::uint32_t>(host.size())};
  const std::string texts = source + host;
  constexpr std::size_t kWordBytes = sizeof(std::uint64_t);
  std::vector<std::uint64_t> words((sizeof header + texts.size() + kWordBytes - 1) / kWordBytes);
  std::memcpy(words.data(), &header, sizeof header);
  std::memcpy(words.data() + sizeof header / kWordBytes, texts.data(), texts.size());
  words[0] = HashBehindFirstWord(words);
  return words;
}

std::optional<Restoration> DecodeRestoration(std::span<const std::uint64_t> words) {
  Header header = {};
  if (words.size_bytes() < sizeof header || words[0] != HashBehindFirstWord(words)) return std::nullopt;
  std::memcpy(static_cast<void*>(&header), words.data(), sizeof header);
  const std::size_t texts = words.size_bytes() - sizeof header;
  if (header.source_bytes > texts || header.host_bytes > texts - header.source_bytes) return std::nullopt;
  const char* const text = reinterpret_cast<const char*>(words.data()) + sizeof header;
  return Restoration{.at = header.at,
                     .source = {text, header.source_bytes},
                     .host = {text + header.source_bytes, header.host_bytes},
                     .end = header.end};
}

}  // namespace foldlog
