// LMDB files for the tests of the check: written by LMDB itself, read and used by it in a child process.

#ifndef FOLDLOG_TESTS_SUPPORT_LMDB_CHECK_SUPPORT_H_
#define FOLDLOG_TESTS_SUPPORT_LMDB_CHECK_SUPPORT_H_

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <lmdb.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "engine/log/store/lmdb/check.h"
#include "engine/log/store/lmdb/page.h"

namespace foldlog {

using ::testing::HasSubstr;

using u16 = std::uint16_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;

inline constexpr u64 kMapBytes = u64{1} << 30;
inline constexpr u64 kPageBytes = 4096;

// ---- Files that LMDB writes

inline void Must(int code) {
  if (code != MDB_SUCCESS) throw std::runtime_error(mdb_strerror(code));
}

class Transaction {
 public:
  explicit Transaction(MDB_txn* txn) : txn_(txn) {}

  void Put(const char* table, u64 key, std::size_t value_bytes, unsigned table_flags = MDB_INTEGERKEY) {
    std::string bytes(value_bytes, static_cast<char>(key));
    MDB_val mdb_key = {sizeof(key), &key};
    MDB_val mdb_value = {bytes.size(), bytes.data()};
    Must(mdb_put(txn_, Open(table, table_flags), &mdb_key, &mdb_value, 0));
  }

  void Delete(const char* table, u64 key) {
    MDB_val mdb_key = {sizeof(key), &key};
    const int code = mdb_del(txn_, Open(table, MDB_INTEGERKEY), &mdb_key, nullptr);
    if (code != MDB_NOTFOUND) Must(code);
  }

 private:
  MDB_dbi Open(const char* table, unsigned flags) {
    MDB_dbi dbi = 0;
    Must(mdb_dbi_open(txn_, table, MDB_CREATE | flags, &dbi));
    return dbi;
  }

  MDB_txn* txn_;
};

class Database {
 public:
  explicit Database(const std::string& path) {
    Must(mdb_env_create(&env_));
    Must(mdb_env_set_maxdbs(env_, 8));
    Must(mdb_env_set_mapsize(env_, kMapBytes));
    Must(mdb_env_open(env_, path.c_str(), MDB_NOSUBDIR | MDB_NOTLS | MDB_NOSYNC, 0600));
  }
  ~Database() {
    mdb_txn_abort(reader_);
    mdb_env_close(env_);
  }
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  void Commit(const std::function<void(Transaction&)>& body) {
    MDB_txn* txn = nullptr;
    Must(mdb_txn_begin(env_, nullptr, 0, &txn));
    Transaction transaction(txn);
    body(transaction);
    Must(mdb_txn_commit(txn));
  }

  // From here on no page is reused, so the free list grows.
  void PinSnapshot() { Must(mdb_txn_begin(env_, nullptr, MDB_RDONLY, &reader_)); }

  void Copy(const std::string& path, unsigned flags) { Must(mdb_env_copy2(env_, path.c_str(), flags)); }

