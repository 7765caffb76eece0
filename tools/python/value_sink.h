// ValueSink: fields as Python's values: dicts, lists, str, int, float. Times are seconds since 1970. Needs the
// interpreter lock.

#ifndef FOLDLOG_PYTHON_VALUE_SINK_H_
#define FOLDLOG_PYTHON_VALUE_SINK_H_

#include <pybind11/pybind11.h>

#include <string_view>
#include <vector>

#include "replay/report/sink.h"

namespace foldlog::python {

class ValueSink final : public report::Sink {
 public:
  void Key(std::string_view key) override;
  void BeginObject() override { Open(pybind11::dict()); }
  void EndObject() override { open_.pop_back(); }
  void BeginList() override { Open(pybind11::list()); }
  void EndList() override { open_.pop_back(); }
  void Null() override { Add(pybind11::none()); }
  void Bool(bool value) override { Add(pybind11::bool_(value)); }
  void Integer(std::int64_t value) override { Add(pybind11::int_(value)); }
  void Unsigned(std::uint64_t value) override { Add(pybind11::int_(value)); }
  void Real(double value) override { Add(pybind11::float_(value)); }
  void Text(std::string_view bytes) override;
  void Time(TimeNs time) override;
  void Error(const FileError& error, TimeNs time) override;

  // The outermost object.
  pybind11::dict Take() { return std::move(outermost_); }

 private:
  void Add(const pybind11::object& value);
  void Open(const pybind11::object& container);

  pybind11::dict outermost_;
  std::vector<pybind11::object> open_;  // dicts and lists, from the outermost on
  pybind11::object key_;                // of the next value
};

}  // namespace foldlog::python

#endif  // FOLDLOG_PYTHON_VALUE_SINK_H_
