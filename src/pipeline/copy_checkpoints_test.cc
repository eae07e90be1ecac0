#include "pipeline/copy_checkpoints.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "testing/memory_file_store.h"
#include "testing/results.h"
#include "testing/temporary_folder.h"

namespace firn::pipeline {

namespace {

using firn::testing::Do;
using firn::testing::Value;
using postgres::BlockRange;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

constexpr TableOid kTable{16400};

std::vector<std::pair<int64_t, int64_t>> Pairs(const std::vector<BlockRange>& ranges) {
  std::vector<std::pair<int64_t, int64_t>> pairs;
  for (const BlockRange& range : ranges) pairs.emplace_back(range.first, range.last.value_or(-1));
  return pairs;
}

class CopyCheckpointsTest : public ::testing::Test {
 protected:
  CopyCheckpointsTest() {
    iceberg::NewTable table{.location = "file:///lake/t"};
    table.schema.fields = {
        {.id = 1, .name = "id", .required = true, .type = iceberg::Type::Primitive(iceberg::TypeId::kLong)},
        {.id = 2, .name = "region", .type = iceberg::Type::Primitive(iceberg::TypeId::kString)}};
    table.spec.fields = {{.source_id = 2, .field_id = 1000, .name = "region", .transform = {}}};
    metadata_ = Value(iceberg::MakeTableMetadata(table, 1));
    plan_ = {{"table_uuid", metadata_.table_uuid}, {"snapshot_id", -1}};
  }

  iceberg::DataFile File(const std::string& name) {
    const std::string location = "file:///lake/t/data/" + name;
    Do(store_.Write(location, "rows"));
    return {.file_path = location,
            .partition_spec_id = metadata_.default_spec_id,
            .partition = {iceberg::Literal("north")},
            .record_count = 5,
            .file_size_in_bytes = 4,
            .column_sizes = {{1, 10}, {2, 20}},
            .value_counts = {{1, 5}, {2, 5}},
            .null_value_counts = {{1, 0}, {2, 1}},
            .lower_bounds = {{1, std::string("\1\0\0\0\0\0\0\0", 8)}},
            .upper_bounds = {{1, std::string("\5\0\0\0\0\0\0\0", 8)}},
            .split_offsets = {4}};
  }
  void Add(const CopiedRanges& part) { Do(checkpoints_.Add(kTable, plan_, metadata_, part)); }
  std::optional<CopiedRanges> Read() { return checkpoints_.Read(kTable, plan_, metadata_); }
  bool IsThere(const iceberg::DataFile& file) { return store_.Stat(file.file_path).has_value(); }