 private:
  MDB_env* env_ = nullptr;
  MDB_txn* reader_ = nullptr;
};

class TestDirectory {
 public:
  TestDirectory() : path_(testing::TempDir() + "/lmdb_check_XXXXXX") {
    if (mkdtemp(path_.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
  }
  ~TestDirectory() { std::filesystem::remove_all(path_); }
  TestDirectory(const TestDirectory&) = delete;
  TestDirectory& operator=(const TestDirectory&) = delete;

  std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

inline std::string ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

inline void WriteFile(const std::string& path, const std::string& bytes) {
  std::filesystem::remove(path);  // ext4 flushes a file that was truncated and written again
  std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

// Three levels of events, overflow runs, and a free list of several records.
inline std::string BuildSample() {
  const TestDirectory directory;
  const std::string path = directory.file("log.mdb");
  {
    Database database(path);
    database.Commit([](Transaction& txn) {
      for (u64 key = 1; key <= 500; ++key) txn.Put("events", key * 10, key % 8 == 0 ? 48 : 2000);
      for (u64 key = 1; key <= 4; ++key) txn.Put("snapshots", key, 9000 * 8 * key);
    });
    database.PinSnapshot();
    for (u64 commit = 1; commit <= 6; ++commit) {
      database.Commit([&](Transaction& txn) {
        for (u64 key = 1; key <= 6; ++key) txn.Delete("events", (commit * 70 + key) * 10);
        if (commit == 3) txn.Delete("snapshots", 2);
        txn.Put("meta", commit, 24);
      });
    }
  }
  return ReadFile(path);
}

inline const std::string& Sample() {
  static const std::string sample = BuildSample();
  return sample;
}

// ---- Checking

inline absl::StatusOr<LmdbFileSummary> CheckWith(const std::string& path, const LmdbTraits& traits,
                                                 u64 map_bytes = kMapBytes) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  auto summary = CheckLmdbFile(fd, path, map_bytes, traits);
  close(fd);
  return summary;
}

// Any damage is an error, of the free list, too.
inline absl::StatusOr<LmdbFileSummary> Check(const std::string& path, u64 map_bytes = kMapBytes) {
  auto summary = CheckWith(path, {}, map_bytes);
  if (summary.ok() && !summary->free_list.ok()) return summary->free_list;
  return summary;
}

// Reads all rows in both directions, then deletes and writes in all tables.
class LmdbUser {
 public:
  LmdbUser(const std::string& path, const std::vector<LmdbTable>& expected) : expected_(expected) {
    Try(mdb_env_create(&env_));
    Try(mdb_env_set_maxdbs(env_, 64));
    Try(mdb_env_set_mapsize(env_, 4 * kMapBytes));  // room to write, even if the last page is at the end of the map
    Try(mdb_env_open(env_, path.c_str(), MDB_NOSUBDIR | MDB_NOTLS | MDB_NOSYNC, 0600));
  }

  static constexpr int kRefused = 2;
  static constexpr int kRowsHidden = 3;

  void ReadAll() {
    Try(mdb_txn_begin(env_, nullptr, MDB_RDONLY, &txn_));
    for (const LmdbTable& table : expected_) {
      for (const auto& [first, step] : {std::pair(MDB_FIRST, MDB_NEXT), std::pair(MDB_LAST, MDB_PREV)}) {
        if (CountRows(Open(table), first, step) != table.entries) _exit(kRowsHidden);
      }
    }
    mdb_txn_abort(txn_);
  }

  void Write() {
    for (u64 commit = 0; commit < 3; ++commit) {
      Try(mdb_txn_begin(env_, nullptr, 0, &txn_));
      for (const LmdbTable& table : expected_) {
        const MDB_dbi dbi = Open(table);
        for (u64 i = 0; i < 8; ++i) Put(dbi, 7 + commit * 997 + i * 613, i == 5 ? 30000 : 8 * i * i);
        DeleteFirst(dbi, 5);
      }
      Try(mdb_txn_commit(txn_));
    }
  }

 private:
  static void Try(int code) {
    if (code != MDB_SUCCESS) _exit(kRefused);
  }

  MDB_dbi Open(const LmdbTable& table) {
    MDB_dbi dbi = 0;
    Try(mdb_dbi_open(txn_, table.name.c_str(), MDB_INTEGERKEY, &dbi));
    return dbi;
  }

  u64 CountRows(MDB_dbi dbi, MDB_cursor_op first, MDB_cursor_op step) {
    MDB_cursor* cursor = nullptr;
    Try(mdb_cursor_open(txn_, dbi, &cursor));
    u64 rows = 0;
    MDB_val key = {};
    MDB_val value = {};
    int code = mdb_cursor_get(cursor, &key, &value, first);
    for (; code == MDB_SUCCESS; code = mdb_cursor_get(cursor, &key, &value, step)) {
      const auto* bytes = static_cast<const volatile char*>(value.mv_data);
      for (std::size_t i = 0; i < value.mv_size; ++i) static_cast<void>(bytes[i]);
      ++rows;
    }
    if (code != MDB_NOTFOUND) _exit(kRefused);
    mdb_cursor_close(cursor);
    return rows;
  }

  void Put(MDB_dbi dbi, u64 key, std::size_t value_bytes) {
    std::string bytes(value_bytes, 'x');
    MDB_val mdb_key = {sizeof(key), &key};
    MDB_val mdb_value = {bytes.size(), bytes.data()};
    Try(mdb_put(txn_, dbi, &mdb_key, &mdb_value, 0));
  }

  void DeleteFirst(MDB_dbi dbi, int count) {
    MDB_cursor* cursor = nullptr;
    Try(mdb_cursor_open(txn_, dbi, &cursor));
    MDB_val key = {};
    MDB_val value = {};
    for (int i = 0; i < count && mdb_cursor_get(cursor, &key, &value, MDB_FIRST) == MDB_SUCCESS; ++i) {
      Try(mdb_cursor_del(cursor, 0));
    }
    mdb_cursor_close(cursor);
  }

  std::vector<LmdbTable> expected_;
  MDB_env* env_ = nullptr;
  MDB_txn* txn_ = nullptr;
};

// Lets LMDB loose on the file in a child. Returns the wait status: 0 if all went well.
inline int UseInChild(const std::string& path, const std::vector<LmdbTable>& expected, unsigned limit_s) {
  const pid_t child = fork();
  if (child == 0) {
    // A sanitizer would turn the signals into reports. Here they are the result.
    for (const int number : {SIGSEGV, SIGBUS, SIGFPE, SIGABRT, SIGILL, SIGALRM}) std::signal(number, SIG_DFL);
    const rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    const int null = open("/dev/null", O_WRONLY);
    dup2(null, STDERR_FILENO);
    alarm(limit_s);
    LmdbUser user(path, expected);
    user.ReadAll();
    user.Write();
    _exit(0);
  }
  int status = -1;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  std::filesystem::remove(path + "-lock");
  return status;
}

inline bool Crashed(int status) { return WIFSIGNALED(status) && WTERMSIG(status) != SIGALRM; }

}  // namespace foldlog

#endif  // FOLDLOG_TESTS_SUPPORT_LMDB_CHECK_SUPPORT_H_
