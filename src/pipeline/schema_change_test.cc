#include "pipeline/schema_change.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <set>

#include "pipeline/target_table.h"
#include "testing/memory_catalog.h"
#include "testing/orders_table.h"
#include "testing/other_firn.h"
#include "testing/type_oids.h"

namespace firn::pipeline {
namespace {

using iceberg::Type;
using iceberg::TypeId;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::kFloat4;
using testing::kFloat8;
using testing::kInt4;
using testing::kInt8;
using testing::kNumeric;
using testing::kText;

int32_t Numeric(int precision, int scale) { return ((precision << 16) | scale) + 4; }

/// A source table with ids of its own for transactions and files, and the Iceberg table that follows it.
class SchemaChangeTest : public ::testing::Test {
 protected:
  SchemaChangeTest() {
    source_.oid = {100};
    source_.name = {"public", "t"};
    source_.version.heaps = {{.oid = {100}, .file = 1}};
    Add("id", kInt4);
    Add("name", kText);
    Add("amount", kNumeric, Numeric(10, 2));
    source_.key_columns = {0};
    const auto natural = encode::MapTable(source_).value();
    AttnumToField columns;
    for (const auto& column : natural.columns) columns.emplace_back(column.attnum, column.field.id);
    table_ = iceberg::MakeTableMetadata({.schema = natural.schema,
                                         .properties = DefinitionProperties(source_, columns, {}),
                                         .location = "memory://t"},
                                        1)
                 .value();
  }

  SourceColumn& Add(const std::string& name, TypeOid type, int32_t modifier = -1) {
    const auto attnum = static_cast<int16_t>(source_.version.attributes.size() + 1);
    source_.version.attributes.push_back({.attnum = attnum, .xmin = ++xid_});
    source_.columns.push_back(
        {.attnum = attnum, .name = name, .type_oid = type, .type_modifier = modifier, .type_name = "its type"});
    return source_.columns.back();
  }
  SourceColumn& Column(int16_t attnum) { return *std::ranges::find(source_.columns, attnum, &SourceColumn::attnum); }
  SourceColumn& Altered(int16_t attnum) {
    source_.version.attributes[static_cast<size_t>(attnum) - 1].xmin = ++xid_;
    return Column(attnum);
  }
  void Drop(int16_t attnum) {
    source_.version.attributes[static_cast<size_t>(attnum) - 1] = {.attnum = attnum, .xmin = ++xid_, .dropped = true};
    std::erase_if(source_.columns, [&](const SourceColumn& column) { return column.attnum == attnum; });
  }
  void Rewrite() { ++source_.version.heaps.front().file; }

  SchemaChange Plan(TypeChangePolicy policy = TypeChangePolicy::kRecopy) {
    return PlanSchemaChange(table_, ReadStoredDefinition(table_).value(), source_, encode::MapTable(source_).value(),
                            policy, applied_)
        .value();
  }
  /// Plans the change and makes it.
  SchemaChange Follow(TypeChangePolicy policy = TypeChangePolicy::kRecopy) {
    SchemaChange change = Plan(policy);
    const auto request = SchemaChangeRequest(change, {{"public"}, "t"}, table_);
    EXPECT_TRUE(iceberg::CheckRequirements(&table_, request.requirements).has_value());
    table_ = iceberg::ApplyUpdates(table_, "memory://t/1", request.updates, 2).value();
    return change;
  }

  static std::vector<std::string> Fields(const iceberg::Schema& schema) {
    std::vector<std::string> fields;
    for (const auto& field : schema.fields) {
      fields.push_back(
          fmt::format("{} {} {}{}", field.id, field.name, ToString(field.type), field.required ? "!" : ""));
    }
    return fields;
  }
  std::vector<std::string> Fields() const { return Fields(table_.CurrentSchema()); }

