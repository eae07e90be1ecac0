// A PostgreSQL of random transactions, all from one seed, for tests: its log, what pgoutput makes of it from any
// position on, and the definitions and rows that its tables have had at any.
//
// Transactions run interleaved, with locks as PostgreSQL has them; each has savepoints that are released or rolled
// back; some are streamed before they commit; some alter tables, between changes of their rows. Two tables have a key,
// one has none (REPLICA IDENTITY FULL). A large value is never sent again by an UPDATE that leaves it as it was.
//
// What the stream says of a table is its definition at that place of the log. What the catalogs show is that of the
// moment (simulated_present.h).
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "model/source_table.h"
#include "postgres/pgoutput.h"
#include "testing/pgoutput_messages.h"
#include "testing/simulated_table.h"

namespace firn::testing {

class SimulatedSource {
 public:
  struct SentMessage {
    Lsn start;           ///< As XLogData has it.
    size_t records = 0;  ///< Of the log: how many are written when it is sent.
    std::string payload;
  };

  /// `ddl`: the share of steps that alter a table.
  SimulatedSource(uint64_t seed, int transactions, double ddl)
      : random_(seed), ddl_share_(ddl), mind_(random_), next_xid_(100) {
    uint32_t oid = kFirstOid;
    for (const char* name : {"orders", "lines", "events"}) {
      const bool has_key = std::string(name) != "events";
      const auto made = std::make_shared<const SourceTable>(SimulatedTables::Make(oid++, name, has_key));
      physical_.push_back({.definition = made});
      committed_.push_back({.definition = made});
      states_.push_back({{.definition = made}});
    }
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
    FindNeeds();
  }

  size_t table_count() const { return committed_.size(); }
  TableOid oid(size_t table) const { return committed_[table].definition->oid; }
  /// Before the first transaction, and behind the last one.
  Lsn start() const { return {kFirstLsn}; }
  Lsn end() const { return PositionAfter(log_.size()); }
  /// Records of the log, and where it ends when that many are written.
  size_t records() const { return log_.size(); }
  Lsn PositionAfter(size_t records) const {
    if (records == 0) return start();
    const Record& last = log_[records - 1];
    return last.kind == RecordKind::kCommit ? last.end : Lsn{last.lsn.value + 8};
  }

  /// A table's definition after the transactions whose commit record lies before `lsn`.
  const SourceTable& DefinitionAt(size_t table, Lsn lsn) const { return *StateAt(table, lsn).definition; }
  /// Its rows then, as they look under a definition that may be an earlier or a later one.
  SourceRows RowsAt(size_t table, Lsn lsn, const SourceTable& definition) const {
    return RowsOf(definition, StateAt(table, lsn).rows);
  }
  /// The first position with all that the stream says of the table's rows before `lsn`. Between the two they may have
  /// been rewritten without a word.
  Lsn StreamedAt(size_t table, Lsn lsn) const {
    const State* state = &StateAt(table, lsn);
    while (!state->is_streamed && state != &states_[table].front()) --state;
    return {state->commit_lsn.value + 1};
  }
  /// Whether its rows look as the stream told them to one who knows the definition that was before.
  bool IsToldAt(size_t table, Lsn lsn) const { return !StateAt(table, lsn).is_converted; }
  struct Defined {
    Definition table;
    Lsn since;  ///< Behind its commit record.
  };
  /// The definition, of all that the table has had, that has these rows of pg_attribute.
  std::optional<Defined> FindDefinition(size_t table,
                                        const std::function<bool(const std::vector<AttributeVersion>&)>& is_it) const {
    for (const State& state : states_[table]) {
      if (is_it(state.definition->version.attributes)) return Defined{state.definition, {state.commit_lsn.value + 1}};
    }
    return std::nullopt;
  }

  /// Of a transaction that has committed.
  std::optional<Lsn> CommitOf(postgres::Xid xid) const {
    const auto found = commits_.find(xid);
    return found == commits_.end() ? std::nullopt : std::optional(found->second);
  }
  /// Once that many records are written, commits before it are visible: one that altered a table has let go of it.
  Lsn VisibleBy(size_t records) const {
    Lsn visible;
    for (const Need& need : needs_) {
      if (need.records <= records) visible = std::max(visible, Lsn{need.commit_lsn.value + 1});
    }
    return visible;
  }

  /// What a walsender sends to one who has acknowledged everything before `confirmed`.
  std::vector<SentMessage> MessagesFrom(Lsn confirmed) const { return Decoder(*this, confirmed).Decode(); }

