#include "pipeline/partitioned_writer.h"

#include <arrow/api.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "iceberg/data_file_reader.h"
#include "iceberg/table_update.h"
#include "testing/memory_file_store.h"

namespace firn::pipeline {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const iceberg::Schema kSchema{
    .fields = {{.id = 1, .name = "part", .type = iceberg::Type::Primitive(iceberg::TypeId::kLong)},
               {.id = 2, .name = "text", .type = iceberg::Type::Primitive(iceberg::TypeId::kString)}}};

/// Rows i = 0 … with part(i), each with a text of `text_bytes`.
template <typename Part>
std::shared_ptr<arrow::RecordBatch> Batch(int64_t rows, size_t text_bytes, Part part) {
  arrow::Int64Builder parts;
  arrow::StringBuilder texts;
  for (int64_t i = 0; i < rows; ++i) {
    EXPECT_TRUE(parts.Append(part(i)).ok());
    EXPECT_TRUE(texts.Append(std::to_string(i) + std::string(text_bytes, static_cast<char>('a' + i % 26))).ok());
  }
  return arrow::RecordBatch::Make(iceberg::ToArrowSchema(kSchema).value(), rows,
                                  {parts.Finish().ValueOrDie(), texts.Finish().ValueOrDie()});
}

class PartitionedWriterTest : public ::testing::Test {
 protected:
  void Open(DataFileOptions options, bool partitioned = true) {
    iceberg::NewTable table{.schema = kSchema, .location = "memory/t"};
    if (partitioned) table.spec.fields = {{.source_id = 1, .field_id = 1000, .name = "part"}};
    memory_ = options.memory;
    metadata_ = std::make_shared<iceberg::TableMetadata>(iceberg::MakeTableMetadata(table, 1).value());
    writer_ = PartitionedWriter::Make(store_, metrics_, metadata_, kSchema, std::move(options), "t", [this] {
                return std::to_string(names_++) + ".parquet";
              }).value();
  }

  /// Writes a batch and remembers where each row must be.
  void Write(const std::shared_ptr<arrow::RecordBatch>& batch) {
    const auto placed = writer_->Write(batch).value();
    const auto& texts = static_cast<const arrow::StringArray&>(*batch->column(1));
    std::set<int32_t> rows;
    for (const PlacedRows& part : placed) {
      EXPECT_EQ(part.is_new_file, begun_.insert(part.location).second);
      int64_t position = part.first_position;
      for (const int32_t row : part.rows) {
        EXPECT_TRUE(rows.insert(row).second);
        expected_[part.location][position++] = texts.GetString(row);
      }
    }
    EXPECT_EQ(rows.size(), static_cast<size_t>(batch->num_rows()));
  }

  std::vector<iceberg::DataFile> Finish() {
    EXPECT_TRUE(writer_->CloseAll().has_value());
    auto files = writer_->TakeClosed();
    EXPECT_EQ(memory_->held(), 0);
    EXPECT_EQ(writer_->files_open(), 0);
    return files;
  }

  /// Do the files hold every row in the place that was told, each in its partition?
  void Check(const std::vector<iceberg::DataFile>& files) {
    EXPECT_EQ(files.size(), expected_.size());
    for (const iceberg::DataFile& file : files) {
      auto reader = iceberg::DataFileReader::Open(store_, file.file_path, kSchema).value();
      int64_t position = 0;
      while (auto batch = reader->Next().value()) {
        const auto& parts = static_cast<const arrow::Int64Array&>(*batch->column(0));
        for (int64_t i = 0; i < batch->num_rows(); ++i, ++position) {
          EXPECT_EQ(static_cast<const arrow::StringArray&>(*batch->column(1)).GetString(i),
                    expected_[file.file_path][position]);
          if (file.partition.empty()) continue;
          EXPECT_EQ(file.partition[0], parts.IsNull(i) ? iceberg::Literal() : iceberg::Literal(parts.Value(i)));
        }
      }
      EXPECT_EQ(position, static_cast<int64_t>(expected_[file.file_path].size()));
      EXPECT_EQ(position, file.record_count);
    }
  }

