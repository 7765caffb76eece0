// Letting go of the interpreter lock while something is waited for.
//
// Not pybind11's gil_scoped_release: when the interpreter ends, a daemon thread that wants its lock back is unwound by
// pthread_exit(), and there the unwinding would meet a destructor and end the whole program with an abort.

#ifndef FOLDLOG_PYTHON_INTERPRETER_LOCK_H_
#define FOLDLOG_PYTHON_INTERPRETER_LOCK_H_

#include <pybind11/pybind11.h>

namespace foldlog::python {

// Runs `work` without the interpreter lock, and returns what it returns. `work` must not touch Python objects, and the
// caller must not own any that it made itself: in that last moment of a program they would be released without the
// lock.
template <typename Work>
auto Unlocked(Work work) {
  PyThreadState* const thread = PyEval_SaveThread();
  try {
    auto result = work();
    PyEval_RestoreThread(thread);
    return result;
  } catch (const std::exception&) {  // out of memory; the library throws nothing else
    PyEval_RestoreThread(thread);
    throw;
  }
}

}  // namespace foldlog::python

#endif  // FOLDLOG_PYTHON_INTERPRETER_LOCK_H_
