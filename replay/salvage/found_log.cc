#include "replay/salvage/found_log.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "engine/base/status_macros.h"
#include "engine/log/frame_run.h"

namespace foldlog::salvage {

// One piece at a time.
absl::Status FoundLog::ReadInto(Sequence from, std::size_t bytes_max, FrameRun& run) const {
  ASSIGN_OR_RETURN(const LogExtent extent, Extent());
  RETURN_IF_ERROR(CheckReadable(from, extent, name_));
  if (from > extent.end.sequence) return ClearRun(from, run);
  const auto behind =
      std::upper_bound(chain_->pieces.begin(), chain_->pieces.end(), from,
                       [&](Sequence at, std::uint32_t number) { return at < chains_->piece(number).first; });
  ASSIGN_OR_RETURN(const auto frames, reader_->Load(chains_->piece(*std::prev(behind))));
  RunCollector collector(from, bytes_max, std::exchange(run, {}));
  RETURN_IF_ERROR(collector.Add(frames).status());
  run = std::move(collector).Take();
  return absl::OkStatus();
}

}  // namespace foldlog::salvage
