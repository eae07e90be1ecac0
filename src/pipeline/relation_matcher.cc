#include "pipeline/relation_matcher.h"

#include <algorithm>
#include <set>

#include "pipeline/target_table.h"

namespace firn::pipeline {
namespace {

using postgres::RelationColumn;

// text and varchar: one becomes the other without a rewrite, and their values arrive alike.
constexpr TypeOid kTextOid = 25, kVarcharOid = 1043;

bool ArrivesAlike(TypeOid a, TypeOid b) {
  const auto is_text = [](TypeOid oid) { return oid == kTextOid || oid == kVarcharOid; };
  return a == b || (is_text(a) && is_text(b));
}

bool IsAsNow(const RelationColumn& column, const KnownAttribute& attribute) {
  return column.name == attribute.name && column.type_oid == attribute.type_oid &&
         column.type_modifier == attribute.type_modifier;
}

bool MayBe(const RelationColumn& column, const KnownAttribute& attribute) {
  return attribute.presence != Presence::kNever && (!attribute.untouched || IsAsNow(column, attribute));
}

bool IsNow(std::span<const RelationColumn> columns, const std::vector<KnownAttribute>& attributes,
           std::vector<int16_t>& attnums) {
  size_t next = 0;
  for (const KnownAttribute& attribute : attributes) {
    if (attribute.dropped()) continue;
    if (next == columns.size() || !IsAsNow(columns[next++], attribute)) return false;
    attnums.push_back(attribute.attnum);
  }
  return next == columns.size();
}

/// Whether values of the columns come in the form that the attributes' have now.
bool ArriveAlike(std::span<const RelationColumn> columns, const std::vector<KnownAttribute>& attributes,
                 const std::vector<int16_t>& attnums) {
  for (size_t c = 0; c < columns.size(); ++c) {
    if (attnums[c] == 0) continue;
    const auto attribute = std::ranges::find(attributes, attnums[c], &KnownAttribute::attnum);
    if (!ArrivesAlike(columns[c].type_oid, attribute->type_oid)) return false;
  }
  return true;
}

/// All ways to tell the message's columns, as paths through a grid: at (c, a), the columns before c stand for some of
/// the attributes before a. A path ends where no column is left, and passes over none that had to be there.
class Alignments {
 public:
  Alignments(std::span<const RelationColumn> columns, const std::vector<KnownAttribute>& attributes)
      : columns_(columns.size()), attributes_(attributes), width_(attributes.size() + 1) {
    matches_.resize(columns_ * attributes.size());
    for (size_t c = 0; c < columns_; ++c) {
      for (size_t a = 0; a < attributes.size(); ++a)
        matches_[c * attributes.size() + a] = MayBe(columns[c], attributes[a]);
    }
    FindEnds();
    FindStarts();
  }

  bool any() const { return ends_[Cell(0, 0)]; }

  /// The attnums, if every path gives the same columns to the attributes that there are now.
  bool Unique(std::vector<int16_t>& attnums) const {
    attnums.assign(columns_, 0);
    for (size_t a = 0; a < attributes_.size(); ++a) {
      if (attributes_[a].dropped()) continue;
      // Paths that lack it, and those that give it a column.
      const bool lacking = OnPath(columns_, a);
      size_t ways = 0;
      for (size_t c = 0; c < columns_; ++c) {
        if (!OnPath(c, a) || !Matches(c, a) || !ends_[Cell(c + 1, a + 1)]) continue;
        ++ways;
        attnums[c] = attributes_[a].attnum;
      }
      if (ways > 1 || (ways == 1 && lacking)) return false;
    }
    return true;
  }

 private:
  size_t Cell(size_t column, size_t attribute) const { return column * width_ + attribute; }
  bool Matches(size_t column, size_t attribute) const { return matches_[column * attributes_.size() + attribute]; }
  bool OnPath(size_t column, size_t attribute) const {
    return starts_[Cell(column, attribute)] && ends_[Cell(column, attribute)];
  }

