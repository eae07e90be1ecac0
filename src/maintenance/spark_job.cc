#include "maintenance/spark_job.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/child_process.h"
#include "base/try.h"
#include "maintenance/spark_submission.h"
#include "observe/log.h"
#include "observe/redact.h"

// Made by the build; the linker puts it in before main, and nothing asks for it earlier.
extern const std::string_view FIRN_EMBEDDED_spark_job_py;

namespace firn::maintenance {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

/// MARK of spark_job.py.
constexpr std::string_view kMark = "firn: ";
constexpr size_t kErrorLinesMax = 20;
/// Shorter values are no secrets, and would be found everywhere; true and false would, too.
constexpr size_t kSecretBytesMin = 4;
constexpr std::string_view kExtensions = "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions";
/// Spark's own default, and what Iceberg's properties add to it.
constexpr std::string_view kRedacted =
    "(?i)secret|password|token|access[.]?key|access-key|account[.]?key|credential|header|connection-string|sas";

struct KnownCause {
  std::string_view sign;  ///< In what Spark writes.
  std::string_view remedy;
};
constexpr std::string_view kNoIceberg =
    "Spark has no Iceberg: set spark.packages to its runtime, as in "
    "[\"org.apache.iceberg:iceberg-spark-runtime-4.1_2.13:1.12.0\"] for Spark 4.1, or spark.jars";
constexpr std::string_view kJavaTooNew =
    "this Java is too new for this Spark: Spark 4 needs Java 17 or 21; JAVA_HOME says which one is taken";
constexpr std::string_view kNoClient =
    "for Spark Connect, install pyspark's client: python3 -m pip install pyspark-client; PYSPARK_PYTHON says which "
    "Python is taken";
constexpr std::array kKnownCauses = {
    KnownCause{"UnsupportedClassVersionError",
               "this Java is too old for this Spark: Spark 4 needs Java 17 or 21; JAVA_HOME says which one is taken"},
    KnownCause{"getSubject is not supported", kJavaTooNew},
    KnownCause{"getSubject is supported only if", kJavaTooNew},
    KnownCause{"JAVA_HOME is not set", "Spark finds no Java: install Java 17 or 21, or set JAVA_HOME"},
    KnownCause{"java: not found", "Spark finds no Java: install Java 17 or 21, or set JAVA_HOME"},
    KnownCause{"java: No such file", "JAVA_HOME names no Java: set it to that of a Java 17 or 21"},
    KnownCause{"Cannot run program \"python3\"", "Spark finds no python3: install it, or set PYSPARK_PYTHON"},
    KnownCause{"No module named 'pyspark'", kNoClient},
    KnownCause{"PACKAGE_NOT_INSTALLED", kNoClient},
    KnownCause{"Cannot find catalog plugin class", kNoIceberg},
    KnownCause{"ClassNotFoundException: org.apache.iceberg", kNoIceberg},
    KnownCause{"ClassNotFoundException: org.postgresql.Driver",
               "Spark has no JDBC driver for PostgreSQL: add org.postgresql:postgresql, with its version, to "
               "spark.packages, as in \"org.postgresql:postgresql:42.7.13\", or its file to spark.jars"},
    KnownCause{
        "No suitable driver",
        "Spark has no JDBC driver for the catalog: add org.xerial:sqlite-jdbc or org.postgresql:postgresql, with "
        "its version, to spark.packages"},
    KnownCause{"software/amazon/awssdk",
               "Spark has no classes for AWS: add org.apache.iceberg:iceberg-aws-bundle, with the version of Iceberg's "
               "runtime, to spark.packages"},
    KnownCause{"com/google/cloud",
               "Spark has no classes for Google Cloud: add org.apache.iceberg:iceberg-gcp-bundle, with the version of "
               "Iceberg's runtime, to spark.packages"},
    KnownCause{"com/azure",
               "Spark has no classes for Azure: add org.apache.iceberg:iceberg-azure-bundle, with the version of "
               "Iceberg's runtime, to spark.packages"},
};

/// "; " and what to do about it, where the cause is known.
std::string RemedyOf(std::string_view text) {
  const auto* found = std::ranges::find_if(
      kKnownCauses, [&](const KnownCause& cause) { return text.find(cause.sign) != std::string_view::npos; });
  return found == kKnownCauses.end() ? "" : fmt::format("; {}", found->remedy);
}

/// A folder for files that hold secrets; it goes with its owner.
class PrivateFolder {
 public:
  static Result<PrivateFolder> Make() {
    std::error_code failed;
    std::string path = (fs::temp_directory_path(failed) / "firn-spark-XXXXXX").string();
    if (failed || mkdtemp(path.data()) == nullptr) {
      return MakeError(ErrorKind::kPermission,
                       "no folder can be made in the temporary one ({}): {}; TMPDIR names another", path,
                       failed ? failed.message() : std::strerror(errno));
    }
    return PrivateFolder(std::move(path));
  }
  PrivateFolder(PrivateFolder&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  PrivateFolder& operator=(PrivateFolder&&) = delete;
  ~PrivateFolder() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }

