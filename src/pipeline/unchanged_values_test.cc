#include "pipeline/unchanged_values.h"

#include <arrow/api.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "iceberg/data_file_writer.h"
#include "iceberg/row_bytes.h"
#include "testing/memory_file_store.h"

namespace firn::pipeline {
namespace {

using ::testing::ElementsAre;

using Texts = std::vector<std::optional<std::string>>;

/// Columns: a number and two texts.
iceberg::Schema NumberAndTexts() {
  const auto text = iceberg::Type::Primitive(iceberg::TypeId::kString);
  return {.fields = {{.id = 1, .name = "k", .type = iceberg::Type::Primitive(iceberg::TypeId::kLong)},
                     {.id = 2, .name = "a", .type = text},
                     {.id = 3, .name = "b", .type = text}}};
}

std::shared_ptr<arrow::RecordBatch> Batch(const Texts& a, const Texts& b) {
  arrow::Int64Builder numbers;
  arrow::StringBuilder texts[2];
  for (size_t i = 0; i < a.size(); ++i) EXPECT_TRUE(numbers.Append(static_cast<int64_t>(i)).ok());
  for (const auto& value : a) EXPECT_TRUE((value ? texts[0].Append(*value) : texts[0].AppendNull()).ok());
  for (const auto& value : b) EXPECT_TRUE((value ? texts[1].Append(*value) : texts[1].AppendNull()).ok());
  return arrow::RecordBatch::Make(iceberg::ToArrowSchema(NumberAndTexts()).value(), static_cast<int64_t>(a.size()),
                                  {*numbers.Finish(), *texts[0].Finish(), *texts[1].Finish()});
}

std::string Wide(size_t number, size_t bytes) {
  std::string text = std::to_string(number);
  text.resize(bytes, 'x');
  return text;
}

class UnchangedValuesTest : public ::testing::Test {
 protected:
  /// A file of the table, by its number in the index.
  void Write(uint32_t number, const Texts& a, const Texts& b) {
    auto writer = iceberg::DataFileWriter::Open(store_, Location(number), NumberAndTexts(), {}).value();
    ASSERT_TRUE(writer->Write(*Batch(a, b)).has_value());
    ASSERT_TRUE(writer->Close().has_value());
  }
  static std::string Location(uint32_t number) { return "memory/" + std::to_string(number) + ".parquet"; }

  /// A batch whose row i has the previous image previous[i], and leaves those of its values unchanged that are null.
  void Make(const Texts& a, const Texts& b, std::vector<PreviousImage> previous) {
    rows_.batch = Batch(a, b);
    for (size_t i = 0; i < a.size(); ++i) {
      if (!a[i]) rows_.unchanged.push_back({.row = static_cast<int64_t>(i), .column = 1});
      if (!b[i]) rows_.unchanged.push_back({.row = static_cast<int64_t>(i), .column = 2});
    }
    folded_.previous = std::move(previous);
    wanted_.resize(a.size());
    for (size_t i = 0; i < a.size(); ++i) wanted_[i] = static_cast<int32_t>(i);
  }
  Status Find(UnchangedValues& values) const {
    return values.Find(folded_, wanted_, removed_, [](uint32_t file) { return Result<std::string>(Location(file)); });
  }

  /// The rows as FillUnchangedValues gives them, by their place in the batch.
  std::vector<std::pair<std::string, std::string>> Fill() {
    UnchangedValues values(rows_);
    EXPECT_TRUE(Find(values).has_value());
    std::vector<std::pair<std::string, std::string>> rows(static_cast<size_t>(rows_.batch->num_rows()));
    slices_.clear();
    const Status filled =
        FillUnchangedValues(store_, NumberAndTexts(), values, wanted_, [&](const auto& slice, auto which) -> Status {
          EXPECT_TRUE(slice->ValidateFull().ok()) << slice->ValidateFull();
          EXPECT_EQ(slice->num_rows(), std::ssize(which));
          int64_t bytes = 0;
          for (int64_t i = 0; i < slice->num_rows(); ++i) {
            const int32_t row = wanted_[static_cast<size_t>(which[static_cast<size_t>(i)])];
            EXPECT_EQ(static_cast<const arrow::Int64Array&>(*slice->column(0)).Value(i), row);
            auto text = [&](int column) {
              return static_cast<const arrow::StringArray&>(*slice->column(column)).GetString(i);
            };
            rows[static_cast<size_t>(row)] = {text(1), text(2)};
            bytes += iceberg::RowBytes(*slice, i);
          }
          EXPECT_TRUE(bytes <= 2 * iceberg::kBatchBytes || slice->num_rows() == 1) << bytes;
          slices_.push_back(slice->num_rows());
          return {};
        });
    EXPECT_TRUE(filled.has_value()) << filled.error().message();
    return rows;
  }

