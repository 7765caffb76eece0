// A single row as events: what an older program kept in its table `indexing_state`, turned into the history that ends
// with it. Pure: a row's text in, events out; nothing is read or written here.
//
// Rows of two sorts are understood: those whose checkpoint_data foldlog's own projection would write, and those of
// earlier programs, where it is any JSON object, perhaps with files_processed, batch_num and last_path in it, and the
// status one of many words.

#ifndef FOLDLOG_PROJECTION_IMPORT_H_
#define FOLDLOG_PROJECTION_IMPORT_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "foldlog/event.h"
#include "foldlog/state.h"

namespace foldlog {

// What the row itself does not tell.
struct ImportContext {
  std::string source = {};  // where the row was
  std::string new_id = {};  // for an operation without an id
  Moment now = {};
  Owner owner = {};
  Epoch epoch = 0;
};

// `imported` and what follows from it. Folded, they give the row byte for byte; if what they say does not, `imported`
// holds the row as well. InvalidArgument, naming the column or member, for what is no such row.
absl::StatusOr<std::vector<Event>> EventsOfRow(const SingleRow& row, const ImportContext& context);

}  // namespace foldlog

#endif  // FOLDLOG_PROJECTION_IMPORT_H_
