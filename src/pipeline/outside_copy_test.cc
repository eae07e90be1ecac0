#include "pipeline/outside_copy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "iceberg/row_delta.h"
#include "testing/memory_catalog.h"
#include "testing/memory_file_store.h"
#include "testing/results.h"

namespace firn::pipeline {
namespace {

using ::testing::AllOf;
using testing::Do;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;
using testing::Value;

constexpr int64_t kRange = 100 * 8'192;

class OutsideCopyTest : public ::testing::Test {
 protected:
  OutsideCopyTest() {
    source_.oid = TableOid{16'400};
    source_.name = {"public", "orders"};
    source_.columns = {Column(1, "id", 20, "bigint")};
    source_.columns.front().not_null = true;
    source_.key_columns = {0};
    source_.pages = 250;
    source_.version.heaps = {{.oid = source_.oid, .file = 1}};
  }

  static SourceColumn Column(int16_t attnum, const std::string& name, TypeOid oid, const std::string& type,
                             int32_t modifier = -1) {
    return {.attnum = attnum,
            .name = name,
            .type_oid = oid,
            .type_modifier = modifier,
            .type_name = type,
            .declared_type_oid = oid,
            .declared_type_modifier = modifier};
  }
  void Add(const std::string& name, TypeOid oid, int32_t modifier = -1) {
    source_.columns.push_back(
        Column(static_cast<int16_t>(source_.columns.size() + 1), name, oid, "of " + name, modifier));
  }
  TargetTable Target() {
    testing::MemoryCatalog catalog;
    return Value(CreateTargetTable(catalog, source_, {}, settings_));
  }
  std::string Why() { return WhyNotOutside(Target(), kRange); }

  SourceTable source_;
  TableSettings settings_;
};

TEST_F(OutsideCopyTest, ReadsALargeTableInRangesOfItsHeap) {
  EXPECT_EQ(Why(), "");
  const OutsideTable table = PlanOutside(Target(), kRange);
  EXPECT_EQ(table.from, R"(ONLY "public"."orders")");
  EXPECT_THAT(table.branch, AllOf(StartsWith("firn_copy_"), SizeIs(18)));
  ASSERT_THAT(table.ranges, SizeIs(3));
  EXPECT_EQ(table.ranges[0].first, 0);
  EXPECT_EQ(table.ranges[1].first, 100);
  EXPECT_EQ(table.ranges[1].last, 200);
  // What the estimate missed is read, too.
  EXPECT_EQ(table.ranges[2].last, std::nullopt);
}

TEST_F(OutsideCopyTest, CastsWhatDriversDoNotCarryAsItIs) {
  Add("text", 25);
  Add("amount", 1700, 4 + (9 << 16 | 2));
  Add("any", 1700);
  Add("day", 1082);
  Add("at", 1114);
  Add("utc", 1184);
  Add("u", 2950);
  Add("net", 869);
  const OutsideTable table = PlanOutside(Target(), kRange);
  ASSERT_THAT(table.columns, SizeIs(9));
  const auto column = [&](size_t i) { return table.columns[i].type + " " + table.columns[i].sql; };
  EXPECT_EQ(column(0), R"(bigint "id"::int8)");
  EXPECT_EQ(column(1), R"(string CASE WHEN num_nulls("text") = 0 THEN format('%s', "text") END)");
  EXPECT_EQ(column(2), R"(decimal(9,2) "amount"::numeric(9,2))");
  EXPECT_THAT(column(3), HasSubstr("string CASE"));
  EXPECT_EQ(column(4), R"(int ("day"::date - '1970-01-01'::date))");
  EXPECT_THAT(column(5), StartsWith("bigint "));
  EXPECT_THAT(column(6), HasSubstr(R"("utc" AT TIME ZONE 'UTC')"));
  EXPECT_EQ(column(7), R"(string "u"::text)");
  EXPECT_THAT(column(8), HasSubstr("string CASE"));
  EXPECT_EQ(table.columns[4].form, OutsideForm::kDays);
  EXPECT_EQ(table.columns[5].form, OutsideForm::kMicros);
  EXPECT_EQ(table.columns[6].form, OutsideForm::kMicrosUtc);
}

TEST_F(OutsideCopyTest, TablesThatItCannotCopyRightAreLeftToFirn) {
  const auto refused = [&](const std::function<void()>& change, const std::string& reason) {
    const SourceTable source = source_;
    const TableSettings settings = settings_;
    change();
    EXPECT_THAT(Why(), HasSubstr(reason));
    source_ = source;
    settings_ = settings;
  };
  refused([&] { source_.key_columns.clear(); }, "no key");
  refused([&] { source_.pages = 100; }, "copy_range_bytes");
  refused([&] { settings_.mode = ChangeMode::kSoftDelete; }, "change mode");
  refused([&] { settings_.track_changes = true; }, "columns that firn makes");
  refused([&] { source_.version.heaps.push_back({.oid = TableOid{16'401}, .file = 2}); }, "partitioned");
  refused([&] { source_.version.heaps.front().oid = TableOid{16'401}; }, "partitioned");
  refused([&] { Add("t", 1083); }, "its column t");
  refused([&] { Add("c", 18); }, "its column c");
  refused(
      [&] {
        Add("d", 1082);
        settings_.columns.policy = encode::ValuePolicy::kClamp;
      },
      "its column d");
  refused(
      [&] {
        Add("n", 1700);
        settings_.columns.types.emplace("n", iceberg::Type::Decimal(38, 9));
      },
      "its column n");
  refused(
      [&] {
        Add("n", 23);
        settings_.columns.types.emplace("n", iceberg::Type::Primitive(iceberg::TypeId::kString));
      },
      "its column n");
  refused(
      [&] {
        Add("n", 23);
        source_.columns.back().missing_value = "7";
        settings_.format_version = 3;
      },
      "added with a default");
}

/// A table with a copy's branch, which has one data file.
class CopyBranchTest : public ::testing::Test {
 protected:
  CopyBranchTest() {
    Do(catalog_.EnsureNamespace({"public"}));
    iceberg::NewTable table{.location = "memory://warehouse/t", .format_version = 3};
    table.schema.fields = {{.id = 1, .name = "id", .type = iceberg::Type::Primitive(iceberg::TypeId::kLong)}};
    Value(catalog_.CreateTable(kTable, table));
  }
  catalog::LoadedTable Load() { return Value(catalog_.LoadTable(kTable)); }
  void Commit(const std::string& branch, const std::string& file) {
    Do(store_.Write(file, "rows"));
    const catalog::LoadedTable table = Load();
    iceberg::ManifestCache cache;
    auto request = Value(iceberg::BuildRowDelta(
        store_, kTable, *table.metadata,
        {.added_data_files = {{.file_path = file, .record_count = 7, .file_size_in_bytes = 4}}}, cache, 1));
    for (iceberg::Update& update : request.updates) {
      if (auto* ref = std::get_if<iceberg::SetSnapshotRef>(&update)) ref->ref = branch;
    }
    Value(catalog_.CommitTables(std::span(&request, 1)));
  }
  bool IsThere(const std::string& file) { return store_.Stat(file).has_value(); }

  const iceberg::TableIdent kTable{{"public"}, "t"};
  const std::string kFile = "memory://warehouse/t/data/a.parquet";
  testing::MemoryCatalog catalog_;
  testing::MemoryFileStore store_;
};

TEST_F(CopyBranchTest, ItsFilesAreReadAsRangesOfTheWholeHeap) {
  Commit("firn_copy_1", kFile);
  EXPECT_TRUE(HasCopyBranch(*Load().metadata));
  EXPECT_EQ(Load().metadata->CurrentSnapshot(), nullptr);
  const CopiedRanges copied = Value(ReadOutside(store_, *Load().metadata, "firn_copy_1", Lsn{100}));
  EXPECT_EQ(copied.since, Lsn{100});
  EXPECT_EQ(copied.rows, 7);
  EXPECT_THAT(copied.files, ElementsAre(AllOf(Field(&iceberg::DataFile::file_path, kFile),
                                              Field(&iceberg::DataFile::first_row_id, std::nullopt))));
  EXPECT_THAT(RangesLeft(copied.ranges), IsEmpty());
  EXPECT_FALSE(ReadOutside(store_, *Load().metadata, "firn_copy_2", Lsn{100}));
}

TEST_F(CopyBranchTest, IsDroppedWithItsSnapshotAndFiles) {
  Commit("firn_copy_1", kFile);
  const std::string list = Load().metadata->snapshots.front().manifest_list;
  Do(DropCopyBranches(catalog_, store_, kTable, {}, {}, {}));
  EXPECT_FALSE(HasCopyBranch(*Load().metadata));
  EXPECT_TRUE(Load().metadata->snapshots.empty());
  EXPECT_FALSE(IsThere(kFile));
  EXPECT_FALSE(IsThere(list));
}

TEST_F(CopyBranchTest, DataFilesThatAreRememberedStay) {
  Commit("firn_copy_1", kFile);
  Do(DropCopyBranches(catalog_, store_, kTable, {kFile}, {}, {}));
  EXPECT_TRUE(Load().metadata->snapshots.empty());
  EXPECT_TRUE(IsThere(kFile));
}

TEST_F(CopyBranchTest, WhatTheTableHasStays) {
  Commit("firn_copy_1", kFile);
  const std::string mine = "memory://warehouse/t/data/b.parquet";
  Commit("main", mine);
  Commit("firn_copyright", "memory://warehouse/t/data/c.parquet");
  Do(DropCopyBranches(catalog_, store_, kTable, {}, {}, {}));
  EXPECT_THAT(Load().metadata->refs, SizeIs(2));
  EXPECT_THAT(Load().metadata->snapshots, SizeIs(2));
  EXPECT_TRUE(IsThere(mine));
  // A commit to main may have taken it up.
  EXPECT_TRUE(IsThere(kFile));
}

}  // namespace
}  // namespace firn::pipeline
