// A table of SimulatedSource: its definition as PostgreSQL's catalogs have it, its rows, and random DDL.
//
// As in PostgreSQL attnums are not used again, pg_attribute keeps the rows of dropped columns and each has the xmin of
// the last change, ADD COLUMN leaves the rows as they are (a constant default is what they lack, `missing_value`), and
// only a rewrite fills it in and gives the table another file.
#pragma once

#include <fmt/format.h>

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
#include "testing/type_oids.h"

namespace firn::testing {

/// By attnum, as text. What it lacks was added later; what was dropped stays.
using SourceRow = std::map<int16_t, std::optional<std::string>>;
using SourceHeap = std::map<uint64_t, SourceRow>;  ///< By a number that stands for the row, whatever its key.
using Definition = std::shared_ptr<const SourceTable>;

/// What a client reads of a row: a value for each column.
using SourceCells = std::vector<std::optional<std::string>>;
using SourceRows = std::multiset<SourceCells>;

inline std::optional<std::string> CellOf(const SourceColumn& column, const SourceRow& row) {
  const auto cell = row.find(column.attnum);
  return cell == row.end() ? column.missing_value : cell->second;
}
inline SourceRows RowsOf(const SourceTable& table, const SourceHeap& heap) {
  SourceRows rows;
  for (const auto& [number, row] : heap) {
    SourceCells cells;
    for (const SourceColumn& column : table.columns) cells.push_back(CellOf(column, row));
    rows.insert(std::move(cells));
  }
  return rows;
}

inline bool HasKey(const SourceTable& table) { return !table.key_columns.empty(); }
inline bool IsKey(const SourceTable& table, const SourceColumn& column) {
  return HasKey(table) && column.attnum == table.columns[static_cast<size_t>(table.key_columns[0])].attnum;
}
/// A value that is stored outside of its row: an UPDATE that leaves it as it was doesn't send it again.
inline bool IsToasted(const std::optional<std::string>& value) { return value && value->starts_with("large"); }

/// The values and statements that come to a random mind.
class SimulatedTables {
 public:
  explicit SimulatedTables(std::mt19937_64& random) : random_(random) {}

  static SourceTable Make(uint32_t oid, const std::string& name, bool has_key) {
    SourceTable table{.oid = {oid}, .name = {"public", name}};
    for (const auto& [column, type] : {std::pair("id", kInt4), {"value", kText}, {"large", kText}, {"amount", kInt4}}) {
      const auto attnum = static_cast<int16_t>(table.columns.size() + 1);
      table.columns.push_back(ColumnOf(attnum, column, type));
      table.version.attributes.push_back({.attnum = attnum, .xmin = 90});
    }
    table.version.heaps = {{.oid = table.oid, .file = 1}};
    if (has_key) table.key_columns = {0};
    if (has_key) table.columns[0].not_null = true;
    if (!has_key) table.replica_identity = ReplicaIdentity::kFull;
    SetFingerprint(table);
    return table;
  }

  /// Of a table without a key, many are equal.
  std::optional<std::string> NewValue(const SourceTable& table, const SourceColumn& column) {
    const bool repeats = !HasKey(table);
    if (!column.not_null && Chance(0.2)) return std::nullopt;
    if (column.type_oid == kInt4 || column.type_oid == kInt8) {
      const uint64_t most = column.type_oid == kInt4 ? 40 : uint64_t{1} << 40;
      return std::to_string(Pick(repeats ? 5 : most));
    }
    if (repeats && Chance(0.3)) return "same";
    if (Chance(0.4)) return fmt::format("large {} {}", ++values_, std::string(Pick(200), 'x'));
    return fmt::format("v{}", ++values_);
  }

