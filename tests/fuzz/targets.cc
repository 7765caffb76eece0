// The list of all targets.

#include "tests/fuzz/target.h"

namespace foldlog::fuzz {

const std::vector<const Target*>& AllTargets() {
  static const std::vector<const Target*> targets = {
      &kFrameTarget, &kEventTarget,     &kQueryTarget,     &kBatchTarget,        &kTailTarget,
      &kPageTarget,  &kLogTarget,       &kRowTarget,       &kStateTarget,        &kWriterRecordTarget,
      &kJsonTarget,  &kSingleRowTarget, &kJsonLinesTarget, &kBackupStreamTarget, &kSalvageTarget};
  return targets;
}

const Target* FindTarget(std::string_view name) {
  for (const Target* target : AllTargets()) {
    if (name == target->name) return target;
  }
  return nullptr;
}

}  // namespace foldlog::fuzz