  testing::MemoryFileStore store_;
  Metrics metrics_;
  iceberg::TableMetadataPtr metadata_;
  std::shared_ptr<RowMemory> memory_;
  std::unique_ptr<PartitionedWriter> writer_;
  std::map<std::string, std::map<int64_t, std::string>> expected_;  ///< location → position → text
  std::set<std::string> begun_;
  int names_ = 0;
};

TEST_F(PartitionedWriterTest, WritesEachRowWhereItSays) {
  Open({});
  for (int i = 0; i < 5; ++i) Write(Batch(200, 10, [](int64_t row) { return row * row % 7; }));
  const auto files = Finish();
  EXPECT_THAT(files, SizeIs(4));  // The squares modulo 7.
  Check(files);
}

TEST_F(PartitionedWriterTest, WritesATableWithoutPartitionsIntoOneFile) {
  Open({}, /*partitioned=*/false);
  for (int i = 0; i < 3; ++i) Write(Batch(100, 10, [](int64_t row) { return row; }));
  const auto files = Finish();
  ASSERT_THAT(files, SizeIs(1));
  EXPECT_EQ(files[0].file_path, "memory/t/data/0.parquet");
  Check(files);
}

TEST_F(PartitionedWriterTest, HasAPartitionForNull) {
  Open({});
  arrow::Int64Builder parts;
  ASSERT_TRUE(parts.AppendNull().ok());
  ASSERT_TRUE(parts.Append(1).ok());
  const auto batch = Batch(2, 10, [](int64_t row) { return row; });
  Write(batch->SetColumn(0, batch->schema()->field(0), parts.Finish().ValueOrDie()).ValueOrDie());
  const auto files = Finish();
  ASSERT_THAT(files, SizeIs(2));
  EXPECT_EQ(files[0].file_path, "memory/t/data/part=null/0.parquet");
  EXPECT_THAT(files[0].partition, ElementsAre(iceberg::Literal()));
  Check(files);
}

TEST_F(PartitionedWriterTest, RollsAFileOfTheTargetSize) {
  constexpr int64_t kTarget = 5'000;
  Open({.target_file_size_bytes = kTarget}, /*partitioned=*/false);
  // Of six times the target each, and compressed smaller than it.
  for (int i = 0; i < 30; ++i) Write(Batch(1000, 20, [](int64_t row) { return row % 2; }));
  const auto files = Finish();
  ASSERT_GE(files.size(), 3u);
  for (size_t i = 0; i + 1 < files.size(); ++i) EXPECT_GE(files[i].file_size_in_bytes, kTarget);
  Check(files);
}

TEST_F(PartitionedWriterTest, ClosesTheFileThatRowsHaveNotComeForTheLongest) {
  auto memory = std::make_shared<RowMemory>(0);  // Every batch goes into the store at once.
  Open({.max_open_files = 3, .memory = memory});
  for (const int64_t part : {1, 2, 3, 1, 4, 1, 2}) {
    Write(Batch(10, 10, [&](int64_t) { return part; }));
    EXPECT_LE(writer_->files_open(), 3);
  }
  const auto closed = writer_->TakeClosed();
  ASSERT_THAT(closed, SizeIs(2));
  EXPECT_THAT(closed[0].partition, ElementsAre(iceberg::Literal(int64_t{2})));
  EXPECT_THAT(closed[1].partition, ElementsAre(iceberg::Literal(int64_t{3})));
  auto files = Finish();
  files.insert(files.end(), closed.begin(), closed.end());
  Check(files);
}

TEST_F(PartitionedWriterTest, HoldsRowsOfManyPartitionsWithoutOpeningTheirFiles) {
  Open({.max_open_files = 2});
  for (int i = 0; i < 3; ++i) Write(Batch(1000, 10, [](int64_t row) { return row; }));
  EXPECT_EQ(writer_->files_begun(), 1000u);
  EXPECT_EQ(writer_->files_open(), 0);
  const auto files = Finish();
  EXPECT_THAT(files, SizeIs(1000));
  Check(files);
}

TEST_F(PartitionedWriterTest, StaysWithinItsMemoryWithAThousandPartitions) {
  constexpr int64_t kBudget = 8 << 20;
  Open({.max_open_files = 10, .memory = std::make_shared<RowMemory>(kBudget)});
  const auto batch = Batch(20'000, 500, [](int64_t row) { return row % 1000; });  // 10 MB
  const int64_t before = arrow::default_memory_pool()->bytes_allocated();
  for (int i = 0; i < 5; ++i) {
    Write(batch);
    EXPECT_LE(memory_->held(), kBudget);
    EXPECT_LE(arrow::default_memory_pool()->bytes_allocated() - before, 2 * kBudget);
    EXPECT_LE(writer_->files_open(), 10);
  }
  auto files = writer_->TakeClosed();
  for (auto& file : Finish()) files.push_back(std::move(file));
  Check(files);
}

TEST_F(PartitionedWriterTest, SharesItsMemoryWithOtherWriters) {
  auto memory = std::make_shared<RowMemory>(100'000);
  Open({.memory = memory});
  Write(Batch(50, 1000, [](int64_t) { return 1; }));
  const int64_t held = memory->held();
  EXPECT_GT(held, 50'000);
  auto other = PartitionedWriter::Make(store_, metrics_, metadata_, kSchema, {.memory = memory}, "u", [this] {
                 return "u" + std::to_string(names_++) + ".parquet";
               }).value();
  ASSERT_TRUE(other->Write(Batch(100, 1000, [](int64_t) { return 2; })).has_value());
  EXPECT_EQ(other->files_open(), 1);  // Its rows are in the store; the first writer's are held as before.
  EXPECT_EQ(writer_->files_open(), 0);
  other.reset();
  EXPECT_EQ(memory->held(), held);
}

TEST_F(PartitionedWriterTest, TakesAwayWhatWasNotClosed) {
  Open({.memory = std::make_shared<RowMemory>(0)});
  Write(Batch(10, 10, [](int64_t row) { return row % 2; }));
  EXPECT_EQ(writer_->files_open(), 2);
  writer_.reset();
  EXPECT_THAT(store_.List("memory/").value(), IsEmpty());
  EXPECT_EQ(memory_->held(), 0);
}

TEST_F(PartitionedWriterTest, ClosesOneFileThatIsToBeRead) {
  Open({});
  Write(Batch(10, 10, [](int64_t row) { return row % 2; }));
  const std::string location = *begun_.begin();
  ASSERT_TRUE(writer_->CloseFile(location).has_value());
  EXPECT_FALSE(writer_->IsBeingWritten(location));
  ASSERT_TRUE(writer_->CloseFile(location).has_value());
  const auto closed = writer_->TakeClosed();
  ASSERT_THAT(closed, SizeIs(1));
  EXPECT_EQ(closed[0].file_path, location);
  EXPECT_EQ(writer_->files_begun(), 1u);
}

TEST_F(PartitionedWriterTest, BeginsAnotherFileForMuchLargerValues) {
  Open({.memory = std::make_shared<RowMemory>(0)});  // Each batch is a row group at once.
  const auto one_partition = [](int64_t) { return 1; };
  Write(Batch(3, 10, one_partition));
  Write(Batch(3, 10, one_partition));
  EXPECT_EQ(begun_.size(), 1u);
  Write(Batch(2, 1 << 20, one_partition));
  EXPECT_EQ(begun_.size(), 2u);
  Write(Batch(2, 1 << 20, one_partition));
  Write(Batch(3, 10, one_partition));
  const auto files = Finish();
  EXPECT_THAT(files, SizeIs(2));
  Check(files);
}

}  // namespace
}  // namespace firn::pipeline