  /// One statement of transaction `xid`, which may rewrite the rows. False where it can't be done. `is_free`: whether
  /// a table may have that name.
  bool Alter(SourceTable& table, SourceHeap& rows, postgres::Xid xid,
             const std::function<bool(const std::string&)>& is_free) {
    const size_t dice = Pick(100);
    const bool done = dice < 25   ? Add(table, rows, xid)
                      : dice < 43 ? Drop(table, xid)
                      : dice < 55 ? Rename(table, xid)
                      : dice < 64 ? SwapNames(table, xid)
                      : dice < 78 ? Retype(table, rows, xid)
                      : dice < 83 ? ConvertValues(table, rows, xid)
                      : dice < 91 ? ChangeNotNull(table, rows, xid)
                      : dice < 94 ? SetStatistics(table, xid)
                      : dice < 97 ? Cluster(table, rows, xid)
                                  : RenameTable(table, is_free);
    if (done) SetFingerprint(table);
    return done;
  }

  /// What TRUNCATE does to the definition.
  void NewFile(SourceTable& table) { table.version.heaps[0].file = ++files_; }

 private:
  static SourceColumn ColumnOf(int16_t attnum, const std::string& name, TypeOid type) {
    SourceColumn column{.attnum = attnum, .name = name};
    SetType(column, type);
    return column;
  }
  static void SetType(SourceColumn& column, TypeOid type) {
    column.type_oid = column.declared_type_oid = type;
    column.type_name = type == kInt4 ? "integer" : type == kInt8 ? "bigint" : type == kText ? "text" : "varchar";
  }
  static bool IsText(const SourceColumn& column) { return column.type_oid == kText || column.type_oid == kVarchar; }

  /// Equal as long as nothing has changed that SourceWatch looks at: the file is left out.
  static void SetFingerprint(SourceTable& table) {
    std::string& text = table.version.fingerprint = table.name.name;
    for (const AttributeVersion& one : table.version.attributes) text += fmt::format(" {}:{}", one.attnum, one.xmin);
  }
  static AttributeVersion& AttributeOf(SourceTable& table, const SourceColumn& column) {
    return table.version.attributes[static_cast<size_t>(column.attnum) - 1];
  }

  bool Chance(double probability) { return std::bernoulli_distribution(probability)(random_); }
  size_t Pick(size_t count) { return std::uniform_int_distribution<size_t>(0, count - 1)(random_); }
  SourceColumn& PickColumn(SourceTable& table) { return table.columns[Pick(table.columns.size())]; }

  /// Few, so that they are used again.
  std::optional<std::string> FreeName(const SourceTable& table) {
    static const std::vector<std::string> kNames{"value", "large", "amount", "note", "extra", "id2"};
    const std::string& name = kNames[Pick(kNames.size())];
    const bool is_taken = std::ranges::find(table.columns, name, &SourceColumn::name) != table.columns.end();
    return is_taken ? std::nullopt : std::optional(name);
  }

  /// The rows are written anew, with what they lack.
  void Rewrite(SourceTable& table, SourceHeap& rows, postgres::Xid xid) {
    NewFile(table);
    for (SourceColumn& column : table.columns) {
      if (!column.missing_value) continue;
      for (auto& [number, row] : rows) row.emplace(column.attnum, column.missing_value);
      column.missing_value.reset();
      AttributeOf(table, column).xmin = xid;
    }
  }

  bool Add(SourceTable& table, SourceHeap& rows, postgres::Xid xid) {
    const auto name = FreeName(table);
    if (!name || table.columns.size() >= 7) return false;
    const auto attnum = static_cast<int16_t>(table.version.attributes.size() + 1);
    const TypeOid types[] = {kInt4, kInt8, kText};
    SourceColumn column = ColumnOf(attnum, *name, types[Pick(3)]);
    table.version.attributes.push_back({.attnum = attnum, .xmin = xid});
    const size_t dice = Pick(10);
    const bool has_default = dice < 6;
    column.not_null = has_default ? Chance(0.3) : rows.empty() && Chance(0.3);
    const bool is_volatile = dice < 2;
    if (has_default && !is_volatile) {
      // None that may be larger than a page.
      column.missing_value = IsText(column) ? fmt::format("default {}", ++values_) : std::to_string(Pick(100));
    }
    table.columns.push_back(column);
    if (!is_volatile) return true;
    for (auto& [number, row] : rows) row[attnum] = NewValue(table, column);
    Rewrite(table, rows, xid);
    return true;
  }