 private:
  static constexpr uint64_t kFirstLsn = 0x1000;
  static constexpr uint32_t kFirstOid = 16400;

  enum class RecordKind : uint8_t { kChange, kAltered, kStreamed, kSubAbort, kAbort, kCommit };
  struct Record {
    RecordKind kind = RecordKind::kChange;
    postgres::Xid xid = 0;
    postgres::Xid subtransaction = 0;
    Lsn lsn;
    Lsn end;                         ///< kCommit: just behind it.
    std::vector<Definition> tables;  ///< kChange: as they are; kAltered: from then on.
    std::string message;             ///< kChange.
  };
  struct Undo {
    size_t table = 0;
    uint64_t row = 0;
    std::optional<SourceRow> before;
    Definition definition = {};  ///< Set: that was before, and not a row.
  };
  struct Subtransaction {
    std::vector<postgres::Xid> xids;  ///< Its own, and those of released ones inside of it.
    std::vector<Undo> undo;
    std::set<size_t> streamed;  ///< Tables of whose rows the stream tells.
  };
  struct Transaction {
    postgres::Xid xid = 0;
    std::vector<Subtransaction> stack;  ///< The transaction itself, then its open savepoints.
    std::set<size_t> tables;
    std::set<size_t> converted;
    std::set<std::pair<size_t, uint64_t>> touched;
  };
  struct Table {
    Definition definition;
    SourceHeap rows;
  };
  struct State {
    Lsn commit_lsn = {};
    Definition definition;
    SourceHeap rows = {};
    bool is_streamed = true;
    bool is_converted = false;  ///< By a statement of the transaction that changed values.
  };
  struct Need {
    Lsn commit_lsn;
    size_t records = 0;
  };

  bool Chance(double probability) { return std::bernoulli_distribution(probability)(random_); }
  size_t Pick(size_t count) { return std::uniform_int_distribution<size_t>(0, count - 1)(random_); }
  Lsn NextLsn() { return {lsn_ += 8 * (1 + Pick(10))}; }
  const SourceTable& DefinitionOf(size_t table) const { return *physical_[table].definition; }
  SourceHeap& HeapOf(size_t table) { return physical_[table].rows; }
  /// The last one that was committed before `lsn`.
  const State& StateAt(size_t table, Lsn lsn) const {
    const auto next = std::ranges::lower_bound(states_[table], lsn, {}, &State::commit_lsn);
    return next == states_[table].begin() ? *next : *std::prev(next);
  }

  // --- Transactions ---

  void Step(size_t number) {
    Transaction& transaction = open_[number];
    if (ddl_share_ > 0 && Chance(ddl_share_)) return Alter(transaction);
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
    outer.streamed.merge(inner.streamed);
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
      if (step->definition) {
        physical_[step->table].definition = step->definition;
      } else if (step->before) {
        HeapOf(step->table)[step->row] = *step->before;
      } else {
        HeapOf(step->table).erase(step->row);
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
      const auto now = HeapOf(table).find(row);
      if (now == HeapOf(table).end()) {
        committed_[table].rows.erase(row);
      } else {
        committed_[table].rows[row] = now->second;
      }
    }
    while (transaction.stack.size() > 1) Release(transaction);
    for (const size_t table : transaction.tables) {
      // Nobody else can have altered it: it would have waited.
      committed_[table].definition = physical_[table].definition;
      states_[table].push_back({.commit_lsn = lsn,
                                .definition = committed_[table].definition,
                                .rows = committed_[table].rows,
                                .is_streamed = transaction.stack.front().streamed.contains(table),
                                .is_converted = transaction.converted.contains(table)});
    }
    commits_.emplace(transaction.xid, lsn);
    End(number);
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
    const size_t table = Pick(table_count());
    if (!MayLock(table_locks_, table, transaction.xid)) return;
    const size_t dice = Pick(100);
    if (dice < 2) return Truncate(transaction, table);
    if (dice < 45 || HeapOf(table).empty()) return Insert(transaction, table);
    const auto row = std::next(HeapOf(table).begin(), static_cast<std::ptrdiff_t>(Pick(HeapOf(table).size())));
    if (!MayLock(row_locks_, {table, row->first}, transaction.xid)) return;
    if (dice < 80) return Update(transaction, table, row->first);
    const SourceRow old = row->second;
    Set(transaction, table, row->first, std::nullopt);
    const SourceTable& now = DefinitionOf(table);
    Log(transaction, {table},
        HasKey(now) ? pgoutput::Delete(now.oid.value, 'K', KeyOf(now, old))
                    : pgoutput::Delete(now.oid.value, 'O', Whole(now, old)));
  }

