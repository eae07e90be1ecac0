// Which columns a Relation message of the stream speaks of.
//
// A message names columns, not attnums, and says what they were called when the change was made. The table's definition
// is the one of now, which may be newer: columns were renamed, dropped and added since. What helps: messages list
// columns in attnum order, attnums are never used again, and a dropped column's row stays in pg_attribute. So a message
// is every column of the table up to some attnum, but those that had been dropped by then:
//
//   attributes now   1 id   2 (dropped)   3 total   4 note
//   message          id, name, amount     1, 2, 3: before the DROP, the renaming of amount, and the ADD of note
//   message          id, total            1, 3: before the ADD, or 1, 2: before the ADD of total; the name decides
//
// Pure.
#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <vector>

#include "model/lsn.h"
#include "model/source_table.h"
#include "postgres/pgoutput.h"

namespace firn::pipeline {

/// A Relation message that outlives the buffer it came in.
class KeptRelation {
 public:
  explicit KeptRelation(const postgres::RelationMessage& message);
  KeptRelation(const KeptRelation&) = delete;
  KeptRelation& operator=(const KeptRelation&) = delete;

  const postgres::RelationMessage& message() const { return message_; }

 private:
  std::deque<std::string> texts_;
  std::vector<postgres::RelationColumn> columns_;
  postgres::RelationMessage message_;
};

/// A column of the table as far as it is known, dropped ones included.
struct KnownAttribute {
  int16_t attnum = 0;
  bool dropped = false;
  std::vector<std::string> names;  ///< That it is known to have had; the one of now first, where it is not dropped.
  TypeOid type_oid = 0;            ///< Declared type; 0 for a dropped one.
  int32_t type_modifier = -1;
};

enum class RelationFit : uint8_t {
  kNow,      ///< The table as it is known.
  kOlder,    ///< An earlier definition, and no doubt about any column that there still is.
  kUnclear,  ///< An earlier definition whose columns can be told in more than one way.
  kOther,    ///< None that the table can have had before.
};

struct RelationMatch {
  RelationFit fit = RelationFit::kOther;
  /// By column of the message: its attnum; 0 for one that the table no longer has. For kNow and kOlder.
  std::vector<int16_t> attnums;
};

/// `attributes`: by attnum. `may_be_older`: whether the change may have been made before the table came to be as it is
/// known.
RelationMatch MatchRelation(std::span<const postgres::RelationColumn> columns,
                            const std::vector<KnownAttribute>& attributes, bool may_be_older);

}  // namespace firn::pipeline
