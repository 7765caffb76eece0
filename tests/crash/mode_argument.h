// For the libraries that stand in for open() and its like.

#ifndef FOLDLOG_TESTS_CRASH_MODE_ARGUMENT_H_
#define FOLDLOG_TESTS_CRASH_MODE_ARGUMENT_H_

#include <fcntl.h>
#include <sys/types.h>

#include <cstdarg>

// Declares `mode`: the argument behind `last`, which callers pass only if `flags` ask for a file to be created.
#define FOLDLOG_MODE_ARGUMENT(last)           \
  mode_t mode = 0;                            \
  if ((flags & (O_CREAT | O_TMPFILE)) != 0) { \
    va_list arguments;                        \
    va_start(arguments, last);                \
    mode = va_arg(arguments, mode_t);         \
    va_end(arguments);                        \
  }

#endif  // FOLDLOG_TESTS_CRASH_MODE_ARGUMENT_H_
