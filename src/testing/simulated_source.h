// A PostgreSQL of random transactions, all from one seed, for tests: its log, what pgoutput makes of it from any
// position on, and the rows that its tables have had at any.
//
// Transactions run interleaved, with locks as PostgreSQL has them; each has savepoints that are released or rolled
// back; some are streamed before they commit. Two tables have a key, one has none (REPLICA IDENTITY FULL). A value in
// the column `large` is never sent again by an UPDATE that leaves it as it was.
#pragma once

#include <algorithm>
#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "model/source_table.h"
#include "postgres/pgoutput.h"
#include "testing/pgoutput_messages.h"

namespace firn::testing {

struct SourceRow {
  int key = 0;
  std::string value;
  std::optional<std::string> large;
  auto operator<=>(const SourceRow&) const = default;
};
using SourceRows = std::multiset<SourceRow>;

class SimulatedSource {
 public:
  struct SentMessage {
    Lsn start;  ///< As XLogData has it.
    std::string payload;
  };

  SimulatedSource(uint64_t seed, int transactions) : random_(seed) {
    tables_ = {MakeTable(0, "orders", true), MakeTable(1, "lines", true), MakeTable(2, "events", false)};
    physical_.resize(tables_.size());
    committed_.resize(tables_.size());
    KeepState(Lsn{});
    int started = 0;
    while (started < transactions || !open_.empty()) {
      const bool may_start = started < transactions && open_.size() < 3;
      if (may_start && (open_.empty() || Chance(0.1))) {
        const postgres::Xid xid = next_xid_++;
        open_.push_back({.xid = xid, .stack = {{.xids = {xid}}}});
        ++started;
      } else {
        Step(Pick(open_.size()));
      }
    }
  }

  const std::vector<SourceTable>& tables() const { return tables_; }
  /// Before the first transaction, and behind the last one.
  Lsn start() const { return {kFirstLsn}; }
  Lsn end() const { return {lsn_}; }

  /// The rows of tables()[table] after the transactions whose commit record lies before `lsn`.
  const SourceRows& RowsAt(size_t table, Lsn lsn) const {
    auto state = std::ranges::lower_bound(states_, lsn, {}, &State::commit_lsn);
    return std::prev(state)->rows[table];
  }

  /// What a walsender sends to one who has acknowledged everything before `confirmed`.
  std::vector<SentMessage> MessagesFrom(Lsn confirmed) const { return Decoder(*this, confirmed).Decode(); }

 private:
  static constexpr uint64_t kFirstLsn = 0x1000;
  static constexpr uint32_t kFirstOid = 16400;
  static constexpr TypeOid kInt4 = 23, kText = 25;

  enum class RecordKind : uint8_t { kChange, kStreamed, kSubAbort, kAbort, kCommit };
  struct Record {
    RecordKind kind = RecordKind::kChange;
    postgres::Xid xid = 0;
    postgres::Xid subtransaction = 0;
    Lsn lsn;
    Lsn end;                     ///< kCommit: just behind it.
    std::vector<size_t> tables;  ///< kChange.
    std::string message;         ///< kChange.
  };
  struct Undo {
    size_t table = 0;
    uint64_t row = 0;
    std::optional<SourceRow> before;
  };
  struct Subtransaction {
    std::vector<postgres::Xid> xids;  ///< Its own, and those of released ones inside of it.
    std::vector<Undo> undo;
  };
  struct Transaction {
    postgres::Xid xid = 0;
    std::vector<Subtransaction> stack;  ///< The transaction itself, then its open savepoints.
    std::set<size_t> tables;
    std::set<std::pair<size_t, uint64_t>> touched;
  };
  using Heap = std::map<uint64_t, SourceRow>;  ///< By a number that stands for the row, whatever its key.
  struct State {
    Lsn commit_lsn;
    std::vector<SourceRows> rows;
  };

  static SourceTable MakeTable(uint32_t number, const std::string& name, bool has_key) {
    SourceTable table{.oid = {kFirstOid + number}, .name = {"public", name}};
    const auto add = [&table](const std::string& column, TypeOid type) {
      const auto attnum = static_cast<int16_t>(table.columns.size() + 1);
      table.columns.push_back({.attnum = attnum,
                               .name = column,
                               .type_oid = type,
                               .type_name = "its type",
                               .not_null = attnum == 1,
                               .declared_type_oid = type});
      table.version.attributes.push_back({.attnum = attnum, .xmin = 700});
    };
    add("id", kInt4);
    add("value", kText);
    add("large", kText);
    table.version.heaps = {{.oid = table.oid, .file = 1}};
    table.version.fingerprint = name;
    table.version.read_at = {1};
    if (has_key) table.key_columns = {0};
    if (!has_key) table.replica_identity = ReplicaIdentity::kFull;
    return table;
  }

