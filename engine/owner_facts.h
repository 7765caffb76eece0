// Facts about the running system that others than owners need.

#ifndef FOLDLOG_OWNER_FACTS_H_
#define FOLDLOG_OWNER_FACTS_H_

#include <string>

namespace foldlog {

// Changes with every boot; empty where /proc is missing.
std::string ReadBootId();

}  // namespace foldlog

#endif  // FOLDLOG_OWNER_FACTS_H_
