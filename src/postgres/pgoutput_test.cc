// The golden messages were recorded from PostgreSQL 15 and 17 (pg_logical_slot_peek_binary_changes) with
//   CREATE TABLE item(id int PRIMARY KEY, name text, m mood);  CREATE TABLE f(a int, b text) with REPLICA IDENTITY FULL
#include "postgres/pgoutput.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "postgres/hex.h"

namespace firn::postgres {
namespace {

using testing::HasSubstr;

struct Golden {
  const char* name;
  const char* hex;
  bool in_stream = false;
};

constexpr char kBegin[] = "42 00000000395d6268 000303f25765df94 00000329";
constexpr char kCommit[] = "43 00 00000000395d6268 00000000395d6298 000303f25765df94";
constexpr char kOrigin[] = "4f 0000000000000abc 6f3100";
constexpr char kRelation[] =
    "52 0000408d 7075626c696300 6974656d00 64 0003 01 696400 00000017 ffffffff 00 6e616d6500 00000019 ffffffff"
    "00 6d00 00004088 ffffffff";
constexpr char kType[] = "59 00004088 7075626c696300 6d6f6f6400";
constexpr char kInsert[] = "49 0000408d 4e 0003 62 00000004 00000001 62 00000002 6162 6e";
constexpr char kUpdateOfKey[] =
    "55 0000408d 4b 0003 62 00000004 00000001 6e 6e 4e 0003 62 00000004 00000002 62 00000002 6162 6e";
constexpr char kUpdateWithToast[] = "55 0000408d 4e 0003 62 00000004 00000005 75 62 00000003 626164";
constexpr char kUpdateOfFull[] =
    "55 00004094 4f 0002 62 00000004 00000001 62 00000001 71 4e 0002 62 00000004 00000002 62 00000001 71";
constexpr char kDeleteByKey[] = "44 0000408d 4b 0003 62 00000004 00000002 6e 6e";
constexpr char kDeleteOfFull[] = "44 00004094 4f 0002 62 00000004 00000002 62 00000001 71";
constexpr char kTruncate[] = "54 00000002 03 0000408d 00004094";
constexpr char kMessage[] = "4d 01 00000000395d8ff8 70726500 00000004 626f6479";
constexpr char kStreamStart[] = "53 00000335 01";
constexpr char kStreamedType[] = "59 00000335 00004088 7075626c696300 6d6f6f6400";
constexpr char kStreamedRelation[] =
    "52 00000335 0000408d 7075626c696300 6974656d00 64 0001 01 696400 00000017 ffffffff";
constexpr char kStreamedInsert[] = "49 00000335 0000408d 4e 0003 62 00000004 00000064 62 00000001 73 6e";
constexpr char kStreamAbort[] = "41 00000335 00000336";
constexpr char kParallelStreamAbort[] = "41 00000335 00000336 00000000395d8ff8 000303f25765df94";
constexpr char kStreamCommit[] = "63 00000335 00 0000000039615d40 0000000039615d78 000303f257660d50";

const Golden kGoldens[] = {
    {"Begin", kBegin},
    {"Commit", kCommit},
    {"Origin", kOrigin},
    {"Relation", kRelation},
    {"Type", kType},
    {"Insert", kInsert},
    {"UpdateOfKey", kUpdateOfKey},
    {"UpdateWithToast", kUpdateWithToast},
    {"UpdateOfFull", kUpdateOfFull},
    {"DeleteByKey", kDeleteByKey},
    {"DeleteOfFull", kDeleteOfFull},
    {"Truncate", kTruncate},
    {"LogicalMessage", kMessage},
    {"StreamStart", kStreamStart},
    {"StreamStop", "45"},
    {"StreamedType", kStreamedType, true},
    {"StreamedRelation", kStreamedRelation, true},
    {"StreamedInsert", kStreamedInsert, true},
    {"StreamAbort", kStreamAbort},
    {"StreamCommit", kStreamCommit},
};

class PgoutputParserTest : public testing::Test {
 protected:
  /// The message's body as T; the test fails, with an empty T, where it is another.
  template <typename T>
  T ParseAs(const char* hex, bool in_stream = false) {
    payload_ = FromHex(hex);
    auto parsed = parser_.Parse(payload_, in_stream);
    EXPECT_TRUE(parsed.has_value()) << parsed.error().message();
    if (!parsed.has_value()) return T{};
    xid_ = parsed->xid;
    EXPECT_TRUE(std::holds_alternative<T>(parsed->body));
    const T* body = std::get_if<T>(&parsed->body);
    return body == nullptr ? T{} : *body;
  }