  /// Readable for nobody else. Its path.
  Result<std::string> Write(std::string_view name, std::string_view text) const {
    const std::string path = fmt::format("{}/{}", path_, name);
    const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool written = fd >= 0;
    while (written && !text.empty()) {
      const ssize_t count = write(fd, text.data(), text.size());
      written = count > 0;
      if (written) text.remove_prefix(static_cast<size_t>(count));
    }
    const int error = errno;
    if (fd >= 0) close(fd);
    if (!written) return MakeError(ErrorKind::kTransient, "{} can't be written: {}", path, std::strerror(error));
    return path;
  }

 private:
  explicit PrivateFolder(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

/// A line of a Java properties file, as Spark reads it (java.util.Properties.load, in UTF-8).
std::string PropertyLine(std::string_view name, std::string_view value) {
  const auto escaped = [](std::string_view text, bool is_name) {
    std::string out;
    for (const char c : text) {
      if (c == '\n') {
        out += "\\n";
      } else if (c == '\r') {
        out += "\\r";
      } else {
        if (c == '\\' || (is_name && (c == ':' || c == '=' || c == ' ' || c == '#' || c == '!'))) out += '\\';
        out += c;
      }
    }
    return out;
  };
  return fmt::format("{}={}\n", escaped(name, true), escaped(value, false));
}

/// spark-defaults.conf of this Spark, which --properties-file would have Spark leave unread.
std::string SparkDefaults(const std::string& submit) {
  std::vector<fs::path> folders;
  if (const char* folder = std::getenv("SPARK_CONF_DIR"); folder != nullptr) {
    folders.emplace_back(folder);
  } else {
    if (const char* home = std::getenv("SPARK_HOME"); home != nullptr) folders.push_back(fs::path(home) / "conf");
    std::error_code ignored;
    folders.push_back(fs::canonical(submit, ignored).parent_path().parent_path() / "conf");
  }
  for (const fs::path& folder : folders) {
    std::ifstream file(folder / "spark-defaults.conf");
    if (file) return std::string(std::istreambuf_iterator<char>(file), {}) + "\n";
  }
  return "";
}

std::string SubmitProperties(const SparkOptions& options, const std::string& job_name) {
  std::map<std::string, std::string> conf = {{"spark.app.name", "firn: " + job_name},
                                             {"spark.sql.extensions", std::string(kExtensions)},
                                             {"spark.redaction.regex", std::string(kRedacted)}};
  for (const auto& [name, value] : options.conf) conf[name] = value;
  if (!options.master.empty()) conf["spark.master"] = options.master;
  conf["spark.submit.deployMode"] = "client";
  std::string text = SparkDefaults(options.submit);
  for (const auto& [name, value] : conf) text += PropertyLine(name, value);
  return text;
}

/// What every job is told, beside its own part.
Json JobOf(const SparkOptions& options, Json job) {
  job["catalog"] = options.catalog;
  job["session"] = Json::object();
  if (options.IsConnect()) {
    job["remote"] = options.master;
    for (const auto& [name, value] : options.conf) job["session"][name] = value;
  }
  const std::string catalog = "spark.sql.catalog." + options.catalog;
  job["session"][catalog] = "org.apache.iceberg.spark.SparkCatalog";
  // Of a table that firn commits to, Spark wants the newest metadata each time.
  job["session"][catalog + ".cache-enabled"] = "false";
  for (const auto& [name, value] : options.catalog_properties) job["session"][catalog + "." + name] = value;
  return job;
}

/// Takes the values that may be secrets out of what Spark writes.
class SecretFilter {
 public:
  SecretFilter(const SparkOptions& options, const std::map<std::string, std::string>& others) {
    for (const auto* values : {&options.conf, &options.catalog_properties, &options.environment, &others}) {
      for (const auto& [name, value] : *values) {
        const bool is_word = value.size() < kSecretBytesMin || value == "true" || value == "false";
        if (IsSecret(name) && !is_word) secrets_.push_back(value);
      }
    }
    // A secret within another one must not leave the rest of that.
    std::ranges::sort(secrets_, [](const auto& a, const auto& b) { return a.size() > b.size(); });
  }

  std::string operator()(std::string_view text) const {
    std::string out(text);
    for (const std::string& secret : secrets_) {
      for (size_t at = 0; (at = out.find(secret, at)) != std::string::npos;) out.replace(at, secret.size(), "***");
    }
    return RedactSecrets(out);
  }

 private:
  static bool IsSecret(std::string name) {
    std::ranges::transform(name, name.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    constexpr std::string_view kWords[] = {"secret",     "password", "token", "key",
                                           "credential", "header",   "sas",   "connection-string"};
    return std::ranges::any_of(kWords, [&](std::string_view word) { return name.find(word) != std::string::npos; });
  }

  std::vector<std::string> secrets_;
};

/// What the job writes, as it writes it.
class JobOutput {
 public:
  JobOutput(const SparkOptions& options, const SparkSubmission& submission)
      : submission_(submission), without_secrets_(options, submission.secrets) {}

  void Take(OutputStream stream, std::string_view raw) {
    if (stream == OutputStream::kStdout && raw.starts_with(kMark)) {
      Json line = Json::parse(raw.substr(kMark.size()), nullptr, /*allow_exceptions=*/false);
      if (!line.is_object()) return;
      if (line.contains("error")) {
        const std::string message = without_secrets_(line["error"].get<std::string>());
        line["error"] = message + RemedyOf(message);
      }
      submission_.on_line(line);
      return;
    }
    const std::string line = without_secrets_(raw);
    LogDebug("Spark", {{"line", line}});
    if (remedy_.empty()) remedy_ = RemedyOf(line);
    // An error's own lines are among what Spark tells of its work.
    if (line.empty() || line.find(" INFO ") != std::string::npos) return;
    last_lines_.push_back(line);
    if (last_lines_.size() > kErrorLinesMax) last_lines_.pop_front();
  }

  Error BrokenOff(int code) const {
    std::string lines;
    for (const std::string& line : last_lines_) lines += "\n  " + line;
    return MakeError(ErrorKind::kWriteFailed, "Spark's job ended with exit code {}{}{}{}", code, remedy_,
                     lines.empty() ? "" : "; it wrote last:", lines);
  }

 private:
  const SparkSubmission& submission_;
  const SecretFilter without_secrets_;
  std::deque<std::string> last_lines_;
  std::string remedy_;
};

bool IsProgram(const std::string& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored) && access(path.c_str(), X_OK) == 0;
}

std::optional<std::string> FindInPath(const std::string& program, std::string_view path) {
  while (!path.empty()) {
    const size_t colon = path.find(':');
    const std::string candidate = fmt::format("{}/{}", path.substr(0, colon), program);
    if (IsProgram(candidate)) return candidate;
    path = colon == std::string_view::npos ? std::string_view() : path.substr(colon + 1);
  }
  return std::nullopt;
}

}  // namespace

Result<std::string> FindSparkSubmit(const std::string& given, const std::string& spark_home, const std::string& path) {
  if (!given.empty()) {
    const bool is_path = given.find('/') != std::string::npos;
    if (is_path && IsProgram(given)) return given;
    if (const auto found = is_path ? std::nullopt : FindInPath(given, path)) return *found;
    return MakeError(ErrorKind::kInvalidConfig, "spark.submit: {} is no program that can be run", given);
  }
  if (const std::string of_home = spark_home + "/bin/spark-submit"; !spark_home.empty()) {
    if (IsProgram(of_home)) return of_home;
    return MakeError(ErrorKind::kInvalidConfig, "SPARK_HOME: there is no {}; set it to where Spark is, or spark.submit",
                     of_home);
  }
  if (const auto found = FindInPath("spark-submit", path)) return *found;
  return MakeError(
      ErrorKind::kInvalidConfig,
      "there is no spark-submit: name it by --spark-submit or spark.submit, set SPARK_HOME, or put it into "
      "PATH; spark.master: sc://host:15002 takes a Spark Connect server instead");
}

Result<SparkEnd> SubmitToSpark(const SparkOptions& options, const SparkSubmission& submission,
                               const std::stop_token& stop) {
  TRY(const PrivateFolder folder, PrivateFolder::Make());
  TRY_VOID(folder.Write("spark_job.py", FIRN_EMBEDDED_spark_job_py));
  TRY(const std::string script, folder.Write(submission.script_name, submission.script));
  TRY(const std::string job, folder.Write("job.json", JobOf(options, submission.job).dump()));
  ChildCommand command{.environment = options.environment};
  if (options.IsConnect()) {
    command.arguments = {options.python, script, job};
  } else {
    TRY(const std::string properties, folder.Write("spark.properties", SubmitProperties(options, submission.name)));
    command.arguments = {options.submit, "--properties-file", properties, script, job};
  }
  JobOutput output(options, submission);
  command.on_line = [&](OutputStream stream, std::string_view line) { output.Take(stream, line); };
  TRY(const int code, RunChild(command, stop));
  return SparkEnd{.broken_off = output.BrokenOff(code)};
}

}  // namespace firn::maintenance
