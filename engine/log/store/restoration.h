// The record of a restored log that says where it came from, as FORMAT.md lays it out.

#ifndef FOLDLOG_LOG_STORE_RESTORATION_H_
#define FOLDLOG_LOG_STORE_RESTORATION_H_

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "foldlog/log_directory.h"

namespace foldlog {

// Names that are longer than any path are cut.
std::vector<std::uint64_t> EncodeRestoration(const Restoration& restoration);

// Nothing if the words are no such record, or do not match their hash.
std::optional<Restoration> DecodeRestoration(std::span<const std::uint64_t> words);

}  // namespace foldlog

#endif  // FOLDLOG_LOG_STORE_RESTORATION_H_
