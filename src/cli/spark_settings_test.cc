#include "cli/spark_settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "testing/results.h"

namespace firn::cli {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Key;
using ::testing::Not;
using ::testing::Pair;
using testing::Value;

config::Config Parsed(const std::string& yaml) {
  return Value(config::ParseConfig("source: {url: postgresql://firn@db/shop}\nstate_dir: /state\n" + yaml, "firn.yaml",
                                   {{"HOME", "/root"}}));
}
SparkLake LakeOf(const std::string& yaml) { return Value(SparkLakeOf(Parsed(yaml), {})); }

TEST(SparkLakeOf, AnEmbeddedCatalogIsFoundByItsFileAndName) {
  const SparkLake lake = LakeOf("catalog: {warehouse: /lake, name: shop}");
  EXPECT_EQ(lake.catalog, "shop");
  EXPECT_THAT(lake.properties, ::testing::UnorderedElementsAre(
                                   Pair("type", "jdbc"), Pair("uri", "jdbc:sqlite:/lake/catalog.db?busy_timeout=10000"),
                                   Pair("warehouse", "file:///lake")));
  EXPECT_THAT(lake.gaps, IsEmpty());
}

TEST(SparkLakeOf, FilesOfThisMachineMustBeSeenByOthers) {
  EXPECT_THAT(LakeOf("catalog: {warehouse: /lake}\nspark: {master: 'local[2]'}").gaps, IsEmpty());
  EXPECT_THAT(LakeOf("catalog: {warehouse: /lake}\nspark: {master: 'sc://localhost:15002'}").gaps, IsEmpty());
  EXPECT_THAT(LakeOf("catalog: {warehouse: /lake}\nspark: {master: yarn}").gaps, ElementsAre(HasSubstr("/lake")));
  const auto far = SparkLakeOf(Parsed("catalog: {warehouse: /lake}\nspark: {master: 'sc://spark:15002'}"), {});
  ASSERT_FALSE(far);
  EXPECT_EQ(far.error().kind(), ErrorKind::kUnsupported);
  EXPECT_THAT(far.error().message(), HasSubstr("catalog in PostgreSQL"));
}

TEST(SparkLakeOf, ARestCatalogTakesTheSameCredentials) {
  const SparkLake lake = LakeOf(
      "catalog: {type: rest, uri: 'https://c/api', warehouse: shop, credential: 'id:secret', scope: all, prefix: p,"
      " oauth2_server_uri: 'https://idp/token', headers: {X-Realm: r}}");
  EXPECT_THAT(
      lake.properties,
      AllOf(Contains(Pair("type", "rest")), Contains(Pair("uri", "https://c/api")), Contains(Pair("warehouse", "shop")),
            Contains(Pair("credential", "id:secret")), Contains(Pair("scope", "all")), Contains(Pair("prefix", "p")),
            Contains(Pair("oauth2-server-uri", "https://idp/token")), Contains(Pair("header.X-Realm", "r")),
            Contains(Pair("header.X-Iceberg-Access-Delegation", "vended-credentials")),
            Contains(Pair("token-exchange-enabled", "false")), Not(Contains(Key("io-impl")))));
}

TEST(SparkLakeOf, ARestCatalogWithSignedRequestsIsSignedForBySpark) {
  const SparkLake lake = LakeOf(
      "catalog: {type: rest, uri: 'https://glue/iceberg', access_key_id: AK, secret_access_key: SK, ca_file: /ca.pem,"
      " sigv4: {region: eu-north-1, service: glue}}");
  EXPECT_THAT(lake.properties,
              AllOf(Contains(Pair("rest.sigv4-enabled", "true")), Contains(Pair("rest.signing-region", "eu-north-1")),
                    Contains(Pair("rest.signing-name", "glue")), Contains(Pair("rest.access-key-id", "AK")),
                    Contains(Pair("rest.secret-access-key", "SK"))));
  EXPECT_THAT(lake.gaps, ElementsAre(HasSubstr("trustStore")));
}

TEST(SparkLakeOf, GlueTakesItsKeysFromTheEnvironment) {
  const SparkLake lake = LakeOf(
      "catalog: {type: glue, region: eu-north-1, catalog_id: '42', warehouse: 's3://lake/shop', access_key_id: AK,"
      " secret_access_key: SK}\nstorage: {s3: {region: eu-west-1}}");
  EXPECT_THAT(lake.properties, AllOf(Contains(Pair("type", "glue")), Contains(Pair("glue.id", "42")),
                                     Contains(Pair("client.region", "eu-north-1")),
                                     Contains(Pair("s3.cross-region-access-enabled", "true")),
                                     Contains(Pair("io-impl", "org.apache.iceberg.io.ResolvingFileIO"))));
  EXPECT_THAT(lake.environment,
              AllOf(Contains(Pair("AWS_ACCESS_KEY_ID", "AK")), Contains(Pair("AWS_SESSION_TOKEN", ""))));
}

TEST(SparkLakeOf, EachStoreIsReachedAsFirnReachesIt) {
  const SparkLake s3 = LakeOf(
      "catalog: {uri: 'sqlite:///c.db', warehouse: 's3://lake/shop'}\n"
      "storage: {s3: {endpoint: 'http://minio:9000', access_key_id: AK, secret_access_key: SK}}");
  EXPECT_THAT(s3.properties,
              AllOf(Contains(Pair("s3.endpoint", "http://minio:9000")), Contains(Pair("s3.path-style-access", "true")),
                    Contains(Pair("s3.access-key-id", "AK")), Contains(Pair("client.region", "us-east-1"))));
  const SparkLake gcs = LakeOf(
      "catalog: {uri: 'sqlite:///c.db', warehouse: 'gs://lake/shop'}\nstorage: {gcs: {credentials_file: /key.json}}");
  EXPECT_THAT(gcs.environment, Contains(Pair("GOOGLE_APPLICATION_CREDENTIALS", "/key.json")));
  EXPECT_THAT(gcs.conf, Contains(Pair("spark.executorEnv.GOOGLE_APPLICATION_CREDENTIALS", "/key.json")));
  const SparkLake azure = LakeOf(
      "catalog: {uri: 'sqlite:///c.db', warehouse: 'abfss://lake@acc.dfs.core.windows.net/shop'}\n"
      "storage: {azure: {account_key: QUJD}}");
  EXPECT_THAT(azure.properties, AllOf(Contains(Pair("adls.auth.shared-key.account.name", "acc")),
                                      Contains(Pair("adls.auth.shared-key.account.key", "QUJD"))));
}

TEST(SparkLakeOf, SaysWhatSparkCantBeTold) {
  EXPECT_THAT(
      LakeOf("catalog: {uri: 'sqlite:///c.db', warehouse: 's3://lake/shop'}\nstorage: {s3: {anonymous: true}}").gaps,
      ElementsAre(HasSubstr("storage.s3.anonymous")));
  EXPECT_THAT(
      LakeOf("catalog: {type: glue, region: r, warehouse: 's3://l/s', access_key_id: AK, secret_access_key: SK}\n"
             "spark: {master: 'sc://spark:15002'}")
          .gaps,
      ElementsAre(AllOf(HasSubstr("AWS_ACCESS_KEY_ID"), Not(HasSubstr("SK")))));
}

TEST(RewriteOptionsOf, FilesWithEqualityDeletesAreRewritten) {
  const config::Config config = Parsed(
      "catalog: {warehouse: /lake}\nspark: {rewrite_options: {delete-ratio-threshold: '0.5', rewrite-all: 'true'}}");
  iceberg::TableMetadata table;
  EXPECT_THAT(RewriteOptionsOf(config, table),
              AllOf(Contains(Pair("target-file-size-bytes", "536870912")), Contains(Pair("rewrite-all", "true")),
                    Contains(Pair("delete-ratio-threshold", "0.5")), Not(Contains(Key("delete-file-threshold")))));
  table.snapshots.push_back({.snapshot_id = 1, .summary = {{"total-equality-deletes", "3"}}});
  table.current_snapshot_id = 1;
  EXPECT_THAT(RewriteOptionsOf(config, table),
              AllOf(Contains(Pair("delete-file-threshold", "1")), Contains(Pair("remove-dangling-deletes", "true"))));
}

}  // namespace
}  // namespace firn::cli
