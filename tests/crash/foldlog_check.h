// Proves of a foldlog log, as a power cut left it, that it is sound and complete.

#ifndef FOLDLOG_TESTS_CRASH_FOLDLOG_CHECK_H_
#define FOLDLOG_TESTS_CRASH_FOLDLOG_CHECK_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "foldlog/event.h"

namespace foldlog::power_cut {

// All events of a log. With their hashes, which stand for every byte of their frames and those before.
absl::StatusOr<std::vector<RecordedEvent>> ReadEvents(const std::string& log);

// Makes the record of the last writer one of another boot of the machine, as after a power cut it is. What else is in
// the log is left alone.
void PretendReboot(const std::string& log);

// The number of the last event in `log`; kNoLog if there is none, which must then be possible to create. `reference`
// are the events that the undisturbed run appended: those found must be the first of them. `earlier` are those of the
// run whose power cut it began after: of a frame that was torn then, the rest may come with what is written over it, if
// both end alike, and it is whole again. It was submitted, so that is sound.
//
// Readers must find the same before a writer has opened it, and so must a second opening, which changes nothing; the
// state must equal the fold of all events, with snapshots and without; and appending must go on, both ways.
absl::StatusOr<std::int64_t> CheckFoldlogImage(const std::string& log, const std::vector<RecordedEvent>& reference,
                                               const std::vector<RecordedEvent>& earlier = {});

}  // namespace foldlog::power_cut

#endif  // FOLDLOG_TESTS_CRASH_FOLDLOG_CHECK_H_
