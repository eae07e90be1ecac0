#include "pipeline/transaction_assembler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "base/failpoint.h"
#include "testing/pgoutput_messages.h"
#include "testing/temporary_folder.h"

namespace firn::pipeline {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

using firn::testing::pgoutput::Begin;
using firn::testing::pgoutput::Commit;
using firn::testing::pgoutput::StreamAbort;
using firn::testing::pgoutput::StreamCommit;
using firn::testing::pgoutput::StreamStart;
using firn::testing::pgoutput::StreamStop;

/// Of a table with one column.
std::string Insert(const std::string& value, uint32_t xid = 0) {
  const std::string message = firn::testing::pgoutput::Insert(1, {{'t', value}});
  return xid == 0 ? message : firn::testing::pgoutput::InStream(message, xid);
}

/// Writes down what it gets.
class Recorder : public TransactionSink {
 public:
  Status Begin(postgres::Xid, Lsn commit_lsn, int64_t) override {
    seen.push_back("begin " + std::to_string(commit_lsn.value));
    return {};
  }
  Status Apply(const postgres::Message& message) override {
    const auto* insert = std::get_if<postgres::InsertMessage>(&message.body);
    seen.push_back(insert ? std::string(insert->new_row[0].bytes()) : "?");
    return {};
  }
  Status End(Lsn end_lsn) override {
    seen.push_back("end " + std::to_string(end_lsn.value));
    return {};
  }
  std::vector<std::string> seen;
};

class TransactionAssemblerTest : public ::testing::Test {
 protected:
  TransactionAssemblerTest() { EXPECT_TRUE(assembler_.Start().has_value()); }
  void Feed(const std::vector<std::string>& messages) {
    for (const std::string& message : messages) {
      const Status status = assembler_.Handle(message);
      ASSERT_TRUE(status.has_value()) << status.error().message();
    }
  }

  const firn::testing::TemporaryFolder folder_;
  Recorder sink_;
  TransactionAssembler assembler_{sink_, {.directory = folder_.path(), .memory_bytes = 64}};
};

TEST_F(TransactionAssemblerTest, PassesOnATransactionAsItComes) {
  Feed({Begin(10, 1), Insert("a")});
  EXPECT_FALSE(assembler_.between_transactions());
  Feed({Insert("b"), Commit(10, 20)});
  EXPECT_TRUE(assembler_.between_transactions());
  EXPECT_THAT(sink_.seen, ElementsAre("begin 10", "a", "b", "end 20"));
}

TEST_F(TransactionAssemblerTest, HoldsAStreamedTransactionUntilItsCommit) {
  Feed({StreamStart(5, true), Insert("a", 5), StreamStop()});
  EXPECT_TRUE(assembler_.between_transactions());
  EXPECT_THAT(sink_.seen, IsEmpty());
  Feed({Begin(10, 6), Insert("other"), Commit(10, 20), StreamStart(5, false), Insert("b", 5), StreamStop(),
        StreamCommit(5, 30, 40)});
  EXPECT_THAT(sink_.seen, ElementsAre("begin 10", "other", "end 20", "begin 30", "a", "b", "end 40"));
}

TEST_F(TransactionAssemblerTest, ForgetsAnAbortedTransaction) {
  Feed({StreamStart(5, true), Insert("a", 5), StreamStop(), StreamAbort(5, 5)});
  EXPECT_THAT(sink_.seen, IsEmpty());
  EXPECT_EQ(assembler_.spooled_bytes_in_memory(), 0u);
}

TEST_F(TransactionAssemblerTest, LeavesOutAnAbortedSubtransaction) {
  Feed({StreamStart(5, true), Insert("a", 5), Insert("gone", 7), Insert("b", 5), StreamStop(), StreamAbort(5, 7),
        StreamStart(5, false), Insert("c", 8), StreamStop(), StreamCommit(5, 30, 40)});
  EXPECT_THAT(sink_.seen, ElementsAre("begin 30", "a", "b", "c", "end 40"));
}

TEST_F(TransactionAssemblerTest, KeepsTheOrderThroughTheSpoolFile) {
  std::vector<std::string> expected{"begin 30"};
  Feed({StreamStart(5, true)});
  for (int i = 0; i < 200; ++i) {
    Feed({Insert("row " + std::to_string(i), 5)});
    expected.push_back("row " + std::to_string(i));
  }
  EXPECT_TRUE(std::filesystem::exists(folder_ / "5"));
  EXPECT_LE(assembler_.spooled_bytes_in_memory(), 64u);
  Feed({StreamStop(), StreamCommit(5, 30, 40)});
  expected.push_back("end 40");
  EXPECT_EQ(sink_.seen, expected);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "5"));
}