  const firn::testing::TemporaryFolder folder_;
  const CopyCheckpoints checkpoints_{folder_.path()};
  testing::MemoryFileStore store_;
  iceberg::TableMetadata metadata_;
  nlohmann::json plan_;
};

TEST_F(CopyCheckpointsTest, GivesBackRangesAndFilesOfAllParts) {
  const iceberg::DataFile a = File("a"), b = File("b"), c = File("c");
  Add({.since = Lsn{200}, .ranges = {{.first = 0, .last = 8}, {.first = 16, .last = 24}}, .files = {a, b}, .rows = 10});
  Add({.since = Lsn{200}, .ranges = {{.first = 8, .last = 16}}, .files = {}, .rows = 0});
  Add({.since = Lsn{200}, .ranges = {{.first = 40}}, .files = {c}, .rows = 5});
  const auto copied = Read();
  ASSERT_TRUE(copied);
  EXPECT_EQ(copied->since, Lsn{200});
  EXPECT_EQ(copied->rows, 15);
  EXPECT_EQ(Pairs(copied->ranges), (std::vector<std::pair<int64_t, int64_t>>{{0, 24}, {40, -1}}));
  EXPECT_THAT(copied->files, UnorderedElementsAre(a, b, c));
  EXPECT_THAT(checkpoints_.FilesOfAll(), UnorderedElementsAre(a.file_path, b.file_path, c.file_path));
}

TEST_F(CopyCheckpointsTest, GivesNothingForAnotherPlanOrAfterItWasSpoilt) {
  EXPECT_FALSE(Read());
  EXPECT_FALSE(checkpoints_.Has(kTable));
  Add({.since = Lsn{200}, .ranges = {{.first = 0, .last = 8}}, .files = {File("a")}, .rows = 5});
  EXPECT_TRUE(checkpoints_.Has(kTable));
  EXPECT_TRUE(Read());
  nlohmann::json other = plan_;
  other["snapshot_id"] = 7;
  EXPECT_FALSE(checkpoints_.Read(kTable, other, metadata_));
  EXPECT_FALSE(checkpoints_.Read(TableOid{1}, plan_, metadata_));
  std::ofstream(folder_ / "16400/0", std::ios::trunc) << "{\"since\":";
  EXPECT_FALSE(Read());
}

TEST_F(CopyCheckpointsTest, IgnoresWhatAWriteThatBrokeOffHasLeft) {
  Add({.since = Lsn{200}, .ranges = {{.first = 0, .last = 8}}, .files = {File("a")}, .rows = 5});
  std::ofstream(folder_ / "16400/8.tmp") << "half";
  EXPECT_TRUE(Read());
}

TEST_F(CopyCheckpointsTest, DeletesFilesThatAreInNoSnapshot) {
  const iceberg::DataFile a = File("a");
  Add({.since = Lsn{200}, .ranges = {{.first = 0, .last = 8}}, .files = {a}, .rows = 5});
  Do(checkpoints_.Discard(kTable, store_, metadata_));
  EXPECT_FALSE(IsThere(a));
  EXPECT_FALSE(checkpoints_.Has(kTable));
  EXPECT_THAT(checkpoints_.FilesOfAll(), IsEmpty());
}

TEST_F(CopyCheckpointsTest, KeepsFilesThatMayBeInASnapshot) {
  const iceberg::DataFile a = File("a"), b = File("b"), c = File("c");
  Add({.since = Lsn{200}, .ranges = {{.first = 0, .last = 8}}, .files = {a}, .rows = 5});
  Do(checkpoints_.MarkCommitting(kTable));
  EXPECT_TRUE(Read());
  Do(checkpoints_.Discard(kTable, store_, metadata_));
  EXPECT_TRUE(IsThere(a));
  EXPECT_FALSE(checkpoints_.Has(kTable));

  Add({.since = Lsn{200}, .ranges = {{.first = 0, .last = 8}}, .files = {b}, .rows = 5});
  metadata_.current_snapshot_id = 7;
  Do(checkpoints_.Discard(kTable, store_, metadata_));
  EXPECT_TRUE(IsThere(b));

  Add({.since = Lsn{200}, .ranges = {{.first = 0, .last = 8}}, .files = {c}, .rows = 5});
  Do(checkpoints_.Forget(kTable));
  EXPECT_TRUE(IsThere(c));
  EXPECT_FALSE(checkpoints_.Has(kTable));
}

// --- Keys of rows that have changed ---

class KeptKeysTest : public CopyCheckpointsTest {
 protected:
  static ChangedKeys Keys(std::initializer_list<std::string> names) {
    ChangedKeys keys;
    for (const std::string& name : names) keys.Add(name, "(" + name + ")");
    return keys;
  }
  KeptKeys Find(Lsn since) {
    KeptKeys kept{.until = since};
    checkpoints_.FindKeys(kTable, kept);
    return kept;
  }
  /// In all shares together; each key in one of them.
  static std::vector<std::string> All(const KeptKeys& kept, size_t shares = 1) {
    std::vector<std::string> all;
    for (size_t share = 0; share < shares; ++share) {
      const ChangedKeys keys = Value(ReadKeys(kept, share, shares));
      for (size_t i = 0; i < keys.sql().size(); ++i) {
        EXPECT_EQ(keys.sql()[i], "(" + std::string(keys.encoded()[i]) + ")");
        all.emplace_back(keys.encoded()[i]);
      }
    }
    return all;
  }
  std::string PathOf(const std::string& name) const { return folder_ / ("16400/" + name); }
};

TEST_F(KeptKeysTest, AreThoseOfAllStretchesThatFollowEachOther) {
  EXPECT_EQ(Find(Lsn{200}).until, Lsn{200});
  Do(checkpoints_.AddKeys(kTable, Lsn{200}, Lsn{300}, 0, Keys({"a", "b"})));
  Do(checkpoints_.AddKeys(kTable, Lsn{300}, Lsn{350}, 0, Keys({})));
  Do(checkpoints_.AddKeyPart(kTable, Lsn{350}, 0, Keys({"b", "c"})));
  Do(checkpoints_.AddKeyPart(kTable, Lsn{350}, 1, Keys({"d", "e"})));
  EXPECT_EQ(Find(Lsn{200}).until, Lsn{350});  // What the parts are of is not known yet.
  Do(checkpoints_.AddKeys(kTable, Lsn{350}, Lsn{400}, 2, Keys({"a", "f"})));
  Do(checkpoints_.AddKeys(kTable, Lsn{401}, Lsn{500}, 0, Keys({"after a gap"})));
  const KeptKeys kept = Find(Lsn{200});
  EXPECT_EQ(kept.until, Lsn{400});
  EXPECT_EQ(kept.keys, 8U);
  EXPECT_GT(kept.bytes, 8U * 100);
  EXPECT_THAT(All(kept), UnorderedElementsAre("a", "b", "c", "d", "e", "f"));
  EXPECT_THAT(All(kept, 5), UnorderedElementsAre("a", "b", "c", "d", "e", "f"));
  EXPECT_THAT(All(Find(Lsn{300})), UnorderedElementsAre("a", "b", "c", "d", "e", "f"));
  EXPECT_EQ(Find(Lsn{201}).until, Lsn{201});
}

TEST_F(KeptKeysTest, EndWhereALogIsBrokenOrMissing) {
  Do(checkpoints_.AddKeys(kTable, Lsn{0x200}, Lsn{0x300}, 0, Keys({"a"})));
  Do(checkpoints_.AddKeyPart(kTable, Lsn{0x300}, 0, Keys({"b"})));
  Do(checkpoints_.AddKeys(kTable, Lsn{0x300}, Lsn{0x400}, 1, Keys({"c"})));
  Do(checkpoints_.AddKeys(kTable, Lsn{0x400}, Lsn{0x500}, 0, Keys({"d"})));
  ASSERT_EQ(Find(Lsn{0x200}).until, Lsn{0x500});

  std::filesystem::resize_file(PathOf("keys-0000000000000400"), 20);
  EXPECT_EQ(Find(Lsn{0x200}).until, Lsn{0x400});
  std::filesystem::remove(PathOf("keys-0000000000000300.0"));
  const KeptKeys kept = Find(Lsn{0x200});
  EXPECT_EQ(kept.until, Lsn{0x300});
  EXPECT_THAT(All(kept), UnorderedElementsAre("a"));

  // Those that are asked for again take their place.
  Do(checkpoints_.AddKeys(kTable, Lsn{0x300}, Lsn{0x600}, 0, Keys({"b", "c", "e"})));
  EXPECT_EQ(Find(Lsn{0x200}).until, Lsn{0x600});
  EXPECT_THAT(All(Find(Lsn{0x200})), UnorderedElementsAre("a", "b", "c", "e"));
}

TEST_F(KeptKeysTest, OfAnotherPlaceAreNotTaken) {
  Do(checkpoints_.AddKeys(kTable, Lsn{0x200}, Lsn{0x300}, 0, Keys({"a"})));
  std::filesystem::rename(PathOf("keys-0000000000000200"), PathOf("keys-0000000000000250"));
  EXPECT_EQ(Find(Lsn{0x250}).until, Lsn{0x250});
}

TEST_F(KeptKeysTest, GoWithTheRanges) {
  Add({.since = Lsn{200}, .ranges = {{.first = 0, .last = 8}}, .files = {File("a")}, .rows = 5});
  Do(checkpoints_.AddKeyPart(kTable, Lsn{200}, 0, Keys({"a"})));
  Do(checkpoints_.AddKeys(kTable, Lsn{200}, Lsn{300}, 1, Keys({"b"})));
  ASSERT_TRUE(Read());
  EXPECT_EQ(Pairs(Read()->ranges), (std::vector<std::pair<int64_t, int64_t>>{{0, 8}}));
  const KeptKeys kept = Find(Lsn{200});
  Do(checkpoints_.Discard(kTable, store_, metadata_));
  EXPECT_EQ(Find(Lsn{200}).until, Lsn{200});
  EXPECT_FALSE(ReadKeys(kept, 0, 1));
}

TEST(MergeRangesTest, PutsTogetherWhatTouches) {
  EXPECT_EQ(
      Pairs(MergeRanges({{.first = 8, .last = 16}, {.first = 0, .last = 8}, {.first = 20}, {.first = 30, .last = 40}})),
      (std::vector<std::pair<int64_t, int64_t>>{{0, 16}, {20, -1}}));
}

TEST(RangesLeftTest, AreWhatWasNotRead) {
  using Ranges = std::vector<std::pair<int64_t, int64_t>>;
  EXPECT_EQ(Pairs(RangesLeft({})), (Ranges{{0, -1}}));
  EXPECT_EQ(Pairs(RangesLeft({{.first = 8, .last = 16}, {.first = 24, .last = 32}})),
            (Ranges{{0, 8}, {16, 24}, {32, -1}}));
  EXPECT_EQ(Pairs(RangesLeft({{.first = 0, .last = 8}, {.first = 16}})), (Ranges{{8, 16}}));
  EXPECT_EQ(Pairs(RangesLeft({{.first = 0}})), Ranges{});
}

}  // namespace
}  // namespace firn::pipeline
