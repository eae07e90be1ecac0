#include "pipeline/delete_form.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>

#include "iceberg/equality_deletes.h"
#include "testing/memory_catalog.h"
#include "testing/orders_table.h"
#include "testing/other_firn.h"

namespace firn::pipeline {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

TableLayout KeyOf(iceberg::Type type, DeleteForm form, RowIdentity identity = RowIdentity::kKey) {
  return {.schema = {.fields = {{.id = 1, .name = "k", .required = true, .type = std::move(type)}}},
          .identity = identity,
          .deletes = form,
          .key_columns = {0}};
}

const iceberg::Type kNumber = iceberg::Type::Primitive(iceberg::TypeId::kDouble);

TEST(CheckDeleteForm, TakesKeysThatCanBeCompared) {
  for (const auto& type : {iceberg::Type::Primitive(iceberg::TypeId::kLong), iceberg::Type::Decimal(10, 2),
                           iceberg::Type::Primitive(iceberg::TypeId::kUuid)}) {
    EXPECT_TRUE(CheckDeleteForm(KeyOf(type, DeleteForm::kEquality)).has_value());
  }
}

TEST(CheckDeleteForm, RefusesKeysThatCantBeComparedAndNoKeyAtAll) {
  const Status floating = CheckDeleteForm(KeyOf(kNumber, DeleteForm::kEquality));
  EXPECT_EQ(floating.error().kind(), ErrorKind::kInvalidConfig);
  EXPECT_THAT(floating.error().message(), HasSubstr("key column \"k\" (double)"));
  EXPECT_TRUE(CheckDeleteForm(KeyOf(kNumber, DeleteForm::kPosition)).has_value());
  const auto list = iceberg::Type::List({.id = 2, .name = "element", .type = kNumber});
  EXPECT_FALSE(CheckDeleteForm(KeyOf(list, DeleteForm::kEquality)).has_value());

  constexpr auto kWholeRow = RowIdentity::kWholeRow;
  EXPECT_THAT(CheckDeleteForm(KeyOf(kNumber, DeleteForm::kEquality, kWholeRow)).error().message(),
              HasSubstr("needs a key"));
  EXPECT_TRUE(CheckDeleteForm(KeyOf(kNumber, DeleteForm::kPosition, kWholeRow)).has_value());
}

TEST(CheckDeleteForm, RefusesToDeleteByKeyWhereDeletedRowsStay) {
  TableLayout layout = KeyOf(iceberg::Type::Primitive(iceberg::TypeId::kLong), DeleteForm::kEquality);
  for (const ChangeMode mode : {ChangeMode::kHistory, ChangeMode::kSoftDelete}) {
    layout.mode = mode;
    layout.deletes = DeleteForm::kEquality;
    EXPECT_FALSE(CheckDeleteForm(layout).has_value());
    layout.deletes = DeleteForm::kPosition;
    EXPECT_TRUE(CheckDeleteForm(layout).has_value());
  }
  layout.mode = ChangeMode::kAppend;
  layout.deletes = DeleteForm::kEquality;
  EXPECT_TRUE(CheckDeleteForm(layout).has_value());
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

using Fault = testing::MemoryCatalog::Fault;

const RetryPolicy kQuick{.max_retries = 3, .base_delay = std::chrono::milliseconds(1)};

TEST(AdoptDeleteForm, IsCommittedOnceWhateverComesInBetween) {
  for (const Fault fault : {Fault::kNone, Fault::kConflict, Fault::kConflictCommitted, Fault::kTransient,
                            Fault::kUnknownCommitted, Fault::kUnknownNotCommitted}) {
    testing::MemoryCatalog catalog;
    catalog::LoadedTable table = testing::MakeOrders(catalog);
    catalog.FailCommits({fault});
    testing::Do(AdoptDeleteForm(catalog, {.format_version = 3}, table, kQuick));
    EXPECT_EQ(table.metadata->format_version, 3) << static_cast<int>(fault);
    EXPECT_EQ(testing::Value(catalog.LoadTable(testing::kOrders)).metadata_location, table.metadata_location);
  }
}

TEST(AdoptDeleteForm, SaysWhatTheCatalogRefusesForGood) {
  testing::MemoryCatalog catalog;
  catalog::LoadedTable table = testing::MakeOrders(catalog);
  catalog.FailCommits({Fault::kPermission});
  EXPECT_EQ(AdoptDeleteForm(catalog, {.format_version = 3}, table, kQuick).error().kind(), ErrorKind::kPermission);
}

TEST(AdoptDeleteForm, TakesNoTableThatAnotherFirnHasWrittenMeanwhile) {
  for (const Fault fault : {Fault::kNone, Fault::kConflict}) {
    testing::MemoryCatalog catalog;
    catalog::LoadedTable table = testing::MakeOrders(catalog);
    catalog.FailCommits({Fault::kNone, fault});
    testing::LetAnotherFirnWriteFirst(catalog);
    const Status adopted = AdoptDeleteForm(catalog, {.format_version = 3}, table, kQuick);
    ASSERT_FALSE(adopted.has_value());
    EXPECT_EQ(adopted.error().kind(), ErrorKind::kSourceLost) << adopted.error().message();
  }
}

}  // namespace
}  // namespace firn::pipeline
