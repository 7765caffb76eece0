// A JSON writer whose text equals that of Python's json.dumps with default settings, byte for byte.
//
// Separators are ", " and ": ", everything outside ASCII is escaped, and floats are the shortest text that reads back
// as the same value. Bytes that are not UTF-8 become the lone surrogates \udc80 … \udcff, as Python's surrogateescape
// writes them: a program that reads a path from this JSON gets the exact bytes of the file name.
//
//   JsonWriter json;
//   json.BeginObject();
//   json.Key("status");  json.String("idle");
//   json.EndObject();
//   std::cout << json.text();
//
// The caller keeps the order legal (a key before each member's value); the writer tracks nesting only to place
// separators. Threads: one.

#ifndef FOLDLOG_JSON_WRITER_H_
#define FOLDLOG_JSON_WRITER_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace foldlog {

class JsonWriter {
 public:
  void BeginObject();
  void EndObject();
  void BeginArray();
  void EndArray();
  void Key(std::string_view key);
  void String(std::string_view bytes);
  void Integer(std::int64_t value);
  void Unsigned(std::uint64_t value);
  void Float(double value);  // NaN and infinities as Python writes them: NaN, Infinity, -Infinity
  void Bool(bool value);
  void Null();
  void Raw(std::string_view value);  // a value that is JSON already

  const std::string& text() const { return text_; }
  std::string Take();  // the text; the writer is empty again

 private:
  void BeforeValue();
  void Open(char bracket);
  void Close(char bracket);

  std::string text_;
  int depth_ = 0;             // of open objects and arrays
  bool has_members_ = false;  // the innermost of them
  bool after_key_ = false;
};

// `bytes` as a JSON string with its quotes, appended to `out`.
void AppendJsonString(std::string_view bytes, std::string& out);

// Python's repr() of a float, appended to `out`.
void AppendPythonFloat(double value, std::string& out);

// The character at the start of `bytes`, which must not be empty. As strict as Python: overlong forms, surrogates, code
// points above U+10FFFF and truncated sequences are not valid, and the result then stands for one byte.
struct Utf8Character {
  bool valid = false;
  char32_t code_point = 0;
  std::size_t size = 1;  // bytes
};
Utf8Character FirstCharacter(std::string_view bytes);

}  // namespace foldlog

#endif  // FOLDLOG_JSON_WRITER_H_
