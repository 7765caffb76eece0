// What ends or interrupts an operation is recorded however much there is to say: its texts and statistics are cut to
// what an event can hold, each with a mark that tells so. UTF-8 stays UTF-8.

#ifndef FOLDLOG_SHORTEN_H_
#define FOLDLOG_SHORTEN_H_

#include <cstddef>
#include <string>

#include "foldlog/event.h"

namespace foldlog {

// The first bytes of `text` and the mark, at most `bytes_max` together; `text` itself if it is no longer. `bytes_max`
// has room for the mark.
std::string ShortenText(std::string text, std::size_t bytes_max);

// Statistics that take at most `bytes_max` in an event. Texts and names are cut, all to the same length; what there is
// still no room for is left out, from the end on, and counted in the last one.
Stats ShortenStats(Stats stats, std::size_t bytes_max);

// The same event with its reason, error or statistics in at most `bytes_max`, which is 256 or more.
Event Shorten(Event event, std::size_t bytes_max);

}  // namespace foldlog

#endif  // FOLDLOG_SHORTEN_H_
