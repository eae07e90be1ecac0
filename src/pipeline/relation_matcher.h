// Which columns a Relation message of the stream speaks of.
//
// A message names columns, not attnums, and says what they were called when the change was made. The table's definition
// is the one of now, which may be newer: columns were renamed, dropped and added since. Names prove nothing, as one may
// come and go while nobody looks. What does:
//
//   - messages list columns in attnum order, attnums are never used again, and a dropped column's row stays in
//     pg_attribute; so a message is every column up to some attnum, but those that had been dropped by then;
//   - of an earlier look, at or before the change: which columns there were, and which of their pg_attribute rows have
//     not been touched since (by xmin). Those columns had the name and type that they have now.
//
//   earlier look     1 id   2 name        3 amount
//   attributes now   1 id   2 (dropped)   3 amount   4 note      1 and 3 are untouched
//   message          id, title, amount    1, 2, 3
//   message          id, amount, total    1, 3, 4
//   message          id, amount           1, 3
//
// Had 3 been altered as well, three columns could be 1, 2, 3 and 1, 3, 4: unclear.
//
// Pure. How much that leaves unclear: docs/decisions/0008-schemas-follow-the-source.md.
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

/// When a column is in the messages of the time that is looked at: from the earlier look on.
enum class Presence : uint8_t {
  kAlways,      ///< It was there then, and is now.
  kSinceAdded,  ///< From some time on: it is there now, and was not then (or nobody looked).
  kAtTimes,     ///< Some of the time, or never: it is dropped now.
  kNever,       ///< It had been dropped then.
};

/// A column of the table as far as it is known, dropped ones included.
struct KnownAttribute {
  int16_t attnum = 0;
  Presence presence = Presence::kSinceAdded;
  bool untouched = false;  ///< Name and type have been the same all the time.
  std::string name;        ///< Now; empty for a dropped one, as are the types.
  TypeOid type_oid = 0;    ///< Declared type.
  int32_t type_modifier = -1;

  bool dropped() const { return presence == Presence::kAtTimes || presence == Presence::kNever; }
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
/// known; it was not before the look that `attributes` tell about.
RelationMatch MatchRelation(std::span<const postgres::RelationColumn> columns,
                            const std::vector<KnownAttribute>& attributes, bool may_be_older);

/// What the changes that follow a message tell of their old rows. A replica identity leaves no trace in the columns: it
/// may have been another one for a time, and be the one that is known again.
enum class OldRows : uint8_t {
  kFollowed,  ///< What the table's rows are found by.
  kNone,      ///< Nothing: PostgreSQL refuses UPDATE and DELETE. What is inserted is told as ever.
  kOther,     ///< Other columns, which may miss rows, or mean several.
};

/// `attnums`: of a message that fits.
OldRows OldRowsOf(const postgres::RelationMessage& relation, std::span<const int16_t> attnums,
                  const SourceTable& source, bool may_be_older);

}  // namespace firn::pipeline
