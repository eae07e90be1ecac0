#include "maintenance/reachable_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "testing/memory_file_store.h"
#include "testing/results.h"

namespace firn::maintenance {
namespace {

using ::testing::ElementsAre;
using testing::Value;

TEST(ReachableFiles, OfATableMayBeDeletedUnlessItSaysOtherwise) {
  iceberg::TableMetadata metadata;
  EXPECT_TRUE(MayDeleteFiles(metadata));
  for (const char* yes : {"true", "TRUE"}) {
    metadata.properties["gc.enabled"] = yes;
    EXPECT_TRUE(MayDeleteFiles(metadata)) << yes;
  }
  for (const char* no : {"false", "False", "", "no"}) {
    metadata.properties["gc.enabled"] = no;
    EXPECT_FALSE(MayDeleteFiles(metadata)) << no;
  }
}

TEST(ReachableFiles, StatisticsGoWithTheirSnapshots) {
  testing::MemoryFileStore store;
  iceberg::TableMetadata before;
  before.snapshots.push_back({.snapshot_id = 1, .manifest_list = "memory/t/metadata/gone.avro"});
  before.unread_json["statistics"] = R"([{"snapshot-id":1,"statistics-path":"memory://t/a"}])";
  before.unread_json["partition-statistics"] =
      R"([{"snapshot-id":1,"statistics-path":"memory://t/c"},{"snapshot-id":1,"statistics-path":"memory://t/shared"},)"
      R"({"statistics-path":"memory://t/whose"}])";
  iceberg::TableMetadata after;
  after.unread_json["statistics"] = R"([{"snapshot-id":2,"statistics-path":"memory://t/shared"}])";
  SnapshotFiles kept;
  EXPECT_THAT(Value(FilesGone(store, before, after, kept)), ElementsAre("memory://t/a", "memory://t/c"));
}

}  // namespace
}  // namespace firn::maintenance
