#include "iceberg/name_mapping.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace firn::iceberg {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(NameMappingTest, FindsAFieldByAnyOfItsNames) {
  const auto mapping = ParseNameMapping(R"([
    {"field-id": 1, "names": ["id", "record_id"]},
    {"names": ["only in the file"]},
    {"field-id": 2, "names": ["location"], "fields": [{"field-id": 3, "names": ["lat.itude"]}]}])");
  ASSERT_TRUE(mapping.has_value()) << mapping.error().message();
  EXPECT_EQ(FindMapped(*mapping, "record_id")->field_id, 1);
  EXPECT_EQ(FindMapped(*mapping, "only in the file")->field_id, std::nullopt);
  EXPECT_THAT(FindMapped(FindMapped(*mapping, "location")->fields, "lat.itude")->names, ElementsAre("lat.itude"));
  EXPECT_EQ(FindMapped(*mapping, "lat.itude"), nullptr);
}

TEST(NameMappingTest, NamesThePropertyThatIsNoMapping) {
  for (const char* text : {"", "{}", "[7]", R"([{"field-id": "1", "names": []}])", R"([{"names": [1]}])"}) {
    const auto mapping = ParseNameMapping(text);
    ASSERT_FALSE(mapping.has_value()) << text;
    EXPECT_EQ(mapping.error().kind(), ErrorKind::kCorrupt);
    EXPECT_THAT(mapping.error().message(), HasSubstr("schema.name-mapping.default"));
  }
}

}  // namespace
}  // namespace firn::iceberg