  /// A value that the transaction may give to a row's key.
  std::optional<std::string> FreeKey(const Transaction& transaction, size_t table) {
    const SourceColumn& column = KeyColumn(table);
    const std::optional<std::string> key = mind_.NewValue(DefinitionOf(table), column);
    if (!MayLock(key_locks_, {table, *key}, transaction.xid)) return std::nullopt;
    const bool is_taken =
        std::ranges::any_of(HeapOf(table), [&](const auto& row) { return row.second.at(column.attnum) == key; });
    return is_taken ? std::nullopt : key;
  }
  const SourceColumn& KeyColumn(size_t table) const {
    const SourceTable& now = DefinitionOf(table);
    return now.columns[static_cast<size_t>(now.key_columns[0])];
  }

  void Insert(Transaction& transaction, size_t table) {
    const SourceTable& now = DefinitionOf(table);
    SourceRow row;
    for (const SourceColumn& column : now.columns) {
      const bool is_key = IsKey(now, column);
      row[column.attnum] = is_key ? FreeKey(transaction, table) : mind_.NewValue(now, column);
      if (is_key && !row[column.attnum]) return;
    }
    Set(transaction, table, next_row_++, row);
    Log(transaction, {table}, pgoutput::Insert(now.oid.value, Whole(now, row)));
  }

  void Update(Transaction& transaction, size_t table, uint64_t number) {
    const SourceTable& now = DefinitionOf(table);
    const SourceRow old = HeapOf(table).at(number);
    SourceRow row = old;
    pgoutput::Row sent;
    bool has_other_key = false;
    for (const SourceColumn& column : now.columns) {
      const std::optional<std::string> before = CellOf(column, old);
      std::optional<std::string>& value = row[column.attnum] = before;
      if (!IsKey(now, column) && Chance(0.5)) value = mind_.NewValue(now, column);
      if (IsKey(now, column) && Chance(0.15)) value = FreeKey(transaction, table).value_or(*before);
      has_other_key = has_other_key || (IsKey(now, column) && value != before);
      sent.push_back(value == before && IsToasted(value) ? pgoutput::Cell{.letter = 'u'} : CellTo(value));
    }
    Set(transaction, table, number, row);
    std::string message = pgoutput::Update(now.oid.value, sent);
    if (!HasKey(now)) message = pgoutput::Update(now.oid.value, 'O', Whole(now, old), sent);
    if (has_other_key) message = pgoutput::Update(now.oid.value, 'K', KeyOf(now, old), sent);
    Log(transaction, {table}, std::move(message));
  }

  /// No other transaction has used the table, as far as it is open.
  bool MayLockWhole(const Transaction& transaction, size_t table) const {
    return MayLock(table_locks_, table, transaction.xid) && std::ranges::none_of(open_, [&](const Transaction& other) {
             return other.xid != transaction.xid && other.tables.contains(table);
           });
  }

  /// Of this table, and now and then of all.
  void Truncate(Transaction& transaction, size_t table) {
    std::vector<size_t> truncated{table};
    if (Chance(0.3)) truncated = {0, 1, 2};
    for (const size_t one : truncated) {
      if (!MayLockWhole(transaction, one)) return;
    }
    std::vector<uint32_t> oids;
    for (const size_t one : truncated) {
      table_locks_[one] = transaction.xid;
      SourceTable now = DefinitionOf(one);
      mind_.NewFile(now);
      Redefine(transaction, one, std::move(now));
      std::vector<uint64_t> rows;
      for (const auto& [number, row] : HeapOf(one)) rows.push_back(number);
      for (const uint64_t number : rows) Set(transaction, one, number, std::nullopt);
      oids.push_back(oid(one).value);
    }
    Log(transaction, truncated, pgoutput::Truncate(oids));
  }

  /// Some statements on a table.
  void Alter(Transaction& transaction) {
    const size_t table = Pick(table_count());
    if (!MayLockWhole(transaction, table)) return;
    do {
      const Definition earlier = physical_[table].definition;
      SourceTable now = *earlier;
      SourceHeap rows = HeapOf(table);
      const auto is_free = [&](const std::string& name) { return IsFree(transaction, name); };
      if (!mind_.Alter(now, rows, transaction.stack.back().xids.front(), is_free)) continue;
      table_locks_[table] = transaction.xid;
      Redefine(transaction, table, std::move(now));
      for (const auto& [number, row] : rows) {
        const SourceRow before = HeapOf(table).at(number);
        if (before == row) continue;
        const auto is_converted = [&](const SourceColumn& column) {
          return CellOf(column, before) != CellOf(column, row);
        };
        if (std::ranges::any_of(earlier->columns, is_converted)) transaction.converted.insert(table);
        Set(transaction, table, number, row);
      }
    } while (Chance(0.4));
  }

