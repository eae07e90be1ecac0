#include "pipeline/delete_form.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "iceberg/equality_deletes.h"

namespace firn::pipeline {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

SourceTable Source(ReplicaIdentity identity) {
  SourceTable source{.name = {"public", "t"}, .replica_identity = identity};
  if (identity != ReplicaIdentity::kFull) source.key_columns = {0};
  return source;
}

encode::TableMapping KeyOf(iceberg::Type type) {
  return {.schema = {.fields = {{.id = 1, .name = "k", .required = true, .type = std::move(type)}}},
          .key_columns = {0}};
}

Status Check(const SourceTable& source, iceberg::Type key, DeleteForm form) {
  return CheckDeleteForm(source, KeyOf(std::move(key)), {.deletes = form});
}

TEST(CheckDeleteForm, TakesKeysThatCanBeCompared) {
  const auto source = Source(ReplicaIdentity::kDefault);
  for (const auto& type : {iceberg::Type::Primitive(iceberg::TypeId::kLong), iceberg::Type::Decimal(10, 2),
                           iceberg::Type::Primitive(iceberg::TypeId::kUuid)}) {
    EXPECT_TRUE(Check(source, type, DeleteForm::kEquality).has_value());
  }
}

TEST(CheckDeleteForm, RefusesKeysThatCantBeComparedAndNoKeyAtAll) {
  const auto source = Source(ReplicaIdentity::kDefault);
  const auto number = iceberg::Type::Primitive(iceberg::TypeId::kDouble);
  const Status floating = Check(source, number, DeleteForm::kEquality);
  EXPECT_EQ(floating.error().kind(), ErrorKind::kInvalidConfig);
  EXPECT_THAT(floating.error().message(), HasSubstr("key column \"k\" (double)"));
  EXPECT_TRUE(Check(source, number, DeleteForm::kPosition).has_value());
  const auto list = iceberg::Type::List({.id = 2, .name = "element", .type = number});
  EXPECT_FALSE(Check(source, list, DeleteForm::kEquality).has_value());

  const auto whole = Source(ReplicaIdentity::kFull);
  EXPECT_THAT(Check(whole, number, DeleteForm::kEquality).error().message(), HasSubstr("needs a key"));
  EXPECT_TRUE(Check(whole, number, DeleteForm::kPosition).has_value());
}

TEST(CheckDeleteForm, RefusesToDeleteByKeyWhereDeletedRowsStay) {
  const auto source = Source(ReplicaIdentity::kDefault);
  const auto mapping = KeyOf(iceberg::Type::Primitive(iceberg::TypeId::kLong));
  for (const ChangeMode mode : {ChangeMode::kHistory, ChangeMode::kSoftDelete}) {
    EXPECT_FALSE(CheckDeleteForm(source, mapping, {.mode = mode, .deletes = DeleteForm::kEquality}).has_value());
    EXPECT_TRUE(CheckDeleteForm(source, mapping, {.mode = mode}).has_value());
  }
  EXPECT_TRUE(
      CheckDeleteForm(source, mapping, {.mode = ChangeMode::kAppend, .deletes = DeleteForm::kEquality}).has_value());
}

class DeleteFormUpdatesTest : public ::testing::Test {
 protected:
  std::vector<iceberg::Update> Updates(const TableSettings& settings) const {
    return DeleteFormUpdates(metadata_, settings);
  }
  void Apply(const TableSettings& settings) {
    metadata_ = iceberg::ApplyUpdates(metadata_, "", Updates(settings), 2).value();
  }

  iceberg::TableMetadata metadata_ =
      iceberg::MakeTableMetadata(
          {.schema = {.fields = {{.id = 1, .name = "c", .type = iceberg::Type::Primitive(iceberg::TypeId::kString)}}},
           .spec = {.fields = {{.source_id = 1, .field_id = 1000, .name = "c"}}},
           .location = "memory/t"},
          1)
          .value();
};

TEST_F(DeleteFormUpdatesTest, AreNoneForATableThatHasAll) { EXPECT_THAT(Updates({}), IsEmpty()); }

TEST_F(DeleteFormUpdatesTest, UpgradeATableThatNeverGoesBack) {
  Apply({.format_version = 3});
  EXPECT_EQ(metadata_.format_version, 3);
  EXPECT_EQ(metadata_.next_row_id, 0);
  EXPECT_THAT(Updates({.format_version = 3}), IsEmpty());
  EXPECT_TRUE(CheckFormatVersion(metadata_, {.format_version = 3}).has_value());
  const Status back = CheckFormatVersion(metadata_, {.format_version = 2});
  EXPECT_EQ(back.error().kind(), ErrorKind::kInvalidConfig);
  EXPECT_THAT(back.error().message(), HasSubstr("destination.format_version: 3"));
}

TEST_F(DeleteFormUpdatesTest, AddASpecForEqualityDeletesOfTheWholeTable) {
  Apply({.deletes = DeleteForm::kEquality});
  EXPECT_TRUE(iceberg::FindUnpartitionedSpec(metadata_).has_value());
  EXPECT_EQ(metadata_.default_spec_id, 0);
  EXPECT_THAT(Updates({.deletes = DeleteForm::kEquality}), IsEmpty());
}

}  // namespace
}  // namespace firn::pipeline
