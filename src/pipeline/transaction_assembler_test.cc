#include "pipeline/transaction_assembler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

namespace firn::pipeline {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// pgoutput messages, written as the protocol's documentation lays them out.
std::string Int(uint64_t value, int bytes) {
  std::string text;
  for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8) text.push_back(static_cast<char>(value >> shift));
  return text;
}
std::string Begin(uint64_t commit_lsn, uint32_t xid) { return "B" + Int(commit_lsn, 8) + Int(0, 8) + Int(xid, 4); }
std::string Commit(uint64_t commit_lsn, uint64_t end) {
  return "C" + Int(0, 1) + Int(commit_lsn, 8) + Int(end, 8) + Int(0, 8);
}
std::string Tuple(const std::string& value) { return Int(1, 2) + "t" + Int(value.size(), 4) + value; }
std::string Insert(const std::string& value, uint32_t xid = 0) {
  return "I" + (xid ? Int(xid, 4) : "") + Int(1, 4) + "N" + Tuple(value);
}
std::string StreamStart(uint32_t xid, bool first) { return "S" + Int(xid, 4) + Int(first, 1); }
std::string StreamStop() { return "E"; }
std::string StreamCommit(uint32_t xid, uint64_t commit_lsn, uint64_t end) {
  return "c" + Int(xid, 4) + Int(0, 1) + Int(commit_lsn, 8) + Int(end, 8) + Int(0, 8);
}
std::string StreamAbort(uint32_t xid, uint32_t subtransaction) { return "A" + Int(xid, 4) + Int(subtransaction, 4); }

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

class TransactionAssemblerTest : public testing::Test {
 protected:
  TransactionAssemblerTest() { EXPECT_TRUE(assembler_.Start().has_value()); }
  ~TransactionAssemblerTest() override { std::filesystem::remove_all(directory_); }

  void Feed(const std::vector<std::string>& messages) {
    for (const std::string& message : messages) {
      const Status status = assembler_.Handle(message);
      ASSERT_TRUE(status.has_value()) << status.error().message();
    }
  }

  const std::string directory_ =
      testing::TempDir() + "spool-" + testing::UnitTest::GetInstance()->current_test_info()->name();
  Recorder sink_;
  TransactionAssembler assembler_{sink_, {.directory = directory_, .memory_bytes_per_transaction = 64}};
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
  EXPECT_TRUE(std::filesystem::exists(directory_ + "/5"));
  EXPECT_LE(assembler_.spooled_bytes_in_memory(), 64u);
  Feed({StreamStop(), StreamCommit(5, 30, 40)});
  expected.push_back("end 40");
  EXPECT_EQ(sink_.seen, expected);
  EXPECT_FALSE(std::filesystem::exists(directory_ + "/5"));
}

TEST_F(TransactionAssemblerTest, RefusesACommitOfATransactionThatWasNotStreamed) {
  const Status status = assembler_.Handle(StreamCommit(5, 30, 40));
  ASSERT_FALSE(status.has_value());
  EXPECT_EQ(status.error().kind(), ErrorKind::kCorrupt);
}

}  // namespace
}  // namespace firn::pipeline