  /// A name that a table has, or will have again if another transaction rolls back, is not.
  bool IsFree(const Transaction& transaction, const std::string& name) const {
    for (size_t table = 0; table < table_count(); ++table) {
      const auto lock = table_locks_.find(table);
      const bool is_its_own = lock != table_locks_.end() && lock->second == transaction.xid;
      if (DefinitionOf(table).name.name == name) return false;
      if (!is_its_own && committed_[table].definition->name.name == name) return false;
    }
    return true;
  }

  void Redefine(Transaction& transaction, size_t table, SourceTable now) {
    transaction.tables.insert(table);
    transaction.stack.back().undo.push_back({.table = table, .definition = physical_[table].definition});
    physical_[table].definition = std::make_shared<const SourceTable>(std::move(now));
    log_.push_back({.kind = RecordKind::kAltered,
                    .xid = transaction.xid,
                    .subtransaction = transaction.stack.back().xids.front(),
                    .lsn = NextLsn(),
                    .tables = {physical_[table].definition}});
  }

  void Set(Transaction& transaction, size_t table, uint64_t number, std::optional<SourceRow> row) {
    SourceHeap& heap = HeapOf(table);
    const auto old = heap.find(number);
    transaction.stack.back().undo.push_back(
        {table, number, old == heap.end() ? std::nullopt : std::optional(old->second)});
    transaction.touched.insert({table, number});
    row_locks_[{table, number}] = transaction.xid;
    if (HasKey(DefinitionOf(table))) {
      const int16_t key = KeyColumn(table).attnum;
      if (old != heap.end()) key_locks_[{table, *old->second.at(key)}] = transaction.xid;
      if (row) key_locks_[{table, *row->at(key)}] = transaction.xid;
    }
    if (row) {
      heap[number] = *std::move(row);
    } else {
      heap.erase(number);
    }
  }

  void Log(Transaction& transaction, const std::vector<size_t>& tables, std::string message) {
    transaction.tables.insert(tables.begin(), tables.end());
    transaction.stack.back().streamed.insert(tables.begin(), tables.end());
    std::vector<Definition> definitions;
    for (const size_t table : tables) definitions.push_back(physical_[table].definition);
    log_.push_back({.kind = RecordKind::kChange,
                    .xid = transaction.xid,
                    .subtransaction = transaction.stack.back().xids.front(),
                    .lsn = NextLsn(),
                    .tables = std::move(definitions),
                    .message = std::move(message)});
  }

  static pgoutput::Cell CellTo(const std::optional<std::string>& value) {
    return value ? pgoutput::Cell{'t', *value} : pgoutput::Cell{'n'};
  }
  static pgoutput::Row Whole(const SourceTable& table, const SourceRow& row) {
    pgoutput::Row cells;
    for (const SourceColumn& column : table.columns) cells.push_back(CellTo(CellOf(column, row)));
    return cells;
  }
  static pgoutput::Row KeyOf(const SourceTable& table, const SourceRow& row) {
    pgoutput::Row cells;
    for (const SourceColumn& column : table.columns) {
      cells.push_back(IsKey(table, column) ? CellTo(CellOf(column, row)) : pgoutput::Cell{'n'});
    }
    return cells;
  }

  /// Who uses a table next waits until the transaction that altered it is visible.
  void FindNeeds() {
    std::map<postgres::Xid, std::set<TableOid>> altered;
    for (size_t i = 0; i < log_.size(); ++i) {
      const Record& record = log_[i];
      if (record.kind == RecordKind::kAltered) altered[record.xid].insert(record.tables[0]->oid);
      if (record.kind != RecordKind::kCommit || !altered.contains(record.xid)) continue;
      for (size_t later = i + 1; later < log_.size(); ++later) {
        const bool uses_it = std::ranges::any_of(
            log_[later].tables, [&](const Definition& table) { return altered[record.xid].contains(table->oid); });
        if (!uses_it) continue;
        needs_.push_back({record.lsn, later + 1});
        break;
      }
    }
  }

  // --- The log as pgoutput sends it ---

  /// When pgoutput describes a table: before its first change, and again once it has heard that the table was altered,
  /// which it does at the statement's place in its transaction, and for all others at the transaction's end.
  class Decoder {
   public:
    Decoder(const SimulatedSource& source, Lsn confirmed) : source_(source), confirmed_(confirmed) {}