  std::string payload_;
  PgoutputParser parser_;
  Xid xid_ = 0;
};

/// "b:00000004 n u": format letters and bytes.
std::string Describe(Tuple tuple) {
  std::string text;
  for (const WireValue& value : tuple) {
    text += text.empty() ? "" : " ";
    text += static_cast<char>(value.format);
    if (value.data == nullptr) continue;
    text += ':';
    for (const char c : value.bytes())
      text += (c < 32) ? fmt::format("{:02x}", static_cast<unsigned char>(c)) : std::string(1, c);
  }
  return text;
}

TEST_F(PgoutputParserTest, ReadsBegin) {
  const auto begin = ParseAs<BeginMessage>(kBegin);
  EXPECT_EQ(ToString(begin.commit_lsn), "0/395D6268");
  EXPECT_EQ(begin.committed_at_us, 0x000303f25765df94);
  EXPECT_EQ(begin.xid, 0x329u);
}

TEST_F(PgoutputParserTest, ReadsCommit) {
  const auto commit = ParseAs<CommitMessage>(kCommit);
  EXPECT_EQ(ToString(commit.commit_lsn), "0/395D6268");
  EXPECT_EQ(ToString(commit.end_lsn), "0/395D6298");
  EXPECT_EQ(commit.committed_at_us, 0x000303f25765df94);
}

TEST_F(PgoutputParserTest, ReadsOrigin) {
  const auto origin = ParseAs<OriginMessage>(kOrigin);
  EXPECT_EQ(origin.commit_lsn.value, 0xABCu);
  EXPECT_EQ(origin.name, "o1");
}

TEST_F(PgoutputParserTest, ReadsRelationWithItsColumns) {
  const auto relation = ParseAs<RelationMessage>(kRelation);
  EXPECT_EQ(relation.oid.value, 0x408du);
  EXPECT_EQ(relation.schema, "public");
  EXPECT_EQ(relation.name, "item");
  EXPECT_EQ(relation.replica_identity, ReplicaIdentity::kDefault);
  ASSERT_EQ(relation.columns.size(), 3u);
  EXPECT_TRUE(relation.columns[0].is_key);
  EXPECT_EQ(relation.columns[0].name, "id");
  EXPECT_EQ(relation.columns[0].type_oid, 23u);
  EXPECT_EQ(relation.columns[0].type_modifier, -1);
  EXPECT_FALSE(relation.columns[2].is_key);
  EXPECT_EQ(relation.columns[2].name, "m");
  EXPECT_EQ(relation.columns[2].type_oid, 0x4088u);
}

TEST_F(PgoutputParserTest, NamesPgCatalogWhereTheSchemaIsEmpty) {
  EXPECT_EQ(ParseAs<TypeMessage>("59 00004088 00 6d00").schema, "pg_catalog");
  EXPECT_EQ(ParseAs<RelationMessage>("52 00004088 00 6d00 64 0000").schema, "pg_catalog");
}

TEST_F(PgoutputParserTest, ReadsType) {
  const auto type = ParseAs<TypeMessage>(kType);
  EXPECT_EQ(type.oid, 0x4088u);
  EXPECT_EQ(type.schema, "public");
  EXPECT_EQ(type.name, "mood");
}

TEST_F(PgoutputParserTest, ReadsInsert) {
  const auto insert = ParseAs<InsertMessage>(kInsert);
  EXPECT_EQ(insert.oid.value, 0x408du);
  EXPECT_EQ(Describe(insert.new_row), "b:00000001 b:ab n");
}

TEST_F(PgoutputParserTest, ReadsTextValues) {
  EXPECT_EQ(Describe(ParseAs<InsertMessage>("49 00000001 4e 0002 74 00000002 6869 74 00000000").new_row), "t:hi t:");
}

TEST_F(PgoutputParserTest, BorrowsValuesFromThePayload) {
  const auto insert = ParseAs<InsertMessage>(kInsert);
  EXPECT_EQ(insert.new_row[1].data, payload_.data() + payload_.size() - 3);
}

TEST_F(PgoutputParserTest, ReadsOldKeyOfUpdateThatChangesIt) {
  const auto update = ParseAs<UpdateMessage>(kUpdateOfKey);
  ASSERT_TRUE(update.old_row.has_value());
  EXPECT_TRUE(update.old_is_key);
  EXPECT_EQ(Describe(*update.old_row), "b:00000001 n n");
  EXPECT_EQ(Describe(update.new_row), "b:00000002 b:ab n");
}

TEST_F(PgoutputParserTest, TellsUnchangedToastFromNull) {
  const auto update = ParseAs<UpdateMessage>(kUpdateWithToast);
  EXPECT_FALSE(update.old_row.has_value());
  EXPECT_EQ(Describe(update.new_row), "b:00000005 u b:bad");
}

TEST_F(PgoutputParserTest, ReadsWholeOldRowOfReplicaIdentityFull) {
  const auto update = ParseAs<UpdateMessage>(kUpdateOfFull);
  ASSERT_TRUE(update.old_row.has_value());
  EXPECT_FALSE(update.old_is_key);
  EXPECT_EQ(Describe(*update.old_row), "b:00000001 b:q");
  EXPECT_EQ(Describe(update.new_row), "b:00000002 b:q");
}

TEST_F(PgoutputParserTest, ReadsDeletes) {
  auto deleted = ParseAs<DeleteMessage>(kDeleteByKey);
  EXPECT_TRUE(deleted.old_is_key);
  EXPECT_EQ(Describe(deleted.old_row), "b:00000002 n n");
  deleted = ParseAs<DeleteMessage>(kDeleteOfFull);
  EXPECT_FALSE(deleted.old_is_key);
  EXPECT_EQ(Describe(deleted.old_row), "b:00000002 b:q");
}

TEST_F(PgoutputParserTest, ReadsTruncateOfManyTables) {
  const auto truncate = ParseAs<TruncateMessage>(kTruncate);
  EXPECT_THAT(truncate.oids, testing::ElementsAre(TableOid{0x408d}, TableOid{0x4094}));
  EXPECT_TRUE(truncate.cascade);
  EXPECT_TRUE(truncate.restart_identity);
}

TEST_F(PgoutputParserTest, ReadsLogicalMessage) {
  const auto message = ParseAs<LogicalMessage>(kMessage);
  EXPECT_TRUE(message.transactional);
  EXPECT_EQ(ToString(message.lsn), "0/395D8FF8");
  EXPECT_EQ(message.prefix, "pre");
  EXPECT_EQ(message.content, "body");
}

TEST_F(PgoutputParserTest, ReadsStreamBoundaries) {
  auto start = ParseAs<StreamStartMessage>(kStreamStart);
  EXPECT_EQ(start.xid, 0x335u);
  EXPECT_TRUE(start.first_segment);
  start = ParseAs<StreamStartMessage>("53 00000335 00");
  EXPECT_FALSE(start.first_segment);
  ParseAs<StreamStopMessage>("45");
  const auto commit = ParseAs<StreamCommitMessage>(kStreamCommit);
  EXPECT_EQ(commit.xid, 0x335u);
  EXPECT_EQ(ToString(commit.commit_lsn), "0/39615D40");
  EXPECT_EQ(ToString(commit.end_lsn), "0/39615D78");
  EXPECT_EQ(commit.committed_at_us, 0x000303f257660d50);
}

TEST_F(PgoutputParserTest, ReadsStreamAbortOfBothForms) {
  for (const char* hex : {kStreamAbort, kParallelStreamAbort}) {
    const auto abort = ParseAs<StreamAbortMessage>(hex);
    EXPECT_EQ(abort.xid, 0x335u);
    EXPECT_EQ(abort.subtransaction_xid, 0x336u);
  }
}

TEST_F(PgoutputParserTest, ReadsTheTransactionOfStreamedChanges) {
  EXPECT_EQ(Describe(ParseAs<InsertMessage>(kStreamedInsert, true).new_row), "b:000000d b:s n");
  EXPECT_EQ(xid_, 0x335u);
  EXPECT_EQ(ParseAs<RelationMessage>(kStreamedRelation, true).name, "item");
  EXPECT_EQ(xid_, 0x335u);
  EXPECT_EQ(ParseAs<TypeMessage>(kStreamedType, true).name, "mood");
  EXPECT_EQ(xid_, 0x335u);
  ParseAs<StreamStopMessage>("45", true);
  EXPECT_EQ(xid_, 0u);
}

TEST_F(PgoutputParserTest, RefusesEveryPrefixOfEveryMessage) {
  for (const Golden& golden : kGoldens) {
    const std::string whole = FromHex(golden.hex);
    for (size_t size = 0; size < whole.size(); ++size) {
      // A copy of exactly this size, so that AddressSanitizer sees a read past the end.
      const std::vector<char> prefix(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(size));
      const auto parsed = parser_.Parse({prefix.data(), prefix.size()}, golden.in_stream);
      ASSERT_FALSE(parsed.has_value()) << golden.name << " cut to " << size;
      EXPECT_EQ(parsed.error().kind(), ErrorKind::kCorrupt) << golden.name << " cut to " << size;
    }
  }
}

TEST_F(PgoutputParserTest, RefusesBytesLeftOver) {
  for (const Golden& golden : kGoldens) {
    const auto parsed = parser_.Parse(FromHex(golden.hex) + "x", golden.in_stream);
    ASSERT_FALSE(parsed.has_value()) << golden.name;
    EXPECT_EQ(parsed.error().kind(), ErrorKind::kCorrupt) << golden.name;
  }
}

TEST_F(PgoutputParserTest, RefusesImpossibleCountsSizesAndLetters) {
  for (const char* hex : {
           "49 00000001 4e ffff",                 // -1 columns
           "49 00000001 4e 7fff",                 // 32767 columns and no bytes
           "49 00000001 4e 0001 62 ffffffff",     // a value of -1 bytes
           "49 00000001 4e 0001 62 7fffffff",     // a value of 2 GB
           "49 00000001 4e 0001 78",              // no such value letter
           "49 00000001 4b 0000",                 // an Insert has no key
           "55 00000001 58 0000",                 // neither K, O nor N
           "55 00000001 4b 0000 4b 0000",         // a key and no new row
           "44 00000001 4e 0000",                 // a Delete has no new row
           "54 ffffffff 00",                      // -1 tables
           "54 7fffffff 00",                      // 2 billion tables
           "52 00000001 6100 6200 78 0000",       // no such replica identity
           "52 00000001 6100 6200 64 ffff",       // -1 columns
           "4d 00 0000000000000000 00 ffffffff",  // content of -1 bytes
       }) {
    const auto parsed = parser_.Parse(FromHex(hex), false);
    ASSERT_FALSE(parsed.has_value()) << hex;
    EXPECT_EQ(parsed.error().kind(), ErrorKind::kCorrupt) << hex;
  }
}

TEST_F(PgoutputParserTest, NamesMessageAndByteOfAnError) {
  const auto parsed = parser_.Parse(FromHex("49 00000001 4e 0001 78"), false);
  ASSERT_FALSE(parsed.has_value());
  EXPECT_THAT(parsed.error().message(), HasSubstr("Insert message, byte 9 of 9"));
}

TEST_F(PgoutputParserTest, SaysWhatToDoAboutTwoPhaseMessages) {
  const auto parsed = parser_.Parse("P", false);
  ASSERT_FALSE(parsed.has_value());
  EXPECT_EQ(parsed.error().kind(), ErrorKind::kUnsupported);
  EXPECT_THAT(parsed.error().message(), HasSubstr("two-phase"));
}

TEST_F(PgoutputParserTest, RefusesUnknownMessages) {
  const auto parsed = parser_.Parse("?", false);
  ASSERT_FALSE(parsed.has_value());
  EXPECT_EQ(parsed.error().kind(), ErrorKind::kUnsupported);
}

}  // namespace
}  // namespace firn::postgres
