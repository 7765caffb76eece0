// What owners and others need to know of the running system.

#ifndef FOLDLOG_OWNER_FACTS_H_
#define FOLDLOG_OWNER_FACTS_H_

#include <string>

#include "foldlog/owner.h"

namespace foldlog {

// Changes with every boot; empty where /proc is missing.
std::string ReadBootId();

struct Process;

// Whether `process` is the one that `owner` names.
bool IsOwner(const Process& process, const Owner& owner);

}  // namespace foldlog

#endif  // FOLDLOG_OWNER_FACTS_H_