  bool Chance(double probability) { return std::bernoulli_distribution(probability)(random_); }
  size_t Pick(size_t count) { return std::uniform_int_distribution<size_t>(0, count - 1)(random_); }
  Lsn NextLsn() { return {lsn_ += 8 * (1 + Pick(10))}; }
  bool HasKey(size_t table) const { return !tables_[table].key_columns.empty(); }

  // --- Transactions ---

  void Step(size_t number) {
    Transaction& transaction = open_[number];
    const size_t dice = Pick(100);
    if (dice < 66) {
      Change(transaction);
    } else if (dice < 72) {
      transaction.stack.push_back({.xids = {next_xid_++}});
    } else if (dice < 80) {
      if (transaction.stack.size() > 1) Chance(0.5) ? Release(transaction) : RollBack(transaction);
    } else if (dice < 87) {
      log_.push_back({.kind = RecordKind::kStreamed, .xid = transaction.xid, .lsn = NextLsn()});
    } else if (dice < 90) {
      Abort(number);
    } else {
      Commit(number);
    }
  }

  static void Release(Transaction& transaction) {
    Subtransaction inner = std::move(transaction.stack.back());
    transaction.stack.pop_back();
    Subtransaction& outer = transaction.stack.back();
    std::ranges::move(inner.xids, std::back_inserter(outer.xids));
    std::ranges::move(inner.undo, std::back_inserter(outer.undo));
  }

  void RollBack(Transaction& transaction) {
    const Subtransaction inner = std::move(transaction.stack.back());
    transaction.stack.pop_back();
    Restore(inner.undo);
    for (auto xid = inner.xids.rbegin(); xid != inner.xids.rend(); ++xid) {
      log_.push_back({.kind = RecordKind::kSubAbort, .xid = transaction.xid, .subtransaction = *xid, .lsn = NextLsn()});
    }
  }

  void Restore(const std::vector<Undo>& undo) {
    for (auto step = undo.rbegin(); step != undo.rend(); ++step) {
      if (step->before) {
        physical_[step->table][step->row] = *step->before;
      } else {
        physical_[step->table].erase(step->row);
      }
    }
  }

  void Abort(size_t number) {
    Transaction& transaction = open_[number];
    for (auto part = transaction.stack.rbegin(); part != transaction.stack.rend(); ++part) Restore(part->undo);
    log_.push_back({.kind = RecordKind::kAbort, .xid = transaction.xid, .lsn = NextLsn()});
    End(number);
  }

  void Commit(size_t number) {
    Transaction& transaction = open_[number];
    const Lsn lsn = NextLsn();
    log_.push_back({.kind = RecordKind::kCommit, .xid = transaction.xid, .lsn = lsn, .end = NextLsn()});
    for (const auto& [table, row] : transaction.touched) {
      const auto now = physical_[table].find(row);
      if (now == physical_[table].end()) {
        committed_[table].erase(row);
      } else {
        committed_[table][row] = now->second;
      }
    }
    KeepState(lsn);
    End(number);
  }

  void KeepState(Lsn lsn) {
    State state{.commit_lsn = lsn};
    for (const Heap& heap : committed_) {
      SourceRows& rows = state.rows.emplace_back();
      for (const auto& [number, row] : heap) rows.insert(row);
    }
    states_.push_back(std::move(state));
  }

  void End(size_t number) {
    const postgres::Xid xid = open_[number].xid;
    const auto is_its = [xid](const auto& lock) { return lock.second == xid; };
    std::erase_if(row_locks_, is_its);
    std::erase_if(key_locks_, is_its);
    std::erase_if(table_locks_, is_its);
    open_.erase(open_.begin() + static_cast<std::ptrdiff_t>(number));
  }

  // --- Changes ---

  template <typename Key>
  static bool MayLock(const std::map<Key, postgres::Xid>& locks, const Key& key, postgres::Xid xid) {
    const auto lock = locks.find(key);
    return lock == locks.end() || lock->second == xid;
  }

  void Change(Transaction& transaction) {
    const size_t table = Pick(tables_.size());
    if (!MayLock(table_locks_, table, transaction.xid)) return;
    const size_t dice = Pick(100);
    if (dice < 2) return Truncate(transaction, table);
    if (dice < 45 || physical_[table].empty()) return Insert(transaction, table);
    const auto row = std::next(physical_[table].begin(), static_cast<std::ptrdiff_t>(Pick(physical_[table].size())));
    if (!MayLock(row_locks_, {table, row->first}, transaction.xid)) return;
    if (dice < 80) return Update(transaction, table, row->first);
    const SourceRow old = row->second;
    Set(transaction, table, row->first, std::nullopt);
    Log(transaction, {table},
        HasKey(table) ? pgoutput::Delete(OidOf(table), 'K', KeyOf(old))
                      : pgoutput::Delete(OidOf(table), 'O', Whole(old)));
  }

