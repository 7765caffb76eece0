// Which way a walk through a log goes.

#ifndef FOLDLOG_ORDER_H_
#define FOLDLOG_ORDER_H_

namespace foldlog {

enum class Order { kOldestFirst, kNewestFirst };

}  // namespace foldlog

#endif  // FOLDLOG_ORDER_H_
