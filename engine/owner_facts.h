// Facts about the running system that owner.cc and other units share.

#ifndef FOLDLOG_OWNER_FACTS_H_
#define FOLDLOG_OWNER_FACTS_H_

namespace foldlog {

struct Owner;
struct Process;

// Whether `process` is the one that `owner` names: by pid, start time and, if known, pid namespace.
bool IsOwner(const Process& process, const Owner& owner);

}  // namespace foldlog

#endif  // FOLDLOG_OWNER_FACTS_H_