  /// A key that the transaction may give to a row.
  std::optional<int> FreeKey(const Transaction& transaction, size_t table) {
    if (!HasKey(table)) return static_cast<int>(Pick(5));
    const auto key = static_cast<int>(Pick(40));
    if (!MayLock(key_locks_, {table, key}, transaction.xid)) return std::nullopt;
    const bool is_taken = std::ranges::any_of(physical_[table], [&](const auto& row) { return row.second.key == key; });
    return is_taken ? std::nullopt : std::optional(key);
  }

  std::string NewValue() { return "v" + std::to_string(++values_); }
  std::optional<std::string> NewLarge() {
    if (Chance(0.5)) return std::nullopt;
    return "large " + std::to_string(++values_) + std::string(Pick(200), 'x');
  }

  void Insert(Transaction& transaction, size_t table) {
    const auto key = FreeKey(transaction, table);
    if (!key) return;
    const SourceRow row{.key = *key, .value = HasKey(table) || Chance(0.7) ? NewValue() : "same", .large = NewLarge()};
    Set(transaction, table, next_row_++, row);
    Log(transaction, {table}, pgoutput::Insert(OidOf(table), Whole(row)));
  }

  void Update(Transaction& transaction, size_t table, uint64_t number) {
    const SourceRow old = physical_[table].at(number);
    SourceRow row = old;
    row.value = NewValue();
    const bool keeps_large = Chance(0.6);
    if (!keeps_large) row.large = NewLarge();
    if (Chance(0.15)) row.key = FreeKey(transaction, table).value_or(row.key);
    Set(transaction, table, number, row);
    pgoutput::Row sent = Whole(row);
    if (keeps_large && row.large) sent.back() = {.letter = 'u'};
    std::string message = pgoutput::Update(OidOf(table), sent);
    if (!HasKey(table)) message = pgoutput::Update(OidOf(table), 'O', Whole(old), sent);
    if (HasKey(table) && row.key != old.key) message = pgoutput::Update(OidOf(table), 'K', KeyOf(old), sent);
    Log(transaction, {table}, std::move(message));
  }

  /// Of this table, and now and then of all.
  void Truncate(Transaction& transaction, size_t table) {
    std::vector<size_t> truncated{table};
    if (Chance(0.3)) truncated = {0, 1, 2};
    for (const size_t one : truncated) {
      const bool is_used = std::ranges::any_of(
          open_, [&](const Transaction& other) { return other.xid != transaction.xid && other.tables.contains(one); });
      if (is_used) return;
    }
    for (const size_t one : truncated) {
      table_locks_[one] = transaction.xid;
      std::vector<uint64_t> rows;
      for (const auto& [number, row] : physical_[one]) rows.push_back(number);
      for (const uint64_t number : rows) Set(transaction, one, number, std::nullopt);
    }
    std::vector<uint32_t> oids;
    for (const size_t one : truncated) oids.push_back(OidOf(one));
    Log(transaction, truncated, pgoutput::Truncate(oids));
  }

  void Set(Transaction& transaction, size_t table, uint64_t number, std::optional<SourceRow> row) {
    Heap& heap = physical_[table];
    const auto old = heap.find(number);
    transaction.stack.back().undo.push_back(
        {table, number, old == heap.end() ? std::nullopt : std::optional(old->second)});
    transaction.touched.insert({table, number});
    row_locks_[{table, number}] = transaction.xid;
    if (HasKey(table)) {
      if (old != heap.end()) key_locks_[{table, old->second.key}] = transaction.xid;
      if (row) key_locks_[{table, row->key}] = transaction.xid;
    }
    if (row) {
      heap[number] = *std::move(row);
    } else {
      heap.erase(number);
    }
  }

  void Log(Transaction& transaction, std::vector<size_t> tables, std::string message) {
    transaction.tables.insert(tables.begin(), tables.end());
    log_.push_back({.kind = RecordKind::kChange,
                    .xid = transaction.xid,
                    .subtransaction = transaction.stack.back().xids.front(),
                    .lsn = NextLsn(),
                    .tables = std::move(tables),
                    .message = std::move(message)});
  }

  uint32_t OidOf(size_t table) const { return tables_[table].oid.value; }
  static pgoutput::Row Whole(const SourceRow& row) {
    pgoutput::Row cells{{'t', std::to_string(row.key)}, {'t', row.value}, {'n'}};
    if (row.large) cells.back() = {'t', *row.large};
    return cells;
  }
  static pgoutput::Row KeyOf(const SourceRow& row) { return {{'t', std::to_string(row.key)}, {'n'}, {'n'}}; }

