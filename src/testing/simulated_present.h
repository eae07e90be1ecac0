// How far a SimulatedSource has come. Its log is made beforehand, and time goes along it:
//
//   log       ─────────────────────────── written ─ ─ ─ ─ ─ end
//   catalogs  ─────────────── visible
//
// A transaction is sent once its commit is written, which is before others see what it did: while it waits for a
// synchronous standby, for one. Until then it keeps its locks.
#pragma once

#include <algorithm>
#include <random>
#include <span>
#include <vector>

#include "testing/simulated_source.h"

namespace firn::testing {

class SimulatedPresent {
 public:
  SimulatedPresent(const SimulatedSource& source, std::mt19937_64& random) : source_(source), random_(random) {}

  size_t records() const { return records_; }
  Lsn written() const { return source_.PositionAfter(records_); }
  /// Transactions whose commit record lies before it are seen by all.
  Lsn visible() const { return visible_; }

  /// At most so many records more.
  void GoOn(size_t records) {
    records_ = std::min(source_.records(), records_ + Pick(records + 1));
    visible_ = std::max(visible_, source_.VisibleBy(records_));
    if (Chance(0.4)) {
      visible_ = written();
    } else if (Chance(0.2)) {
      visible_ = {visible_.value + Pick(written().value - visible_.value + 1)};
    }
  }
  /// A snapshot of a slot's sees all that is written.
  Lsn MakeSnapshot() {
    GoOn(10);
    return written();
  }

  /// What the catalogs show, and the end of the log when they are read.
  std::vector<SourceTable> Tables() const {
    std::vector<SourceTable> tables;
    for (size_t table = 0; table < source_.table_count(); ++table) {
      tables.push_back(source_.DefinitionAt(table, visible_));
      tables.back().version.read_at = written();
    }
    return tables;
  }
  /// Whether nothing that these transactions did is hidden.
  bool HaveEnded(std::span<const postgres::Xid> transactions) const {
    return std::ranges::all_of(transactions, [&](postgres::Xid xid) {
      const auto commit = source_.CommitOf(xid);
      return commit && *commit < visible_;
    });
  }

 private:
  bool Chance(double probability) { return std::bernoulli_distribution(probability)(random_); }
  size_t Pick(size_t count) { return std::uniform_int_distribution<size_t>(0, count - 1)(random_); }

  const SimulatedSource& source_;
  std::mt19937_64& random_;
  size_t records_ = 0;
  Lsn visible_ = source_.start();
};

}  // namespace firn::testing
