#include "maintenance/spark_compaction.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
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

class SparkCompactionTest : public testing::StandInSpark {
 protected:
  void SetUp() override {
    StandInSpark::SetUp();
    options_ = {.submit = Submit(),
                .master = "local[2]",
                .conf = {{"spark.executor.memory", "2g"}, {"spark.my.password", "open sesame\\"}},
                .catalog = "firn",
                .catalog_properties = {{"type", "rest"}, {"credential", "id:hush-hush"}},
                .environment = {{"AWS_SECRET_ACCESS_KEY", "very-secret"}}};
  }
  Result<std::vector<SparkOutcome>> Compact() { return CompactWithSpark(options_, tables_, stop_.get_token()); }

  SparkOptions options_;
  std::vector<SparkTable> tables_ = {{.ident = {{"public"}, "orders"}, .rewrite_options = {{"rewrite-all", "true"}}},
                                     {.ident = {{"public"}, "it`s"}, .format_version = 3, .is_sorted = true}};
  std::stop_source stop_;
};

constexpr const char* kBothTables =
    "echo 'firn: {\"spark\": \"4.1.4\"}'\n"
    "echo 'firn: {\"table\": 0, \"counts\": {\"rewritten_data_files_count\": 7, \"added_data_files_count\": 1,"
    " \"rewritten_bytes_count\": 4096, \"removed_delete_files_count\": 2, \"rewritten_delete_files_count\": 3}}'\n"
    "echo 'firn: {\"table\": 1, \"error\": \"No suitable driver, id:hush-hush\"}'\n";

TEST_F(SparkCompactionTest, GivesEachTablesOutcome) {
  MakeSpark(std::string("echo noise; echo 'firn: no json'\n") + kBothTables);
  const auto outcomes = Value(Compact());
  ASSERT_THAT(outcomes, SizeIs(2));
  const SparkCounts counts = Value(outcomes[0].result);
  EXPECT_EQ(counts.data_files_rewritten, 7);
  EXPECT_EQ(counts.data_files_added, 1);
  EXPECT_EQ(counts.bytes_rewritten, 4096);
  EXPECT_EQ(counts.delete_files_gone, 5);
  EXPECT_EQ(outcomes[1].ident.name, "it`s");
  ASSERT_FALSE(outcomes[1].result);
  EXPECT_THAT(outcomes[1].result.error().message(),
              AllOf(HasSubstr("public.it`s"), HasSubstr("org.xerial:sqlite-jdbc"), Not(HasSubstr("hush"))));
}

TEST_F(SparkCompactionTest, HandsOverTheJobInFilesThatNobodyElseReads) {
  MakeSpark(std::string("stat -c %a $JOB $PROPERTIES $(dirname $JOB) > $HERE/modes\n"
                        "cp $JOB $HERE/job; cp $PROPERTIES $HERE/properties; echo \"$@\" > $HERE/arguments\n"
                        "echo $AWS_SECRET_ACCESS_KEY > $HERE/environment\n") +
            kBothTables);
  Value(Compact());
  EXPECT_EQ(Read("modes"), "600\n600\n700\n");
  EXPECT_THAT(Read("arguments"),
              AllOf(Not(HasSubstr("hush")), Not(HasSubstr("sesame")), Not(HasSubstr("very-secret"))));
  EXPECT_EQ(Read("environment"), "very-secret\n");
  EXPECT_THAT(Read("properties"),
              AllOf(HasSubstr("spark.master=local[2]\n"), HasSubstr("spark.executor.memory=2g\n"),
                    HasSubstr("spark.my.password=open sesame\\\\\n"), HasSubstr("spark.submit.deployMode=client\n"),
                    HasSubstr("IcebergSparkSessionExtensions\n"), Not(HasSubstr("hush"))));
  const auto job = nlohmann::json::parse(Read("job"));
  EXPECT_EQ(job["session"]["spark.sql.catalog.firn.credential"], "id:hush-hush");
  EXPECT_EQ(job["tables"][0]["name"], nlohmann::json({"public", "orders"}));
  EXPECT_EQ(job["tables"][0]["options"]["rewrite-all"], "true");
  EXPECT_EQ(job["tables"][1]["format_version"], 3);
  EXPECT_EQ(job["tables"][0]["sorted"], false);
  EXPECT_EQ(job["tables"][1]["sorted"], true);
  EXPECT_FALSE(job.contains("remote"));
  EXPECT_THAT(std::vector(fs::directory_iterator(Temporary()), {}), IsEmpty());
}

