#include "iceberg/manifest_groups.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "iceberg/table_update.h"

namespace firn::iceberg {
namespace {

/// Partitioned by a string and a uuid.
TableMetadata ByNameAndUuid() {
  return MakeTableMetadata({.schema = {.fields = {{.id = 1, .name = "s", .type = Type::Primitive(TypeId::kString)},
                                                  {.id = 2, .name = "u", .type = Type::Primitive(TypeId::kUuid)}}},
                            .spec = {.fields = {{.source_id = 1, .field_id = 1000, .name = "s"},
                                                {.source_id = 2, .field_id = 1001, .name = "u"}}},
                            .location = "s3://lake/t"},
                           0)
      .value();
}

std::string UuidOf(uint8_t first, uint8_t ninth) {
  std::string uuid(16, '\0');
  uuid[0] = static_cast<char>(first);
  uuid[8] = static_cast<char>(ninth);
  return uuid;
}

TEST(ManifestGroups, TellUuidsApartByTheSignsOfTheirHalves) {
  const ManifestGroups groups(ByNameAndUuid());
  const auto of = [&](const Literal& uuid) { return groups.Of(DataFile{.partition = {"\x80", uuid}}).signs; };
  EXPECT_EQ(of(UuidOf(0x00, 0x00)), of(UuidOf(0x7F, 0x7F)));
  EXPECT_EQ(of(UuidOf(0x80, 0x80)), of(UuidOf(0xFF, 0xFF)));
  const std::set<std::string> all{of(UuidOf(0, 0)), of(UuidOf(0, 0x80)), of(UuidOf(0x80, 0)), of(UuidOf(0x80, 0x80)),
                                  of(Literal())};
  EXPECT_EQ(all.size(), 5U);
}

TEST(ManifestGroups, AreOneForASpecWithoutUuids) {
  NewTable table{.schema = {.fields = {{.id = 1, .name = "u", .type = Type::Primitive(TypeId::kUuid)}}},
                 .spec = {.fields = {{.source_id = 1,
                                      .field_id = 1000,
                                      .name = "b",
                                      .transform = {.kind = TransformKind::kBucket, .parameter = 4}}}}};
  const ManifestGroups groups(MakeTableMetadata(table, 0).value());
  EXPECT_EQ(groups.Of(DataFile{.partition = {1}}), (ManifestGroup{.spec_id = 0}));
  EXPECT_EQ(groups.Of(ManifestFile{}), (ManifestGroup{.spec_id = 0}));
}

TEST(ManifestGroups, KnowAManifestByItsBounds) {
  const ManifestGroups groups(ByNameAndUuid());
  ManifestFile manifest{.partitions = {{}, {.lower_bound = UuidOf(0, 0x80), .upper_bound = UuidOf(0x7F, 0xFF)}}};
  EXPECT_EQ(groups.Of(manifest), groups.Of(DataFile{.partition = {"a", UuidOf(0x10, 0x90)}}));
  manifest.partitions[1].upper_bound = UuidOf(0x80, 0x80);
  EXPECT_EQ(groups.Of(manifest), std::nullopt);
  manifest.partitions[1] = {.contains_null = true};
  EXPECT_EQ(groups.Of(manifest), groups.Of(DataFile{.partition = {"a", Literal()}}));
  manifest.partitions.clear();
  EXPECT_EQ(groups.Of(manifest), std::nullopt);
}

}  // namespace
}  // namespace firn::iceberg