TEST_F(TransactionAssemblerTest, HoldsNoMoreOfManyTransactionsThanOfOne) {
  constexpr uint32_t kTransactions = 20;
  for (int round = 0; round < 10; ++round) {
    for (uint32_t xid = 1; xid <= kTransactions; ++xid) {
      Feed({StreamStart(xid, round == 0), Insert("row " + std::to_string(round), xid), StreamStop()});
      EXPECT_LE(assembler_.spooled_bytes_in_memory(), 64u);
    }
  }
  for (uint32_t xid = 1; xid <= kTransactions; ++xid) {
    sink_.seen.clear();
    Feed({xid % 2 == 0 ? StreamCommit(xid, 30, 40) : StreamAbort(xid, xid)});
    EXPECT_EQ(sink_.seen.size(), xid % 2 == 0 ? 12u : 0u);
  }
  EXPECT_EQ(assembler_.spooled_bytes_in_memory(), 0u);
  EXPECT_TRUE(std::filesystem::is_empty(folder_.path()));
}

TEST_F(TransactionAssemblerTest, SpoolsCompressed) {
  const std::string value(100'000, 'x');
  Feed({StreamStart(5, true), Insert(value, 5), Insert(value, 5), StreamStop()});
  EXPECT_LT(std::filesystem::file_size(folder_ / "5"), 10'000u);
  Feed({StreamCommit(5, 30, 40)});
  EXPECT_THAT(sink_.seen, ElementsAre("begin 30", value, value, "end 40"));
}

TEST_F(TransactionAssemblerTest, SpoolsMessagesOfManyPieces) {
  std::string noise(9'000'001, '\0');
  uint32_t state = 1;
  for (char& byte : noise) byte = static_cast<char>('a' + ((state = state * 1'664'525 + 1'013'904'223) >> 28));
  Feed({StreamStart(5, true), Insert("a", 5), Insert(noise, 5), Insert("b", 5), Insert(noise + "c", 5), StreamStop()});
  EXPECT_LT(assembler_.spooled_bytes_in_memory(), 64u);
  Feed({StreamCommit(5, 30, 40)});
  ASSERT_EQ(sink_.seen.size(), 6u);
  EXPECT_EQ(sink_.seen[1], "a");
  EXPECT_TRUE(sink_.seen[2] == noise);
  EXPECT_EQ(sink_.seen[3], "b");
  EXPECT_TRUE(sink_.seen[4] == noise + "c");
}

TEST_F(TransactionAssemblerTest, SaysThatTheSpoolsDiskIsFull) {
  ASSERT_TRUE(ArmFailpoints("spool.write.before=enospc"));
  Feed({StreamStart(5, true)});
  const Status status = assembler_.Handle(Insert(std::string(100, 'x'), 5));
  ASSERT_TRUE(ArmFailpoints(""));
  ASSERT_FALSE(status.has_value());
  EXPECT_EQ(status.error().kind(), ErrorKind::kTransient);
  EXPECT_THAT(status.error().message(), HasSubstr("no space left"));
  EXPECT_THAT(status.error().message(), HasSubstr(folder_ / "5"));
}

TEST_F(TransactionAssemblerTest, RefusesACommitOfATransactionThatWasNotStreamed) {
  const Status status = assembler_.Handle(StreamCommit(5, 30, 40));
  ASSERT_FALSE(status.has_value());
  EXPECT_EQ(status.error().kind(), ErrorKind::kCorrupt);
}

}  // namespace
}  // namespace firn::pipeline
