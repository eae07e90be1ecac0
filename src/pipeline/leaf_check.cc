#include "pipeline/leaf_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "pipeline/target_table.h"
#include "postgres/connection.h"

namespace firn::pipeline {
namespace {

using postgres::LeafIdentity;

/// More are counted only: a message is to be read.
constexpr size_t kLeavesNamedMax = 5;

bool HasNone(const LeafIdentity& leaf) { return leaf.identity != ReplicaIdentity::kFull && leaf.columns.empty(); }

std::vector<std::string> KeyOf(const SourceTable& table) {
  std::vector<std::string> key;
  for (const int column : table.key_columns) key.push_back(table.columns[static_cast<size_t>(column)].name);
  return key;
}

bool TellsRows(const LeafIdentity& leaf, RowIdentity wanted, const std::vector<std::string>& key) {
  if (leaf.identity == ReplicaIdentity::kFull) return true;
  return wanted == RowIdentity::kKey && std::ranges::all_of(key, [&](const std::string& column) {
           return std::ranges::find(leaf.columns, column) != leaf.columns.end();
         });
}

std::string Describe(const LeafIdentity& leaf) {
  return fmt::format("{} has REPLICA IDENTITY {} ({})", leaf.name,
                     leaf.identity == ReplicaIdentity::kIndex ? "USING INDEX" : "DEFAULT",
                     fmt::join(leaf.columns, ", "));
}

std::string Statement(const LeafIdentity& leaf, std::string_view identity) {
  return fmt::format("ALTER TABLE {}.{} REPLICA IDENTITY {}", postgres::QuoteIdentifier(leaf.name.schema),
                     postgres::QuoteIdentifier(leaf.name.name), identity);
}

/// The first ones, by `form`.
template <typename Form>
std::string List(const std::vector<LeafIdentity>& leaves, std::string_view separator, Form form) {
  std::string list;
  for (size_t i = 0; i < std::min(leaves.size(), kLeavesNamedMax); ++i) {
    list += fmt::format("{}{}", i == 0 ? "" : separator, form(leaves[i]));
  }
  if (leaves.size() > kLeavesNamedMax) list += fmt::format(" (and {} more)", leaves.size() - kLeavesNamedMax);
  return list;
}

}  // namespace

std::optional<Error> FindLeafProblem(const SourceTable& table, std::span<const LeafIdentity> leaves) {
  const RowIdentity wanted = IdentityOf(table);
  if (wanted == RowIdentity::kAppendOnly) return std::nullopt;
  const std::vector<std::string> key = KeyOf(table);
  std::vector<LeafIdentity> silent;
  for (const LeafIdentity& leaf : leaves) {
    if (!HasNone(leaf) && !TellsRows(leaf, wanted, key)) silent.push_back(leaf);
  }
  if (silent.empty()) return std::nullopt;
  // Every partition has a primary key of its own like that of its table.
  const bool has_primary_key = wanted == RowIdentity::kKey && table.replica_identity != ReplicaIdentity::kIndex;
  return MakeError(
      ErrorKind::kUnsupported, ErrorOrigin::kSource,
      "UPDATE and DELETE don't tell which rows of table {} they touch, which are found by {}: partition {}; run {}",
      table.name, wanted == RowIdentity::kKey ? fmt::format("({})", fmt::join(key, ", ")) : "all of their columns",
      List(silent, ", ", Describe), List(silent, "; ", [&](const LeafIdentity& leaf) {
        return Statement(leaf, has_primary_key ? "DEFAULT" : "FULL");
      }));
}

std::string LeafWarning(const SourceTable& table, std::span<const LeafIdentity> leaves) {
  if (IdentityOf(table) == RowIdentity::kAppendOnly) return {};  // It is warned of itself.
  std::vector<LeafIdentity> mute;
  std::ranges::copy_if(leaves, std::back_inserter(mute), HasNone);
  if (mute.empty()) return {};
  return fmt::format(
      "table {} has partitions without a replica identity, on which PostgreSQL refuses UPDATE and DELETE while the "
      "table "
      "is published: {}; run {}",
      table.name, List(mute, ", ", [](const LeafIdentity& leaf) { return ToString(leaf.name); }),
      List(mute, "; ", [](const LeafIdentity& leaf) { return Statement(leaf, "FULL"); }));
}

}  // namespace firn::pipeline
