#include "pipeline/table_request.h"

#include <gtest/gtest.h>

namespace firn::pipeline {
namespace {

std::optional<TableOid> Parse(std::string_view prefix, std::string_view content, bool transactional = true) {
  return ParseCopyRequest({.transactional = transactional, .prefix = prefix, .content = content}, "shop");
}

TEST(TableRequest, NamesItsTableByOid) { EXPECT_EQ(Parse("firn", "resync shop 16384"), TableOid{16384}); }

TEST(TableRequest, IsNotAnothersMessage) {
  EXPECT_EQ(Parse("app", "resync shop 16384"), std::nullopt);
  EXPECT_EQ(Parse("firn", "resync other 16384"), std::nullopt);
  EXPECT_EQ(Parse("firn", "resync shopping 16384"), std::nullopt);
  EXPECT_EQ(Parse("firn", "resync shop 16384", /*transactional=*/false), std::nullopt);
  EXPECT_EQ(Parse("firn", ""), std::nullopt);
}

TEST(TableRequest, IsNotOneThatIsDamaged) {
  EXPECT_EQ(Parse("firn", "resync shop "), std::nullopt);
  EXPECT_EQ(Parse("firn", "resync shop 16384x"), std::nullopt);
  EXPECT_EQ(Parse("firn", "resync shop 99999999999"), std::nullopt);
}

}  // namespace
}  // namespace firn::pipeline