  testing::MemoryFileStore store_;
  encode::EncodedRows rows_;
  FoldedBatch folded_;
  std::vector<int32_t> wanted_;
  std::vector<std::optional<index::RowPosition>> removed_;
  std::vector<int64_t> slices_;
};

TEST_F(UnchangedValuesTest, TakesEachValueFromTheNearestRowThatHasIt) {
  Write(7, {"a0", "a1"}, {"b0", "b1"});
  removed_ = {index::RowPosition{.file = 7, .row = 1}};
  // An update of b alone, one of a alone, and one of neither, of the table's row 1; then an insert and its update.
  Make({std::nullopt, "A", std::nullopt, "i", std::nullopt}, {"B", std::nullopt, std::nullopt, "j", "J"},
       {{.removed = 0}, {.row = 0}, {.row = 1}, {}, {.row = 3}});
  const auto rows = Fill();
  EXPECT_THAT(rows, ElementsAre(std::pair("a1", "B"), std::pair("A", "B"), std::pair("A", "B"), std::pair("i", "j"),
                                std::pair("i", "J")));
}

TEST_F(UnchangedValuesTest, ReadsSeveralFilesAndLeavesOutWhatIsNotWanted) {
  Write(1, {"a0", "a1", "a2"}, {"b0", "b1", "b2"});
  Write(2, {"c0"}, {"d0"});
  removed_ = {index::RowPosition{.file = 1, .row = 2}, index::RowPosition{.file = 2, .row = 0},
              index::RowPosition{.file = 1, .row = 0}, std::nullopt};
  Make({std::nullopt, std::nullopt, std::nullopt, "w", std::nullopt}, {"p", "q", "r", "s", std::nullopt},
       {{.removed = 0}, {.removed = 1}, {.removed = 2}, {}, {.removed = 3}});
  wanted_ = {0, 1, 2, 3};  // The last one has no row in the table, but is not written.
  const auto rows = Fill();
  EXPECT_THAT(rows, ElementsAre(std::pair("a2", "p"), std::pair("c0", "q"), std::pair("a0", "r"), std::pair("w", "s"),
                                std::pair("", "")));
}

TEST_F(UnchangedValuesTest, SaysThatARowIsMissingWhoseValueIsWanted) {
  removed_ = {std::nullopt};
  Make({std::nullopt}, {"b"}, {{.removed = 0}});
  UnchangedValues values(rows_);
  EXPECT_EQ(Find(values).error().kind(), ErrorKind::kCorrupt);
  Make({std::nullopt}, {"b"}, {{}});
  UnchangedValues unknown(rows_);
  EXPECT_EQ(Find(unknown).error().kind(), ErrorKind::kCorrupt);
}

TEST_F(UnchangedValuesTest, ReadsManyTimesABatchInSlices) {
  Texts a, b;
  for (size_t i = 0; i < 40; ++i) {
    a.push_back(Wide(i, 1 << 20));
    b.push_back("b");
  }
  Write(1, a, b);
  std::vector<PreviousImage> previous;
  for (int32_t i = 0; i < 40; ++i) {
    removed_.push_back(index::RowPosition{.file = 1, .row = static_cast<uint32_t>(39 - i)});
    previous.push_back({.removed = i});
  }
  Make(Texts(40), Texts(40, "new"), previous);
  const auto rows = Fill();
  for (size_t i = 0; i < 40; ++i) EXPECT_EQ(rows[i], std::pair(Wide(39 - i, 1 << 20), std::string("new"))) << i;
  EXPECT_GE(slices_.size(), 4u);
}

TEST_F(UnchangedValuesTest, RepeatsOneValueInSlices) {
  Write(1, {Wide(1, 3 << 20)}, {"b"});
  removed_ = {index::RowPosition{.file = 1, .row = 0}};
  // Versions of one row, as a history keeps them; then those of a row that the batch itself inserts.
  Texts a(20), b;
  a[10] = Wide(2, 3 << 20);
  std::vector<PreviousImage> previous;
  for (int32_t i = 0; i < 20; ++i) {
    b.push_back(std::to_string(i));
    previous.push_back(i == 0 ? PreviousImage{.removed = 0} : i == 10 ? PreviousImage{} : PreviousImage{.row = i - 1});
  }
  Make(a, b, previous);
  const auto rows = Fill();
  for (size_t i = 0; i < 20; ++i) {
    EXPECT_EQ(rows[i].first, Wide(i < 10 ? 1 : 2, 3 << 20)) << i;
    EXPECT_EQ(rows[i].second, std::to_string(i));
  }
  EXPECT_GE(slices_.size(), 6u);
}

TEST_F(UnchangedValuesTest, SlicesRowsThatAreWideThemselves) {
  Texts a, b;
  for (size_t i = 0; i < 12; ++i) a.push_back(Wide(i, 2 << 20));
  b.assign(12, "b");
  Make(a, b, {});
  wanted_ = {0, 2, 3, 4, 5, 6, 7, 8, 10};
  const auto rows = Fill();
  EXPECT_GE(slices_.size(), 2u);
  EXPECT_EQ(std::accumulate(slices_.begin(), slices_.end(), int64_t{0}), 9);
}

TEST_F(UnchangedValuesTest, ReadsFewRowsInTheirOwnOrder) {
  Texts a, b(10, "b");
  for (size_t i = 0; i < 10; ++i) a.push_back(Wide(i, 1 << 20));
  Write(1, a, b);
  Write(2, {"c"}, {"d"});
  removed_ = {index::RowPosition{.file = 1, .row = 9}, index::RowPosition{.file = 2, .row = 0},
              index::RowPosition{.file = 1, .row = 3}};
  Make({std::nullopt, "own", std::nullopt, std::nullopt}, {"p", "q", "r", std::nullopt},
       {{.removed = 0}, {}, {.removed = 1}, {.removed = 2}});
  UnchangedValues values(rows_);
  ASSERT_TRUE(Find(values).has_value());
  UnchangedValuesReader reader(store_, NumberAndTexts(), values);
  const auto all = reader.Fill(wanted_, 64 << 20).value();
  ASSERT_TRUE(all->ValidateFull().ok()) << all->ValidateFull();
  const auto& texts = static_cast<const arrow::StringArray&>(*all->column(1));
  EXPECT_EQ(texts.GetString(0), Wide(9, 1 << 20));
  EXPECT_EQ(texts.GetString(1), "own");
  EXPECT_EQ(texts.GetString(2), "c");
  EXPECT_EQ(texts.GetString(3), Wide(3, 1 << 20));
  EXPECT_EQ(static_cast<const arrow::StringArray&>(*all->column(2)).GetString(3), "b");
  EXPECT_GT(reader.fetched_bytes(), 2 << 20);

  EXPECT_EQ(reader.Fill(wanted_, 1 << 20).value(), nullptr) << "more than one row with too many bytes";
  const auto one = reader.Fill(std::span(wanted_).first(2), 1).value();
  ASSERT_NE(one, nullptr) << "a row is given, however large";
  EXPECT_EQ(static_cast<const arrow::StringArray&>(*one->column(1)).GetString(0), Wide(9, 1 << 20));
}

}  // namespace
}  // namespace firn::pipeline
