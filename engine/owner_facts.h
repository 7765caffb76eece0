// What owners and others need to know of the running system.

#ifndef FOLDLOG_OWNER_FACTS_H_
#define FOLDLOG_OWNER_FACTS_H_

#include "foldlog/owner.h"

namespace foldlog {

struct Process;

// Whether `process` is the one that `owner` names.
bool IsOwner(const Process& process, const Owner& owner);

}  // namespace foldlog

#endif  // FOLDLOG_OWNER_FACTS_H_