  bool Drop(SourceTable& table, postgres::Xid xid) {
    const SourceColumn column = PickColumn(table);
    if (IsKey(table, column) || table.columns.size() == 1) return false;
    std::erase_if(table.columns, [&](const SourceColumn& other) { return other.attnum == column.attnum; });
    AttributeOf(table, column) = {.attnum = column.attnum, .xmin = xid, .dropped = true};
    // Most often its name comes back, as another column.
    if (!Chance(0.3)) return true;
    const auto attnum = static_cast<int16_t>(table.version.attributes.size() + 1);
    table.columns.push_back(ColumnOf(attnum, column.name, column.type_oid));
    table.version.attributes.push_back({.attnum = attnum, .xmin = xid});
    return true;
  }

  bool Rename(SourceTable& table, postgres::Xid xid) {
    const auto name = FreeName(table);
    if (!name) return false;
    SourceColumn& column = PickColumn(table);
    column.name = *name;
    AttributeOf(table, column).xmin = xid;
    return true;
  }

  /// In three statements.
  bool SwapNames(SourceTable& table, postgres::Xid xid) {
    SourceColumn& one = PickColumn(table);
    SourceColumn& other = PickColumn(table);
    if (one.attnum == other.attnum) return false;
    std::swap(one.name, other.name);
    AttributeOf(table, one).xmin = AttributeOf(table, other).xmin = xid;
    return true;
  }

  bool Retype(SourceTable& table, SourceHeap& rows, postgres::Xid xid) {
    SourceColumn& column = PickColumn(table);
    AttributeOf(table, column).xmin = xid;
    if (IsText(column)) {
      SetType(column, column.type_oid == kText ? kVarchar : kText);
      return true;  // The rows stay as they are.
    }
    const bool is_widened = column.type_oid == kInt4 && Chance(0.8);
    if (!is_widened && IsKey(table, column)) return false;
    SetType(column, is_widened ? kInt8 : kText);
    Rewrite(table, rows, xid);
    return true;
  }

  /// TYPE … USING, of the type that it has.
  bool ConvertValues(SourceTable& table, SourceHeap& rows, postgres::Xid xid) {
    SourceColumn& column = PickColumn(table);
    if (IsKey(table, column)) return false;
    Rewrite(table, rows, xid);
    AttributeOf(table, column).xmin = xid;
    for (auto& [number, row] : rows) {
      std::optional<std::string>& value = row[column.attnum];
      if (value) value = IsText(column) ? *value + "!" : std::to_string(std::stoll(*value) + 1);
    }
    return true;
  }

  bool ChangeNotNull(SourceTable& table, const SourceHeap& rows, postgres::Xid xid) {
    SourceColumn& column = PickColumn(table);
    const auto is_null = [&](const auto& entry) { return !CellOf(column, entry.second); };
    if (IsKey(table, column) || (!column.not_null && std::ranges::any_of(rows, is_null))) return false;
    column.not_null = !column.not_null;
    AttributeOf(table, column).xmin = xid;
    return true;
  }

  bool SetStatistics(SourceTable& table, postgres::Xid xid) {
    AttributeOf(table, PickColumn(table)).xmin = xid;
    return true;
  }

  bool Cluster(SourceTable& table, SourceHeap& rows, postgres::Xid xid) {
    Rewrite(table, rows, xid);
    return true;
  }

  bool RenameTable(SourceTable& table, const std::function<bool(const std::string&)>& is_free) {
    static const std::vector<std::string> kNames{"orders", "lines", "events", "parts", "places"};
    const std::string& name = kNames[Pick(kNames.size())];
    if (!is_free(name)) return false;
    table.name.name = name;
    return true;
  }

  std::mt19937_64& random_;
  uint32_t files_ = 1;
  int64_t values_ = 0;
};

}  // namespace firn::testing