TEST_F(SparkCompactionTest, KeepsWhatSparksOwnDefaultsSay) {
  fs::create_directory(folder_ / "conf");
  std::ofstream(folder_ / "conf/spark-defaults.conf") << "spark.eventLog.enabled true\nspark.master yarn";
  setenv("SPARK_CONF_DIR", (folder_ / "conf").c_str(), 1);
  MakeSpark(std::string("cp $PROPERTIES $HERE/properties\n") + kBothTables);
  Value(Compact());
  unsetenv("SPARK_CONF_DIR");
  const std::string properties = Read("properties");
  EXPECT_TRUE(properties.starts_with("spark.eventLog.enabled true\nspark.master yarn\n")) << properties;
  // Of a key that is there twice, the last counts.
  EXPECT_THAT(properties, HasSubstr("\nspark.master=local[2]\n"));
}

TEST_F(SparkCompactionTest, SparkConnectIsAskedByPython) {
  MakeSpark(std::string("cp $2 $HERE/job\n") + kBothTables, "python");
  options_.master = "sc://spark.example.org:15002";
  options_.python = folder_ / "python";
  Value(Compact());
  const auto job = nlohmann::json::parse(Read("job"));
  EXPECT_EQ(job["remote"], "sc://spark.example.org:15002");
  EXPECT_EQ(job["session"]["spark.executor.memory"], "2g");
}

TEST_F(SparkCompactionTest, AJobThatBreaksOffTellsItsLastLinesWithoutSecrets) {
  MakeSpark(
      "for i in $(seq 30); do echo \"line $i of id:hush-hush\" >&2; done\n"
      "echo '26/01/01 INFO ShutdownHookManager: Shutdown hook called' >&2; exit 1\n");
  const auto outcomes = Compact();
  ASSERT_FALSE(outcomes);
  EXPECT_EQ(outcomes.error().kind(), ErrorKind::kWriteFailed);
  EXPECT_THAT(outcomes.error().message(),
              AllOf(HasSubstr("exit code 1"), HasSubstr("line 30 of ***"), Not(HasSubstr("line 10 of")),
                    Not(HasSubstr("hush")), Not(HasSubstr("Shutdown hook"))));
  EXPECT_THAT(std::vector(fs::directory_iterator(Temporary()), {}), IsEmpty());
}

TEST_F(SparkCompactionTest, AnExitCodeOfZeroWithoutOutcomesIsAnError) {
  MakeSpark("echo 'firn: {\"spark\": \"4.1.4\"}'\n");
  const auto outcomes = Compact();
  ASSERT_FALSE(outcomes);
  EXPECT_EQ(outcomes.error().kind(), ErrorKind::kWriteFailed);
}

TEST_F(SparkCompactionTest, SaysThatJavaIsWrong) {
  MakeSpark(
      "echo 'Exception in thread \"main\" java.lang.UnsupportedClassVersionError: org/apache/spark/launcher/Main has "
      "been compiled by a more recent version of the Java Runtime (class file version 61.0)' >&2; exit 1\n");
  EXPECT_THAT(Compact().error().message(), HasSubstr("this Java is too old for this Spark"));
  MakeSpark("echo 'JAVA_HOME is not set' >&2; exit 1\n");
  EXPECT_THAT(Compact().error().message(), HasSubstr("install Java 17 or 21"));
}

TEST_F(SparkCompactionTest, AStopEndsSpark) {
  MakeSpark("sleep 1000\n");
  stop_.request_stop();
  const auto outcomes = Compact();
  ASSERT_FALSE(outcomes);
  EXPECT_EQ(outcomes.error().kind(), ErrorKind::kCancelled);
}

TEST_F(SparkCompactionTest, FindsSparkSubmit) {
  fs::create_directories(folder_ / "spark/bin");
  MakeSpark("", "spark/bin/spark-submit");
  MakeSpark("", "other-submit");
  const std::string home = folder_ / "spark";
  const std::string of_home = home + "/bin/spark-submit";
  const std::string other = folder_ / "other-submit";
  EXPECT_EQ(Value(FindSparkSubmit(other, home, "")), other);
  EXPECT_EQ(Value(FindSparkSubmit("other-submit", home, "/nowhere:" + folder_.path())), other);
  EXPECT_EQ(Value(FindSparkSubmit("", home, "")), of_home);
  EXPECT_EQ(Value(FindSparkSubmit("", "", "/nowhere:" + home + "/bin")), of_home);
  for (const auto& missing : {FindSparkSubmit("/nowhere/spark-submit", home, ""), FindSparkSubmit("", "/nowhere", ""),
                              FindSparkSubmit("", "", "/nowhere")}) {
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().kind(), ErrorKind::kInvalidConfig);
    EXPECT_THAT(missing.error().message(), HasSubstr("spark.submit"));
  }
}

}  // namespace
}  // namespace firn::maintenance