    std::vector<SentMessage> Decode() && {
      for (const Record& record : source_.log_) {
        ++records_;
        Pending& pending = pending_[record.xid];
        switch (record.kind) {
          case RecordKind::kChange:
          case RecordKind::kAltered:
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
              pending.described.clear();
              Invalidate(pending);
            }
            break;
          case RecordKind::kAbort:
            if (!pending.streamed.empty()) Send(record.lsn, pgoutput::StreamAbort(record.xid, record.xid));
            Invalidate(pending);
            pending_.erase(record.xid);
            break;
          case RecordKind::kCommit:
            if (record.lsn >= confirmed_) Commit(record, pending);
            Invalidate(pending);
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
      std::set<TableOid> described;        ///< In its stream blocks.
      std::set<TableOid> altered;          ///< As far as it was decoded.
    };

    void Send(Lsn start, std::string payload) { sent_.push_back({start, records_, std::move(payload)}); }

    void Stream(postgres::Xid xid, Pending& pending) {
      if (pending.changes.empty()) return;
      Send(pending.changes.front()->lsn, pgoutput::StreamStart(xid, pending.streamed.empty()));
      for (const Record* change : pending.changes) {
        pending.streamed.insert(change->subtransaction);
        if (Hears(*change, pending)) continue;
        for (const Definition& table : change->tables) {
          if (!pending.described.insert(table->oid).second) continue;
          Send(change->lsn, pgoutput::InStream(Describe(*table), change->subtransaction));
        }
        Send(change->lsn, pgoutput::InStream(change->message, change->subtransaction));
      }
      pending.streamed.insert(xid);
      Send(pending.changes.back()->lsn, pgoutput::StreamStop());
      pending.changes.clear();
    }

    void Commit(const Record& commit, Pending& pending) {
      if (!pending.streamed.empty()) {
        Stream(commit.xid, pending);
        described_.insert(pending.described.begin(), pending.described.end());
        return Send(commit.end, pgoutput::StreamCommit(commit.xid, commit.lsn.value, commit.end.value));
      }
      bool has_begun = false;
      for (const Record* change : pending.changes) {
        if (Hears(*change, pending)) continue;
        if (!has_begun) Send(change->lsn, pgoutput::Begin(commit.lsn.value, commit.xid));
        has_begun = true;
        for (const Definition& table : change->tables) {
          if (described_.insert(table->oid).second) Send(change->lsn, Describe(*table));
        }
        Send(change->lsn, change->message);
      }
      if (has_begun) Send(commit.end, pgoutput::Commit(commit.lsn.value, commit.end.value));
    }

    /// Whether it is no change, but what says that a table is another from here on.
    bool Hears(const Record& record, Pending& pending) {
      if (record.kind != RecordKind::kAltered) return false;
      pending.altered.insert(record.tables[0]->oid);
      Invalidate(pending);
      return true;
    }

    void Invalidate(const Pending& by) {
      for (const TableOid table : by.altered) {
        described_.erase(table);
        for (auto& [xid, pending] : pending_) pending.described.erase(table);
      }
    }

    static std::string Describe(const SourceTable& table) {
      std::vector<pgoutput::Column> columns;
      for (const SourceColumn& column : table.columns) {
        columns.push_back({.name = column.name,
                           .type_oid = column.declared_type_oid,
                           .is_key = !HasKey(table) || IsKey(table, column)});
      }
      return pgoutput::Relation(table.oid.value, table.name.schema, table.name.name,
                                static_cast<char>(table.replica_identity), columns);
    }

    const SimulatedSource& source_;
    const Lsn confirmed_;
    std::map<postgres::Xid, Pending> pending_;
    std::set<TableOid> described_;
    std::vector<SentMessage> sent_;
    size_t records_ = 0;
  };

  std::mt19937_64 random_;
  const double ddl_share_;
  SimulatedTables mind_;
  std::vector<Record> log_;
  std::vector<std::vector<State>> states_;  ///< Of each table, by commit_lsn; the first before all commits.
  std::vector<Table> physical_;
  std::vector<Table> committed_;
  std::map<postgres::Xid, Lsn> commits_;
  std::vector<Need> needs_;
  std::vector<Transaction> open_;
  std::map<std::pair<size_t, uint64_t>, postgres::Xid> row_locks_;
  std::map<std::pair<size_t, std::string>, postgres::Xid> key_locks_;
  std::map<size_t, postgres::Xid> table_locks_;
  uint64_t lsn_ = kFirstLsn;
  uint64_t next_row_ = 0;
  postgres::Xid next_xid_;
};

}  // namespace firn::testing
