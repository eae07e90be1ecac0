// Several tables that one query of the catalogs is about, by their OID.
#pragma once

#include <fmt/format.h>

#include <charconv>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "model/source_table.h"

namespace firn::postgres {

/// Borrows the tables. Single-threaded.
class TablesByOid {
 public:
  explicit TablesByOid(std::span<SourceTable> tables) {
    for (SourceTable& table : tables) tables_.emplace(table.oid.value, &table);
  }

  /// As SQL of type oid[].
  std::string Array() const {
    std::string list;
    for (const auto& [oid, table] : tables_) list += fmt::format("{}{}", list.empty() ? "" : ",", oid);
    return fmt::format("'{{{}}}'::oid[]", list);
  }

  /// `oid`: as a result has it, one of the array's.
  SourceTable& Of(std::string_view oid) const {
    uint32_t number = 0;
    std::from_chars(oid.data(), oid.data() + oid.size(), number);
    return *tables_.at(number);
  }

 private:
  std::map<uint32_t, SourceTable*> tables_;
};

}  // namespace firn::postgres