  uint32_t xid_ = 700;
  Lsn applied_;
  SourceTable source_;
  iceberg::TableMetadata table_;
};

TEST_F(SchemaChangeTest, IsNothingWhereNothingChanged) {
  const SchemaChange change = Plan();
  EXPECT_TRUE(change.empty());
  EXPECT_THAT(change.steps, IsEmpty());
}

TEST_F(SchemaChangeTest, NewColumnsGetNewFieldsBehindTheOthers) {
  Add("note", kText);
  EXPECT_EQ(Follow().copy_again, "");
  EXPECT_THAT(Fields(), ElementsAre("1 id int!", "2 name string", "3 amount decimal(10,2)", "4 note string"));
  EXPECT_EQ(table_.properties.at(kSourceColumnsProperty), "1:1,2:2,3:3,4:4");
  EXPECT_EQ(table_.last_column_id, 4);
  EXPECT_TRUE(Plan().empty());
}

TEST_F(SchemaChangeTest, IdsOfDroppedFieldsAreNotUsedAgain) {
  Drop(3);
  EXPECT_EQ(Follow().copy_again, "");
  EXPECT_THAT(Fields(), ElementsAre("1 id int!", "2 name string"));
  Add("amount", kNumeric, Numeric(10, 2));
  EXPECT_EQ(Follow().copy_again, "");
  EXPECT_THAT(Fields(), ElementsAre("1 id int!", "2 name string", "4 amount decimal(10,2)"));
  EXPECT_EQ(table_.properties.at(kSourceDroppedProperty), "3:3");
}

TEST_F(SchemaChangeTest, AColumnThatTheCatalogsDoNotShowYetNeedsACopy) {
  Add("note", kText);
  Follow();  // A copy, whose snapshot sees a commit before others do.
  source_.columns.pop_back();
  source_.version.attributes.pop_back();
  EXPECT_NE(Plan().copy_again, "");
}

TEST_F(SchemaChangeTest, NamesFollowEvenWhereTwoAreSwapped) {
  Altered(2).name = "amount";
  Altered(3).name = "name";
  EXPECT_EQ(Follow().copy_again, "");
  EXPECT_THAT(Fields(), ElementsAre("1 id int!", "2 amount string", "3 name decimal(10,2)"));
}

TEST_F(SchemaChangeTest, PromotesWhatIcebergCanPromote) {
  Add("f", kFloat4);
  Follow();
  Altered(1).type_oid = kInt8;
  Altered(3).type_modifier = Numeric(12, 2);
  Altered(4).type_oid = kFloat8;
  EXPECT_EQ(Follow().copy_again, "");
  EXPECT_THAT(Fields(), ElementsAre("1 id long!", "2 name string", "3 amount decimal(12,2)", "4 f double"));
  // A narrower type needs no change: the field holds its values.
  Altered(1).type_oid = kInt4;
  EXPECT_FALSE(Follow().schema_differs);
}

TEST_F(SchemaChangeTest, AnotherTypeIsAnotherField) {
  Altered(2).type_oid = kInt4;
  EXPECT_THAT(Follow().copy_again, HasSubstr("column name changed from string to int"));
  EXPECT_THAT(Fields(), ElementsAre("1 id int!", "4 name int", "3 amount decimal(10,2)"));
  EXPECT_EQ(table_.properties.at(kSourceColumnsProperty), "1:1,2:4,3:3");
}

TEST_F(SchemaChangeTest, TheOldFieldMayStay) {
  Rewrite();
  Altered(2).type_oid = kInt4;
  EXPECT_EQ(Follow(TypeChangePolicy::kNewField).copy_again, "");
  EXPECT_THAT(Fields(), ElementsAre("1 id int!", "4 name int", "3 amount decimal(10,2)", "2 name_old1 string"));
  Rewrite();
  Altered(2).type_oid = kFloat8;
  EXPECT_EQ(Follow(TypeChangePolicy::kNewField).copy_again, "");
  EXPECT_THAT(Fields(), ElementsAre("1 id int!", "5 name double", "3 amount decimal(10,2)", "4 name_old2 int",
                                    "2 name_old1 string"));
  // PostgreSQL may leave a text out of an UPDATE that doesn't change it, so that the table must have it.
  Rewrite();
  Altered(2).type_oid = kText;
  EXPECT_THAT(Follow(TypeChangePolicy::kNewField).copy_again, HasSubstr("from double to string"));
}

TEST_F(SchemaChangeTest, ARewriteWithChangedColumnsNeedsACopy) {
  Rewrite();
  EXPECT_EQ(Follow().copy_again, "") << "TRUNCATE, VACUUM FULL, CLUSTER";
  Altered(2);
  EXPECT_EQ(Follow().copy_again, "") << "SET STATISTICS";
  Rewrite();
  Drop(3);
  EXPECT_EQ(Follow().copy_again, "") << "DROP COLUMN and TRUNCATE";
  Altered(2);
  Rewrite();
  EXPECT_THAT(Follow().copy_again, HasSubstr("rewritten"));
  Add("r", kFloat8);
  Rewrite();
  EXPECT_THAT(Follow().copy_again, HasSubstr("rewritten"));
  EXPECT_TRUE(Plan().empty());
}

TEST_F(SchemaChangeTest, ADefaultForOldRowsNeedsACopy) {
  Add("n", kInt4).missing_value = "7";
  EXPECT_THAT(Follow().copy_again, HasSubstr("column n was added with a default"));
  EXPECT_TRUE(Plan().empty());
}

TEST_F(SchemaChangeTest, ADefaultThatTheFieldCanHoldNeedsNone) {
  Add("n", kInt4).missing_value = "7";
  auto natural = encode::MapTable(source_).value();
  natural.columns[3].field.initial_default = natural.columns[3].field.write_default = "7";
  const SchemaChange change = PlanSchemaChange(table_, ReadStoredDefinition(table_).value(), source_, natural,
                                               TypeChangePolicy::kRecopy, applied_)
                                  .value();
  EXPECT_EQ(change.copy_again, "");
  EXPECT_EQ(change.schema.fields.back().initial_default, "7");
}

TEST_F(SchemaChangeTest, AnEnumsOtherLabelNeedsACopyAndItsNewOneNone) {
  source_.version.type_parts = {{.oid = 5, .hash = 1}};
  EXPECT_EQ(Follow().copy_again, "");
  source_.version.type_parts.push_back({.oid = 6, .hash = 2});
  EXPECT_EQ(Follow().copy_again, "");
  source_.version.type_parts.front().hash = 3;
  EXPECT_EQ(Follow().copy_again, "a type that its values are of was altered");
  EXPECT_TRUE(Plan().empty());
}

TEST_F(SchemaChangeTest, AColumnThatWasGeneratedNeedsACopy) {
  source_.version.attributes.push_back({.attnum = 4, .xmin = ++xid_, .generated = true});
  EXPECT_EQ(Follow().copy_again, "");
  source_.version.attributes.pop_back();
  Add("twice", kInt4);
  EXPECT_THAT(Follow().copy_again, HasSubstr("never came through the stream"));
}

TEST_F(SchemaChangeTest, AGeneratedColumnThatIsPublishedIsCopiedWithItsValues) {
  Add("twice", kInt4);
  source_.version.attributes.back().generated = true;
  Rewrite();
  EXPECT_EQ(Follow().copy_again, "its rows were rewritten by a change of its columns");
}

TEST_F(SchemaChangeTest, AKeyOfFieldsThatMayBeNullHasNoIdentifier) {
  source_.key_columns = {1};
  EXPECT_EQ(Follow().copy_again, "");
  EXPECT_THAT(Fields(), ElementsAre("1 id int", "2 name string", "3 amount decimal(10,2)"));
  EXPECT_THAT(table_.CurrentSchema().identifier_field_ids, IsEmpty());
  EXPECT_EQ(table_.properties.at(kSourceKeyProperty), "d:2");
}

TEST_F(SchemaChangeTest, FieldsOfOthersStayBehindTheSourcesOwn) {
  iceberg::Schema schema = table_.CurrentSchema();
  schema.fields.push_back({.id = 9, .name = "_firn_lsn", .type = Type::Primitive(TypeId::kLong)});
  table_ = iceberg::ApplyUpdates(table_, "", {iceberg::AddSchema{schema}, iceberg::SetCurrentSchema{-1}}, 2).value();
  EXPECT_TRUE(Plan().empty());
  Add("note", kText);
  Follow();
  EXPECT_THAT(Fields(), ElementsAre("1 id int!", "2 name string", "3 amount decimal(10,2)", "10 note string",
                                    "9 _firn_lsn long"));
  Add("_firn_lsn", kText);
  const auto planned = PlanSchemaChange(table_, ReadStoredDefinition(table_).value(), source_,
                                        encode::MapTable(source_).value(), TypeChangePolicy::kRecopy, applied_);
  EXPECT_EQ(planned.error().kind(), ErrorKind::kSchemaMismatch);
}

TEST_F(SchemaChangeTest, AFieldThatPartitionsNameStays) {
  table_.partition_specs.push_back(
      {.spec_id = 1, .fields = {{.source_id = 2, .field_id = 1000, .name = "name_bucket"}}});
  Drop(2);
  Follow();
  EXPECT_THAT(Fields(), ElementsAre("1 id int!", "3 amount decimal(10,2)", "2 name string"));
  Add("name", kText);
  Follow();
  EXPECT_THAT(Fields(), ElementsAre("1 id int!", "3 amount decimal(10,2)", "4 name string", "2 name_old1 string"));
}

TEST_F(SchemaChangeTest, AFieldThatPartitionsNameMakesWayForAColumnOfTheTableMadeAgain) {
  table_.partition_specs.push_back(
      {.spec_id = 1, .fields = {{.source_id = 2, .field_id = 1000, .name = "name_bucket"}}});
  source_ = {.oid = {200}, .name = {"public", "t"}};
  source_.version.heaps = {{.oid = {200}, .file = 9}};
  Add("id", kInt4);
  Follow();
  EXPECT_THAT(Fields(), ElementsAre("1 id int", "2 name string"));
  EXPECT_EQ(table_.properties.at(kSourceDroppedProperty), "0:2");
  Add("name", kText);
  Follow();
  EXPECT_THAT(Fields(), ElementsAre("1 id int", "4 name string", "2 name_old1 string"));
  EXPECT_TRUE(Plan().empty());
}

TEST_F(SchemaChangeTest, NoColumnTakesTheNameOfAnothersPartitionField) {
  table_.partition_specs.push_back({.spec_id = 1, .fields = {{.source_id = 2, .field_id = 1000, .name = "name"}}});
  EXPECT_TRUE(Plan().empty());
  Altered(2).name = "title";
  Follow();
  Altered(3).name = "name";
  const auto planned = PlanSchemaChange(table_, ReadStoredDefinition(table_).value(), source_,
                                        encode::MapTable(source_).value(), TypeChangePolicy::kRecopy, applied_);
  ASSERT_FALSE(planned.has_value());
  EXPECT_EQ(planned.error().kind(), ErrorKind::kSchemaMismatch);
  EXPECT_THAT(planned.error().message(), HasSubstr("column name can't be named so"));
}

TEST_F(SchemaChangeTest, ATableMadeAgainKeepsWhatHasTheSameName) {
  source_ = {.oid = {200}, .name = {"public", "t"}};
  source_.version.heaps = {{.oid = {200}, .file = 9}};
  Add("name", kText);
  Add("id", kText);
  EXPECT_THAT(Follow().copy_again, HasSubstr("dropped and made again"));
  EXPECT_THAT(Fields(), ElementsAre("2 name string", "4 id string"));
  EXPECT_EQ(table_.properties.at(kSourceOidProperty), "200");
  EXPECT_EQ(table_.properties.at(kSourceColumnsProperty), "1:2,2:4");
  EXPECT_TRUE(Plan().empty());
}

TEST_F(SchemaChangeTest, OfPartitionsOnlyTheNewOnesThatCameEmptyNeedNoCopy) {
  source_.version.heaps = {{.oid = {101}, .file = 1}, {.oid = {102}, .file = 2}};
  Follow();
  source_.version.heaps.push_back({.oid = {103}, .file = 3, .made_as_partition = true});
  EXPECT_EQ(Follow().copy_again, "");
  source_.version.heaps.push_back({.oid = {104}, .file = 4});
  EXPECT_EQ(Follow().copy_again, "a partition was attached");
  source_.version.heaps.erase(source_.version.heaps.begin());
  EXPECT_EQ(Follow().copy_again, "a partition is gone");
  source_.version.heaps.front().file = 7;
  EXPECT_EQ(Follow().copy_again, "a partition was rewritten or truncated");
  EXPECT_TRUE(Plan().empty());
}

TEST_F(SchemaChangeTest, APublicationThatMayHaveLeftChangesOutNeedsACopy) {
  source_.version.membership = "r1";  // As of a firn that knew no versions.
  Follow();
  source_.version.membership = "r1,v742.iudt.5a1f07c3";
  EXPECT_THAT(Follow().copy_again, IsEmpty());
  EXPECT_TRUE(Plan().empty());
  source_.version.membership = "r1,v743.i.5a1f07c3";
  EXPECT_THAT(Follow().copy_again, IsEmpty());
  source_.version.membership = "r1,v744.iudt.5a1f07c3";
  EXPECT_THAT(Follow().copy_again, HasSubstr("every operation"));
}

TEST_F(SchemaChangeTest, TellsASourceThatWasAltered) {
  const auto stored = [&] { return ReadStoredDefinition(table_).value(); };
  EXPECT_FALSE(IsAltered(stored(), source_));
  source_.version.membership = "r2";
  EXPECT_FALSE(IsAltered(stored(), source_));
  Altered(2).type_oid = kInt8;
  EXPECT_TRUE(IsAltered(stored(), source_));
  Follow();
  EXPECT_FALSE(IsAltered(stored(), source_));
  source_.key_columns = {0, 1};
  EXPECT_TRUE(IsAltered(stored(), source_));
}

TEST_F(SchemaChangeTest, TellsWholeRowsThatGotAKey) {
  const auto has_got_key = [&] { return HasGotKey(ReadStoredDefinition(table_).value(), source_); };
  source_.replica_identity = ReplicaIdentity::kFull;
  EXPECT_FALSE(has_got_key());  // It had one before.
  source_.key_columns = {};
  Follow();
  EXPECT_FALSE(has_got_key());
  source_.key_columns = {0};
  EXPECT_TRUE(has_got_key());
  source_.replica_identity = ReplicaIdentity::kDefault;
  EXPECT_TRUE(has_got_key());
  source_.replica_identity = ReplicaIdentity::kNothing;
  EXPECT_FALSE(has_got_key());
}

TEST_F(SchemaChangeTest, WhereTheDefinitionWasReadStaysUntilWhatTheStreamSaysChanges) {
  source_.version.read_at = Lsn{100};
  Add("note", kText);
  Follow();
  EXPECT_EQ(ReadStoredDefinition(table_)->read_at, Lsn{100});
  source_.version.read_at = Lsn{200};
  EXPECT_TRUE(Plan().empty());
  Rewrite();
  Follow();
  EXPECT_EQ(ReadStoredDefinition(table_)->read_at, Lsn{100});
  source_.key_columns = {};
  Follow();
  EXPECT_EQ(ReadStoredDefinition(table_)->read_at, Lsn{200});
}

TEST_F(SchemaChangeTest, KnowsTheDefinitionBeforeThatChangesMayStillBeOf) {
  const auto known = [&] { return KnownAttributes(ReadStoredDefinition(table_).value(), source_); };
  const auto presences = [&] {
    std::vector<Presence> all;
    for (const KnownAttribute& attribute : known()) all.push_back(attribute.presence);
    return all;
  };
  using enum Presence;
  source_.version.read_at = Lsn{100};
  Altered(1);
  Follow();
  EXPECT_THAT(presences(), ElementsAre(kSinceAdded, kSinceAdded, kSinceAdded));

  applied_ = Lsn{150};
  source_.version.read_at = Lsn{200};
  Altered(2).name = "title";
  Drop(3);
  Add("note", kText);
  Follow();
  EXPECT_EQ(ReadStoredDefinition(table_)->before_read_at, Lsn{100});
  EXPECT_THAT(presences(), ElementsAre(kAlways, kAlways, kAtTimes, kSinceAdded));
  EXPECT_TRUE(known()[0].untouched);
  EXPECT_FALSE(known()[1].untouched);
  EXPECT_EQ(known()[1].name, "title");

  // Changes are still to come from before this definition: the one before it stays.
  source_.version.read_at = Lsn{300};
  Add("more", kText);
  Follow();
  EXPECT_EQ(ReadStoredDefinition(table_)->before_read_at, Lsn{100});
  EXPECT_THAT(presences(), ElementsAre(kAlways, kAlways, kAtTimes, kSinceAdded, kSinceAdded));

  applied_ = Lsn{300};
  source_.version.read_at = Lsn{400};
  Altered(4);
  Follow();
  EXPECT_EQ(ReadStoredDefinition(table_)->before_read_at, Lsn{300});
  EXPECT_THAT(presences(), ElementsAre(kAlways, kAlways, kNever, kAlways, kAlways));
}

TEST_F(SchemaChangeTest, FollowsAnyRandomDdl) {
  constexpr TypeOid kTypes[] = {kInt4, kInt8, kText, kFloat4, kFloat8};
  for (uint32_t seed = 0; seed < 50; ++seed) {
    std::mt19937 random(seed);
    const auto below = [&](size_t end) { return std::uniform_int_distribution<size_t>(0, end - 1)(random); };
    std::set<iceberg::FieldId> dropped;
    for (int step = 0; step < 30; ++step) {
      const int16_t attnum = source_.columns[below(source_.columns.size())].attnum;
      const std::string name = fmt::format("c{}_{}_{}", seed, step, below(1000));
      const TypeChangePolicy policy = below(2) == 0 ? TypeChangePolicy::kRecopy : TypeChangePolicy::kNewField;
      const size_t kind = below(4);
      if (kind == 0) Add(name, kTypes[below(std::size(kTypes))]);
      if (kind == 1) Altered(attnum).name = name;
      if (kind == 2) {
        source_.key_columns.clear();
        if (source_.columns.size() > 2) Drop(attnum);
      }
      if (kind == 3) {
        SourceColumn& column = Altered(attnum);
        column.type_oid = kTypes[below(std::size(kTypes))];
        column.type_modifier = -1;
      }
      const iceberg::Schema before = table_.CurrentSchema();
      Follow(policy);
      const iceberg::Schema& after = table_.CurrentSchema();
      EXPECT_TRUE(Plan(policy).empty()) << "seed " << seed << ", step " << step;
      // The source's columns come first, in its order and under its names, each in a field that holds its type.
      const auto natural = encode::MapTable(source_).value();
      for (size_t i = 0; i < source_.columns.size(); ++i) {
        EXPECT_EQ(after.fields[i].name, source_.columns[i].name);
        EXPECT_TRUE(encode::Widens(natural.columns[i].field.type, after.fields[i].type));
      }
      std::set<std::string> names;
      std::set<iceberg::FieldId> ids;
      for (const auto& field : after.fields) {
        EXPECT_TRUE(names.insert(field.name).second) << field.name;
        EXPECT_TRUE(ids.insert(field.id).second) << field.id;
        EXPECT_FALSE(dropped.contains(field.id)) << "a field's id was used again";
        const auto* earlier = before.FindField(field.id);
        EXPECT_TRUE(earlier == nullptr || encode::Widens(earlier->type, field.type)) << field.name;
      }
      for (const auto& field : before.fields) {
        if (!ids.contains(field.id)) dropped.insert(field.id);
      }
    }
  }
}

TEST(FollowSource, TakesNoTableThatAnotherFirnHasWrittenMeanwhile) {
  testing::MemoryCatalog catalog;
  TargetTable target{.table = testing::MakeOrders(catalog), .progress = TableProgress{}};
  target.planned = target.table.metadata;
  target.change = SchemaChange{.schema = target.planned->CurrentSchema(), .properties = {{"a", "b"}}};
  testing::LetAnotherFirnWriteFirst(catalog);
  Metrics metrics;
  const Status followed = FollowSource(catalog, target, {}, {}, metrics);
  ASSERT_FALSE(followed.has_value());
  EXPECT_EQ(followed.error().kind(), ErrorKind::kSourceLost) << followed.error().message();
}

}  // namespace
}  // namespace firn::pipeline
