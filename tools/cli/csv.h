// Comma-separated values, as RFC 4180 has them. Pure.

#ifndef FOLDLOG_CLI_CSV_H_
#define FOLDLOG_CLI_CSV_H_

#include <string>
#include <string_view>
#include <vector>

namespace foldlog::cli {

// A field as it stands in a record: quoted if it has commas, quotes or line breaks.
std::string CsvField(const std::string& field);

// One record, without the CR and LF that end it. Nothing in the fields is changed but by quotes, so the bytes of a path
// are those of the log. Nothing and an empty text are the same.
std::string CsvRecord(const std::vector<std::string>& fields);

inline constexpr std::string_view kCsvEnd = "\r\n";

}  // namespace foldlog::cli

#endif  // FOLDLOG_CLI_CSV_H_