  /// Whether a path may go past the attribute without a column for it. Those that were added later can only be missing
  /// together with all that came after them.
  bool MayLack(size_t column, size_t attribute) const {
    const Presence presence = attributes_[attribute].presence;
    return attributes_[attribute].dropped() || (presence == Presence::kSinceAdded && column == columns_);
  }

  void FindEnds() {
    ends_.assign((columns_ + 1) * width_, false);
    ends_[Cell(columns_, attributes_.size())] = true;
    for (size_t c = columns_ + 1; c-- > 0;) {
      for (size_t a = attributes_.size(); a-- > 0;) {
        const bool named = c < columns_ && Matches(c, a) && ends_[Cell(c + 1, a + 1)];
        ends_[Cell(c, a)] = named || (MayLack(c, a) && ends_[Cell(c, a + 1)]);
      }
    }
  }

  void FindStarts() {
    starts_.assign((columns_ + 1) * width_, false);
    starts_[Cell(0, 0)] = true;
    for (size_t c = 0; c <= columns_; ++c) {
      for (size_t a = 0; a < attributes_.size(); ++a) {
        if (!starts_[Cell(c, a)]) continue;
        if (MayLack(c, a)) starts_[Cell(c, a + 1)] = true;
        if (c < columns_ && Matches(c, a)) starts_[Cell(c + 1, a + 1)] = true;
      }
    }
  }

  size_t columns_;
  const std::vector<KnownAttribute>& attributes_;
  size_t width_;
  std::vector<bool> matches_;
  std::vector<bool> ends_;    ///< By cell: a path leads from it to the end.
  std::vector<bool> starts_;  ///< By cell: a path leads to it.
};

}  // namespace

KeptRelation::KeptRelation(const postgres::RelationMessage& message)
    : columns_(message.columns.begin(), message.columns.end()), message_(message) {
  const auto keep = [&](std::string_view& text) { text = texts_.emplace_back(text); };
  for (postgres::RelationColumn& column : columns_) keep(column.name);
  keep(message_.schema);
  keep(message_.name);
  message_.columns = columns_;
}

RelationMatch MatchRelation(std::span<const RelationColumn> columns, const std::vector<KnownAttribute>& attributes,
                            bool may_be_older) {
  RelationMatch match;
  const bool is_now = IsNow(columns, attributes, match.attnums);
  if (!may_be_older) {
    if (is_now) match.fit = RelationFit::kNow;
    return match;
  }
  const Alignments alignments(columns, attributes);
  if (!alignments.any()) return match;
  const bool is_clear = alignments.Unique(match.attnums) && ArriveAlike(columns, attributes, match.attnums);
  match.fit = is_clear ? RelationFit::kOlder : RelationFit::kUnclear;
  return match;
}

OldRows OldRowsOf(const postgres::RelationMessage& relation, std::span<const int16_t> attnums,
                  const SourceTable& source, bool may_be_older) {
  const bool is_full = relation.replica_identity == ReplicaIdentity::kFull;
  std::set<int16_t> named, key;
  for (size_t i = 0; i < relation.columns.size(); ++i) {
    if (relation.columns[i].is_key) named.insert(attnums[i]);
  }
  for (const int column : source.key_columns) key.insert(source.columns[static_cast<size_t>(column)].attnum);
  bool is_followed = false;
  switch (IdentityOf(source)) {
    case RowIdentity::kKey:
      // FULL names the key with all else, but doesn't say that it was one: rows may have shared it for a time.
      is_followed = is_full ? may_be_older || source.replica_identity == ReplicaIdentity::kFull : named == key;
      break;
    case RowIdentity::kWholeRow:
      is_followed = is_full;
      break;
    case RowIdentity::kAppendOnly:
      // Else the lane refuses UPDATE and DELETE, and says what is to be done.
      is_followed = !may_be_older || (!is_full && named.empty());
      break;
  }
  if (is_followed) return OldRows::kFollowed;
  return !may_be_older && !is_full && named.empty() ? OldRows::kNone : OldRows::kOther;
}

}  // namespace firn::pipeline
