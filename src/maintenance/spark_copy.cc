#include "maintenance/spark_copy.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "base/try.h"
#include "maintenance/spark_submission.h"
#include "observe/log.h"

// Made by the build; the linker puts it in before main, and nothing asks for it earlier.
extern const std::string_view FIRN_EMBEDDED_spark_copy_py;

namespace firn::maintenance {
namespace {

using Json = nlohmann::json;

std::string_view FormName(pipeline::OutsideForm form) {
  switch (form) {
    case pipeline::OutsideForm::kAsRead:
      return "as_read";
    case pipeline::OutsideForm::kDays:
      return "days";
    case pipeline::OutsideForm::kMicros:
      return "micros";
    case pipeline::OutsideForm::kMicrosUtc:
      return "micros_utc";
  }
  return "";
}

Json CopyJob(const std::map<std::string, std::string>& jdbc, const std::vector<pipeline::OutsideTable>& tables) {
  Json job{{"jdbc", jdbc}, {"settings", pipeline::OutsideSessionSettings()}, {"tables", Json::array()}};
  for (const pipeline::OutsideTable& table : tables) {
    Json columns = Json::array();
    for (const pipeline::OutsideColumn& column : table.columns) {
      columns.push_back(
          {{"name", column.name}, {"sql", column.sql}, {"type", column.type}, {"form", FormName(column.form)}});
    }
    Json ranges = Json::array();
    for (const postgres::BlockRange& range : table.ranges) {
      ranges.push_back({range.first, range.last ? Json(*range.last) : Json()});
    }
    job["tables"].push_back({{"name", NameForSpark(table.ident)},
                             {"branch", table.branch},
                             {"from", table.from},
                             {"columns", std::move(columns)},
                             {"ranges", std::move(ranges)}});
  }
  return job;
}

}  // namespace

Result<std::vector<Status>> SparkCopier::Copy(const std::vector<pipeline::OutsideTable>& tables,
                                              const std::stop_token& stop) {
  std::vector<std::optional<Status>> outcomes(tables.size());
  const auto take = [&](const Json& line) {
    if (line.contains("spark")) LogInfo("Spark copies tables", {{"version", line["spark"].get<std::string>()}});
    if (!line.contains("table")) return;
    const size_t place = line["table"].get<size_t>();
    if (place >= tables.size()) return;
    outcomes[place] = line.contains("error")
                          ? Status(MakeError(ErrorKind::kWriteFailed, "Spark: {}", line["error"].get<std::string>()))
                          : Status();
  };
  const SparkSubmission submission{.name = "copy",
                                   .script_name = "spark_copy.py",
                                   .script = FIRN_EMBEDDED_spark_copy_py,
                                   .job = CopyJob(options_.jdbc, tables),
                                   .secrets = options_.jdbc,
                                   .on_line = take};
  TRY(const SparkEnd end, SubmitToSpark(options_.spark, submission, stop));
  std::vector<Status> all;
  for (auto& outcome : outcomes) all.push_back(outcome ? std::move(*outcome) : Status(end.broken_off));
  return all;
}

}  // namespace firn::maintenance