  // --- The log as pgoutput sends it ---

  class Decoder {
   public:
    Decoder(const SimulatedSource& source, Lsn confirmed) : source_(source), confirmed_(confirmed) {}

    std::vector<SentMessage> Decode() && {
      for (const Record& record : source_.log_) {
        Pending& pending = pending_[record.xid];
        switch (record.kind) {
          case RecordKind::kChange:
            pending.changes.push_back(&record);
            break;
          case RecordKind::kStreamed:
            if (record.lsn >= confirmed_) Stream(record.xid, pending);
            break;
          case RecordKind::kSubAbort:
            std::erase_if(pending.changes,
                          [&](const Record* change) { return change->subtransaction == record.subtransaction; });
            if (pending.streamed.contains(record.subtransaction)) {
              Send(record.lsn, pgoutput::StreamAbort(record.xid, record.subtransaction));
            }
            break;
          case RecordKind::kAbort:
            if (!pending.streamed.empty()) Send(record.lsn, pgoutput::StreamAbort(record.xid, record.xid));
            pending_.erase(record.xid);
            break;
          case RecordKind::kCommit:
            if (record.lsn >= confirmed_) Commit(record, pending);
            pending_.erase(record.xid);
            break;
        }
      }
      return std::move(sent_);
    }

   private:
    struct Pending {
      std::vector<const Record*> changes;  ///< Not sent.
      std::set<postgres::Xid> streamed;    ///< (Sub)transactions with changes that were.
      std::set<size_t> described;          ///< Tables, in its stream blocks.
    };

    void Send(Lsn start, std::string payload) { sent_.push_back({start, std::move(payload)}); }

    void Stream(postgres::Xid xid, Pending& pending) {
      if (pending.changes.empty()) return;
      Send(pending.changes.front()->lsn, pgoutput::StreamStart(xid, pending.streamed.empty()));
      for (const Record* change : pending.changes) {
        for (const size_t table : change->tables) {
          if (!pending.described.insert(table).second) continue;
          Send(change->lsn, pgoutput::InStream(Describe(table), change->subtransaction));
        }
        Send(change->lsn, pgoutput::InStream(change->message, change->subtransaction));
        pending.streamed.insert(change->subtransaction);
      }
      pending.streamed.insert(xid);
      Send(pending.changes.back()->lsn, pgoutput::StreamStop());
      pending.changes.clear();
    }

    void Commit(const Record& commit, Pending& pending) {
      if (!pending.streamed.empty()) {
        Stream(commit.xid, pending);
        return Send(commit.end, pgoutput::StreamCommit(commit.xid, commit.lsn.value, commit.end.value));
      }
      if (pending.changes.empty()) return;
      Send(pending.changes.front()->lsn, pgoutput::Begin(commit.lsn.value, commit.xid));
      for (const Record* change : pending.changes) {
        for (const size_t table : change->tables) {
          if (described_.insert(table).second) Send(change->lsn, Describe(table));
        }
        Send(change->lsn, change->message);
      }
      Send(commit.end, pgoutput::Commit(commit.lsn.value, commit.end.value));
    }

    std::string Describe(size_t number) const {
      const SourceTable& table = source_.tables_[number];
      const bool has_key = source_.HasKey(number);
      std::vector<pgoutput::Column> columns;
      for (const SourceColumn& column : table.columns) {
        columns.push_back({.name = column.name, .type_oid = column.type_oid, .is_key = !has_key || column.attnum == 1});
      }
      return pgoutput::Relation(table.oid.value, table.name.schema, table.name.name,
                                static_cast<char>(table.replica_identity), columns);
    }

    const SimulatedSource& source_;
    const Lsn confirmed_;
    std::map<postgres::Xid, Pending> pending_;
    std::set<size_t> described_;
    std::vector<SentMessage> sent_;
  };

  std::mt19937_64 random_;
  std::vector<SourceTable> tables_;
  std::vector<Record> log_;
  std::vector<State> states_;  ///< By commit_lsn; the first before all commits.
  std::vector<Heap> physical_;
  std::vector<Heap> committed_;
  std::vector<Transaction> open_;
  std::map<std::pair<size_t, uint64_t>, postgres::Xid> row_locks_;
  std::map<std::pair<size_t, int>, postgres::Xid> key_locks_;
  std::map<size_t, postgres::Xid> table_locks_;
  uint64_t lsn_ = kFirstLsn;
  uint64_t next_row_ = 0;
  postgres::Xid next_xid_ = 100;
  int64_t values_ = 0;
};

}  // namespace firn::testing
