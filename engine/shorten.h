// Events that end or interrupt an operation are recorded however long their texts are. Their texts and statistics are
// cut to what an event can hold, each with a mark that says so. UTF-8 stays UTF-8.

#ifndef FOLDLOG_SHORTEN_H_
#define FOLDLOG_SHORTEN_H_

#include <cstddef>
#include <string>

#include "foldlog/event.h"

namespace foldlog {

// The first bytes of `text` and a mark, at most `bytes_max` together; `text` itself if it is short enough. `bytes_max`
// must have room for the mark.
std::string ShortenText(std::string text, std::size_t bytes_max);

// Statistics that take at most `bytes_max` in an event. Texts and names are cut to one length. If that is not enough,
// statistics are left out from the end on, and the last one counts them.
Stats ShortenStats(Stats stats, std::size_t bytes_max);

// `event` with its reason, error or statistics in at most `bytes_max`, which must be 256 or more.
Event Shorten(Event event, std::size_t bytes_max);

}  // namespace foldlog

#endif  // FOLDLOG_SHORTEN_H_
