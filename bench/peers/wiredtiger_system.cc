// WiredTiger as a log: a B-tree with a write-ahead log. It belongs to one process at a time.

#include <wiredtiger.h>

#include "absl/strings/str_cat.h"
#include "bench/peers/key_value.h"
#include "bench/peers/systems.h"
#include "engine/base/status_macros.h"

namespace foldlog::peers {
namespace {

constexpr const char* kSettings =
    "create,cache_size=256MB,log=(enabled=true,file_max=64MB),checkpoint=(log_size=64MB),"
    "extensions=[libwiredtiger_snappy.so]";
constexpr const char* kTableSettings = "key_format=u,value_format=u,block_compressor=snappy";
constexpr const char* kTable = "table:checkpoints";

absl::Status Checked(int result, const char* call) {
  if (result == 0) return absl::OkStatus();
  return absl::InternalError(absl::StrCat("WiredTiger: ", call, ": ", wiredtiger_strerror(result)));
}

WT_ITEM ItemOf(std::string_view bytes) {
  WT_ITEM item = {};
  item.data = bytes.data();
  item.size = bytes.size();
  return item;
}
std::string_view BytesIn(const WT_ITEM& item) { return {static_cast<const char*>(item.data), item.size}; }

std::string SettingsAt(Level level) {
  return absl::StrCat(kSettings, ",transaction_sync=(enabled=true,method=", level == Level::kDurable ? "fsync" : "none",
                      ")");
}

class WiredTiger : public KeyValueSystem {
 public:
  Description Describe(Level level) const override {
    return {.version = wiredtiger_version(nullptr, nullptr, nullptr),
            .settings = absl::StrCat(SettingsAt(level), "; table ", kTableSettings, "; a session for each thread"),
            .promise = level == Level::kDurable
                           ? "durable on return"
                           : "kill-safe on return; power loss takes what the kernel has not written yet",
            .keeps_history = true};
  }

  absl::Status OpenStore(const Place& place) override {
    RETURN_IF_ERROR(Checked(
        wiredtiger_open(place.directory.c_str(), nullptr, SettingsAt(place.level).c_str(), &connection_), "open"));
    of_thread_.resize(static_cast<std::size_t>(place.threads));
    for (OfThread& own : of_thread_) {
      RETURN_IF_ERROR(Checked(connection_->open_session(connection_, nullptr, nullptr, &own.session), "open_session"));
      RETURN_IF_ERROR(Checked(own.session->create(own.session, kTable, kTableSettings), "create"));
      RETURN_IF_ERROR(
          Checked(own.session->open_cursor(own.session, kTable, nullptr, nullptr, &own.cursor), "open_cursor"));
    }
    return absl::OkStatus();
  }

  absl::Status Put(int thread, std::string_view key, std::string_view value) override {
    return Insert(of_thread_[static_cast<std::size_t>(thread)].cursor, key, value);
  }

  absl::Status PutAll(const NextEntry& next) override {
    WT_SESSION* session = of_thread_[0].session;
    RETURN_IF_ERROR(Checked(session->begin_transaction(session, nullptr), "begin_transaction"));
    std::string_view key;
    std::string_view value;
    while (next(key, value)) {
      absl::Status put = Insert(of_thread_[0].cursor, key, value);
      if (put.ok()) continue;
      session->rollback_transaction(session, nullptr);
      return put;
    }
    return Checked(session->commit_transaction(session, nullptr), "commit_transaction");
  }

  absl::Status MakeDurable() override {
    WT_SESSION* session = of_thread_[0].session;
    return Checked(session->log_flush(session, "sync=on"), "log_flush");
  }

  absl::Status LastBefore(std::string_view bound, const VisitEntry& visit) override {
    WT_CURSOR* cursor = of_thread_[0].cursor;
    WT_ITEM key = ItemOf(bound);
    cursor->set_key(cursor, &key);
    int nearest = 0;
    int result = cursor->search_near(cursor, &nearest);
    if (result == 0 && nearest >= 0) result = cursor->prev(cursor);
    if (result == 0) result = Give(cursor, visit);
    cursor->reset(cursor);
    return result == WT_NOTFOUND ? absl::OkStatus() : Checked(result, "search_near");
  }

  absl::Status Each(const VisitEntry& visit) override {
    WT_CURSOR* cursor = of_thread_[0].cursor;
    cursor->reset(cursor);
    int result = cursor->next(cursor);
    for (; result == 0; result = cursor->next(cursor)) {
      if (result = Give(cursor, visit); result != 0) break;
    }
    cursor->reset(cursor);
    return result == WT_NOTFOUND ? absl::OkStatus() : Checked(result, "next");
  }

  absl::Status Close() override { return Checked(connection_->close(connection_, nullptr), "close"); }

 private:
  struct OfThread {
    WT_SESSION* session = nullptr;
    WT_CURSOR* cursor = nullptr;
  };

  static absl::Status Insert(WT_CURSOR* cursor, std::string_view key, std::string_view value) {
    WT_ITEM key_given = ItemOf(key);
    WT_ITEM value_given = ItemOf(value);
    cursor->set_key(cursor, &key_given);
    cursor->set_value(cursor, &value_given);
    return Checked(cursor->insert(cursor), "insert");
  }

  static int Give(WT_CURSOR* cursor, const VisitEntry& visit) {
    WT_ITEM key;
    WT_ITEM value;
    if (const int result = cursor->get_key(cursor, &key); result != 0) return result;
    if (const int result = cursor->get_value(cursor, &value); result != 0) return result;
    visit(BytesIn(key), BytesIn(value));
    return 0;
  }

  WT_CONNECTION* connection_ = nullptr;
  std::vector<OfThread> of_thread_;
};

}  // namespace

std::unique_ptr<System> NewWiredTiger() { return std::make_unique<WiredTiger>(); }

}  // namespace foldlog::peers
