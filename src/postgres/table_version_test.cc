#include "postgres/table_version.h"

#include <gtest/gtest.h>

namespace firn::postgres {
namespace {

TEST(ShareEntryTest, FindsAnEntryThatBothHave) {
  EXPECT_TRUE(ShareEntry("r16400", "r16400"));
  EXPECT_TRUE(ShareEntry("n16402,r16400", "r16400,r16404"));
  EXPECT_FALSE(ShareEntry("r16400", "r164001"));
  EXPECT_FALSE(ShareEntry("r16400", ""));
}

TEST(ShareEntryTest, TakesThePublicationsVersionForNoEntry) {
  EXPECT_FALSE(ShareEntry("r16400,v742.iudt.5a1f07c3", "r16404,v742.iudt.5a1f07c3"));
  EXPECT_TRUE(ShareEntry("r16400", "r16400,v742.iudt.5a1f07c3"));
}

TEST(MayHaveLeftOutTest, IsTheCaseWhereThePublicationWasAlteredAndNothingElseOfItShows) {
  EXPECT_TRUE(MayHaveLeftOut("r1,v742.iudt.5a1f07c3", "r1,v744.iudt.5a1f07c3"));
  EXPECT_FALSE(MayHaveLeftOut("r1,v742.iudt.5a1f07c3", "r1,v742.iudt.5a1f07c3"));
  EXPECT_FALSE(MayHaveLeftOut("r1,v742.iudt.5a1f07c3", "r1,v744.iudt.00000000"));  // Another owner.
}

TEST(MayHaveLeftOutTest, IsTheCaseWhereOperationsAreBackAndNotWhereTheyAreGone) {
  EXPECT_TRUE(MayHaveLeftOut("r1,v742.i.5a1f07c3", "r1,v744.iudt.5a1f07c3"));
  EXPECT_TRUE(MayHaveLeftOut("r1,v742..5a1f07c3", "r1,v744.iudt.00000000"));
  // What is left out from now on is left out by intent.
  EXPECT_FALSE(MayHaveLeftOut("r1,v742.iudt.5a1f07c3", "r1,v744.i.5a1f07c3"));
  EXPECT_FALSE(MayHaveLeftOut("r1,v742.i.5a1f07c3", "r1,v744.i.5a1f07c3"));
}

TEST(MayHaveLeftOutTest, IsNotToldByTablesOfBeforeThereWereVersions) {
  EXPECT_FALSE(MayHaveLeftOut("r1", "r1,v744.iudt.5a1f07c3"));
  EXPECT_FALSE(MayHaveLeftOut("", "r1,v744.iudt.5a1f07c3"));
  EXPECT_FALSE(MayHaveLeftOut("r1,v742", "r1,v744.iudt.5a1f07c3"));
}

}  // namespace
}  // namespace firn::postgres
