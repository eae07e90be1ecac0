#include "maintenance/spark_compaction.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "base/try.h"
#include "maintenance/spark_submission.h"
#include "observe/log.h"

// Made by the build; the linker puts it in before main, and nothing asks for it earlier.
extern const std::string_view FIRN_EMBEDDED_spark_compaction_py;

namespace firn::maintenance {
namespace {

using Json = nlohmann::json;

Json CompactionJob(const std::vector<SparkTable>& tables) {
  Json job{{"tables", Json::array()}};
  for (const SparkTable& table : tables) {
    job["tables"].push_back({{"name", NameForSpark(table.ident)},
                             {"format_version", table.format_version},
                             {"sorted", table.is_sorted},
                             {"options", table.rewrite_options}});
  }
  return job;
}

int64_t Count(const Json& counts, std::string_view name) { return counts.value(name, int64_t{0}); }

SparkCounts CountsOf(const Json& counts) {
  return {
      .data_files_rewritten = Count(counts, "rewritten_data_files_count"),
      .data_files_added = Count(counts, "added_data_files_count"),
      .bytes_rewritten = Count(counts, "rewritten_bytes_count"),
      .delete_files_gone = Count(counts, "removed_delete_files_count") + Count(counts, "rewritten_delete_files_count"),
      .delete_files_added = Count(counts, "added_delete_files_count"),
      .manifests_rewritten = Count(counts, "rewritten_manifests_count"),
      .manifests_added = Count(counts, "added_manifests_count")};
}

/// The job's outcomes, as it tells them.
class CompactionOutcomes {
 public:
  explicit CompactionOutcomes(const std::vector<SparkTable>& tables) : tables_(tables), outcomes_(tables.size()) {}

  void Take(const Json& line) {
    if (line.contains("spark")) LogInfo("Spark compacts tables", {{"version", line["spark"].get<std::string>()}});
    if (line.contains("table")) TakeTable(line);
  }

  bool is_whole() const {
    return std::ranges::all_of(outcomes_, [](const auto& one) { return one.has_value(); });
  }
  std::vector<SparkOutcome> Outcomes() && {
    std::vector<SparkOutcome> outcomes;
    for (size_t i = 0; i < tables_.size(); ++i) outcomes.push_back({tables_[i].ident, std::move(*outcomes_[i])});
    return outcomes;
  }

 private:
  void TakeTable(const Json& line) {
    const size_t place = line["table"].get<size_t>();
    if (place >= tables_.size()) return;
    const std::string name = ToString(tables_[place].ident);
    if (line.contains("error")) {
      outcomes_[place] =
          MakeError(ErrorKind::kWriteFailed, "table {}: Spark: {}", name, line["error"].get<std::string>());
      return;
    }
    const SparkCounts counts = CountsOf(line["counts"]);
    LogInfo("compacted files with Spark", {{"table", name},
                                           {"files_before", counts.data_files_rewritten},
                                           {"files_after", counts.data_files_added},
                                           {"bytes_before", counts.bytes_rewritten},
                                           {"delete_files_gone", counts.delete_files_gone}});
    outcomes_[place] = counts;
  }

  const std::vector<SparkTable>& tables_;
  std::vector<std::optional<Result<SparkCounts>>> outcomes_;
};

}  // namespace

Result<std::vector<SparkOutcome>> CompactWithSpark(const SparkOptions& options, const std::vector<SparkTable>& tables,
                                                   const std::stop_token& stop) {
  CompactionOutcomes outcomes(tables);
  const SparkSubmission submission{.name = "compaction",
                                   .script_name = "spark_compaction.py",
                                   .script = FIRN_EMBEDDED_spark_compaction_py,
                                   .job = CompactionJob(tables),
                                   .on_line = [&](const Json& line) { outcomes.Take(line); }};
  TRY(SparkEnd end, SubmitToSpark(options, submission, stop));
  // What is committed is told even where Spark failed to end well.
  if (!outcomes.is_whole()) return std::move(end.broken_off);
  return std::move(outcomes).Outcomes();
}

}  // namespace firn::maintenance
