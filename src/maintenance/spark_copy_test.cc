#include "maintenance/spark_copy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "testing/results.h"
#include "testing/stand_in_spark.h"

namespace firn::maintenance {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using testing::Value;

class SparkCopyTest : public testing::StandInSpark {
 protected:
  void SetUp() override {
    StandInSpark::SetUp();
    options_ = {.spark = {.submit = Submit(), .catalog = "firn"},
                .jdbc = {{"uri", "jdbc:postgresql://db:5432/shop"}, {"user", "firn"}, {"password", "open sesame"}}};
    tables_ = {{.ident = {{"public"}, "orders"},
                .branch = "firn_copy_1",
                .from = R"(ONLY "public"."orders")",
                .columns = {{.name = "id", .sql = R"("id"::int8)", .type = "bigint"},
                            {.name = "day", .sql = "…", .type = "int", .form = pipeline::OutsideForm::kDays}},
                .ranges = {{.first = 0, .last = 8}, {.first = 8}}},
               {.ident = {{"public"}, "lines"}, .branch = "firn_copy_2"}};
  }
  Result<std::vector<Status>> Copy() { return SparkCopier(options_).Copy(tables_, {}); }

  SparkCopyOptions options_;
  std::vector<pipeline::OutsideTable> tables_;
};

TEST_F(SparkCopyTest, HandsOverWhatIsReadAndHow) {
  MakeSpark(
      "cp $JOB $HERE/job; stat -c %a $JOB > $HERE/mode; echo \"$@\" > $HERE/arguments; ls $(dirname $JOB) > "
      "$HERE/files\n"
      "echo 'firn: {\"table\": 0, \"done\": true}'; echo 'firn: {\"table\": 1, \"done\": true}'\n");
  const auto outcomes = Value(Copy());
  ASSERT_THAT(outcomes, SizeIs(2));
  EXPECT_TRUE(outcomes[0] && outcomes[1]);
  EXPECT_EQ(Read("mode"), "600\n");
  EXPECT_THAT(Read("arguments"), Not(HasSubstr("sesame")));
  EXPECT_THAT(Read("files"), HasSubstr("spark_job.py"));
  const auto job = nlohmann::json::parse(Read("job"));
  EXPECT_EQ(job["jdbc"]["password"], "open sesame");
  EXPECT_THAT(job["settings"].get<std::string>(), AllOf(HasSubstr("row_security = off"), HasSubstr("iso_8601")));
  EXPECT_EQ(job["tables"][0]["name"], nlohmann::json({"public", "orders"}));
  EXPECT_EQ(job["tables"][0]["ranges"], nlohmann::json::parse("[[0, 8], [8, null]]"));
  EXPECT_EQ(job["tables"][0]["columns"][1]["form"], "days");
  EXPECT_THAT(std::vector(fs::directory_iterator(Temporary()), {}), IsEmpty());
}

TEST_F(SparkCopyTest, ATableThatFailsLeavesTheOthers) {
  MakeSpark(
      "echo 'firn: {\"table\": 0, \"error\": \"java.lang.ClassNotFoundException: org.postgresql.Driver, open "
      "sesame\"}'\n"
      "echo 'firn: {\"table\": 1, \"done\": true}'\n");
  const auto outcomes = Value(Copy());
  ASSERT_FALSE(outcomes[0]);
  EXPECT_EQ(outcomes[0].error().kind(), ErrorKind::kWriteFailed);
  EXPECT_THAT(outcomes[0].error().message(),
              AllOf(HasSubstr("add org.postgresql:postgresql"), Not(HasSubstr("sesame"))));
  EXPECT_TRUE(outcomes[1]);
}

TEST_F(SparkCopyTest, AJobThatBreaksOffFailsWhatItHasNotTold) {
  MakeSpark("echo 'firn: {\"table\": 0, \"done\": true}'; echo 'lost executor of open sesame' >&2; exit 1\n");
  const auto outcomes = Value(Copy());
  EXPECT_TRUE(outcomes[0]);
  ASSERT_FALSE(outcomes[1]);
  EXPECT_THAT(outcomes[1].error().message(), AllOf(HasSubstr("exit code 1"), HasSubstr("lost executor of ***")));
}

}  // namespace
}  // namespace firn::maintenance
