// The firn program: arguments and signals in, exit code out.
//   0 done    1 failed at run time    2 wrong usage or configuration (nothing was touched)

#include <fmt/format.h>
#include <pthread.h>
#include <sys/prctl.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "base/failpoint.h"
#include "base/try.h"
#include "cli/commands.h"
#include "cli/completion.h"
#include "cli/table_settings.h"
#include "config/config.h"
#include "config/config_folder.h"
#include "config/expand.h"
#include "config/suggestion.h"
#include "observe/log.h"
#include "observe/redact.h"

namespace firn::cli {
namespace {

constexpr int kDone = 0, kFailed = 1, kUsage = 2;

int ExitCodeOf(const Error& error) {
  // What PostgreSQL or the catalog says of a setting is found at run time; what the file says is found before.
  return error.kind() == ErrorKind::kInvalidConfig && error.origin() == ErrorOrigin::kFirn ? kUsage : kFailed;
}

/// Turns SIGTERM and SIGINT into a stop request; a second one ends the process at once. Made before any other thread,
/// so that all inherit the blocked signals.
class SignalWatch {
 public:
  SignalWatch() {
    sigemptyset(&signals_);
    sigaddset(&signals_, SIGTERM);
    sigaddset(&signals_, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
    ::signal(SIGPIPE, SIG_IGN);
    watcher_ = std::thread([this] {
      int signal = 0;
      sigwait(&signals_, &signal);
      if (ending_) return;
      LogInfo("stopping: what is buffered is committed first", {{"signal", signal == SIGTERM ? "SIGTERM" : "SIGINT"}});
      stop_.request_stop();
      sigwait(&signals_, &signal);
      if (!ending_) std::_Exit(128 + signal);
    });
  }
  ~SignalWatch() {
    ending_ = true;
    pthread_kill(watcher_.native_handle(), SIGTERM);
    watcher_.join();
  }
  std::stop_token token() const { return stop_.get_token(); }

 private:
  sigset_t signals_;
  std::stop_source stop_;
  std::atomic<bool> ending_ = false;
  std::thread watcher_;
};

/// What the options of the command line name.
struct Arguments {
  std::string config_path;
  std::string source_url;
  std::string warehouse;
  std::vector<std::string> tables;
  std::string shell;
  RunCommand run;
  StatusCommand status;
  HealthCommand health;
  VerifyCommand verify;
  ResyncCommand resync;
  MaintainCommand maintain;
};

Status SetUpLoggingOf(const config::Config& config) {
  TRY(const LogLevel level, ParseLogLevel(config.log.level));
  TRY(const LogFormat format, ParseLogFormat(config.log.format));
  SetUpLogging(level, format);
  return {};
}

/// Whether the options that say what to replicate go together.
Status CheckUsage(const Arguments& arguments) {
  const bool has_source = !arguments.source_url.empty(), has_warehouse = !arguments.warehouse.empty();
  if (!arguments.config_path.empty()) {
    if (has_source || has_warehouse) {
      return MakeError(ErrorKind::kInvalidConfig,
                       "--config says what to replicate; --source and --warehouse are for none");
    }
    if (arguments.tables.empty()) return {};
    return MakeError(ErrorKind::kInvalidConfig,
                     "--tables goes with --source and --warehouse: with --config, write the patterns into the file, as "
                     "source.tables, so that each command finds the same ones");
  }
  if (has_source && has_warehouse) return {};
  if (has_source || has_warehouse) return MakeError(ErrorKind::kInvalidConfig, "--source and --warehouse go together");
  return MakeError(ErrorKind::kInvalidConfig,
                   "say which pipeline: either --config FILE, or --source URL and --warehouse DIR_OR_URI");
}

Result<config::Config> LoadConfiguration(const Arguments& arguments) {
  TRY_VOID(CheckUsage(arguments));
  TRY(config::Config config, arguments.config_path.empty()
                                 ? config::MakeDirectConfig(arguments.source_url, arguments.warehouse, arguments.tables,
                                                            config::ProcessEnvironment())
                                 : config::LoadConfig(arguments.config_path));
  TRY_VOID(CheckTableSettings(config));
  TRY_VOID(SetUpLoggingOf(config));
  return config;
}

int Finish(const Status& status) {
  if (status) return kDone;
  fmt::print(stderr, "firn: {}\n", RedactSecrets(status.error().message()));
  return ExitCodeOf(status.error());
}

/// With the line of what is wrong in the configuration, where that is known.
int Finish(const config::Config& config, const Status& status) {
  return status ? kDone : Finish(std::unexpected(config::Located(config, status.error())));
}

/// Without a file, of a warehouse that is elsewhere.
void TellWhereCatalogIs(const config::Config& config) {
  constexpr std::string_view kSqlite = "sqlite://";
  const std::string& uri = config.catalog.uri;
  if (config.origins.contains("catalog.uri") || config.catalog.type != "sql" || !uri.starts_with(kSqlite)) return;
  if (config.catalog.warehouse.starts_with('/')) return;
  LogInfo("the catalog of these tables is a file on this machine, which knows them alone: keep it",
          {{"catalog", uri.substr(kSqlite.size())}, {"warehouse", config.catalog.warehouse}});
}

bool IsFolder(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::is_directory(path, ignored);
}

/// All pipelines of --config, where that is a folder.
Result<std::vector<config::PipelineConfig>> LoadFolder(const Arguments& arguments) {
  TRY_VOID(CheckUsage(arguments));
  TRY(auto pipelines, config::LoadConfigFolder(arguments.config_path));
  std::string problems;
  for (const config::PipelineConfig& pipeline : pipelines) {
    const Status usable = CheckTableSettings(pipeline.config);
    if (!usable) problems += (problems.empty() ? "" : "\n") + usable.error().message();
  }
  if (!problems.empty()) return Error(ErrorKind::kInvalidConfig, std::move(problems));
  TRY_VOID(SetUpLoggingOf(pipelines.front().config));
  return pipelines;
}

template <typename Command>
int WithConfiguration(const Arguments& arguments, Command&& command) {
  const auto config = LoadConfiguration(arguments);
  if (!config) return Finish(std::unexpected(config.error()));
  return Finish(*config, command(*config));
}

/// For a command that works on one pipeline after the other where --config is a folder; it fails where one did. Each
/// begins with its file's name on stderr.
template <typename Command>
int WithEachConfiguration(const Arguments& arguments, Command&& command) {
  if (!IsFolder(arguments.config_path)) return WithConfiguration(arguments, command);
  const auto pipelines = LoadFolder(arguments);
  if (!pipelines) return Finish(std::unexpected(pipelines.error()));
  int exit_code = kDone;
  for (const config::PipelineConfig& pipeline : *pipelines) {
    fmt::print(stderr, "{}:\n", pipeline.file);
    exit_code = std::max(exit_code, Finish(pipeline.config, command(pipeline.config)));
  }
  return exit_code;
}

/// Where a word stands in the place of a command and is none: which one it may be meant for. Else empty.
std::string UnknownCommand(const CLI::App& app) {
  if (const auto chosen = app.get_subcommands(); !chosen.empty()) return UnknownCommand(*chosen.back());
  const std::vector<std::string> rest = app.remaining();
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(command->get_name());
  }
  if (rest.empty() || names.empty()) return "";
  const std::string program = app.get_parent() == nullptr ? "firn" : "firn " + app.get_name();
  const auto near = config::Suggest(rest.front(), names);
  return fmt::format("'{}' is no {} of {}{}; it has {} ({} --help)", rest.front(),
                     rest.front().starts_with('-') ? "option" : "command", program,
                     near ? fmt::format(" (did you mean '{}'?)", *near) : "", fmt::join(names, ", "), program);
}

int Main(int argc, char** argv) {
  if (const char* wanted = std::getenv("FIRN_FAILPOINTS"); wanted != nullptr) {
    if (const Status armed = ArmFailpoints(wanted); !armed) return Finish(armed);
  }
  CLI::App app{"firn replicates PostgreSQL into Apache Iceberg tables."};
  app.require_subcommand(1);
  app.footer(
      "Start with:\n"
      "  firn run --source postgresql://firn@localhost/shop --warehouse ./lake --until-caught-up\n"
      "      copies every table of the database shop into ./lake, and ends\n"
      "  firn config example > firn.yaml\n"
      "      makes a configuration file, with comments; then: firn check --config firn.yaml\n"
      "\n"
      "firn COMMAND --help tells of a command. Exit codes: 0 done, 1 failed at run time, 2 wrong usage or "
      "configuration.");
  app.set_version_flag("--version", FIRN_VERSION);
  Arguments arguments;
  int exit_code = kDone;

  enum class Takes { kFile, kFolder };
  auto add_pipeline = [&](CLI::App* command, Takes takes = Takes::kFile) {
    command
        ->add_option(
            "--config", arguments.config_path,
            takes == Takes::kFolder
                ? "Configuration file (YAML; firn config example shows one), or a folder of them: a pipeline each"
                : "Configuration file (YAML; firn config example shows one)")
        ->type_name("FILE");
    command
        ->add_option("--source", arguments.source_url,
                     "Without a file: PostgreSQL to read, as postgresql://user@host:port/database")
        ->type_name("URL");
    command
        ->add_option("--warehouse", arguments.warehouse,
                     "Without a file: folder or URI for the tables; the catalog is catalog.db in the folder, or in a "
                     "folder of this machine")
        ->type_name("DIR");
    command
        ->add_option("--tables", arguments.tables,
                     "Without a file: the pipeline's tables, as patterns: 'public.*,!public.audit_*'")
        ->delimiter(',')
        ->type_name("LIST");
  };

  CLI::App* run = app.add_subcommand("run", "Copy what is not copied yet, then stream changes");
  add_pipeline(run, Takes::kFolder);
  run->add_flag("--until-caught-up", arguments.run.until_caught_up,
                "End once all that was committed before the start is in Iceberg");
  run->add_option("--copy-engine", arguments.run.copy_engine,
                  "Who copies large tables at first: firn, or an existing Spark (default: source.copy_engine, or firn)")
      ->check(CLI::IsMember({"firn", "spark"}));
  run->add_option("--spark-submit", arguments.run.spark_submit,
                  "The path of spark-submit (default: spark.submit, $SPARK_HOME or PATH)")
      ->type_name("PATH");
  run->footer(
      "Examples:\n"
      "  firn run --config firn.yaml\n"
      "      until SIGTERM or Ctrl-C, which commits what is buffered\n"
      "  firn run --config firn.yaml --until-caught-up\n"
      "      for a job that runs every hour\n"
      "  firn run --config /etc/firn/pipelines/\n"
      "      a pipeline for each *.yaml in the folder, all in one process\n"
      "  firn run --source postgresql://firn@db/shop --warehouse ./lake --tables 'public.*,!public.audit_*'\n"
      "      without a file; PGPASSWORD and PGPASSFILE hold the password, FIRN_… variables any key of one\n"
      "\n"
      "Started again, it goes on where it was. http.listen in the file serves a status page and metrics.");
  run->callback([&] {
    const SignalWatch signals;
    if (IsFolder(arguments.config_path)) {
      const auto pipelines = LoadFolder(arguments);
      exit_code = Finish(pipelines ? RunFolder(*pipelines, arguments.run, signals.token())
                                   : Status(std::unexpected(pipelines.error())));
      return;
    }
    exit_code = WithConfiguration(arguments, [&](const config::Config& config) {
      TellWhereCatalogIs(config);
      return Run(config, arguments.run, signals.token());
    });
  });

  CLI::App* status = app.add_subcommand("status", "Show tables, states, rows, lag and slot");
  add_pipeline(status, Takes::kFolder);
  status->add_flag("--json", arguments.status.json, "As JSON");
  status->footer(
      "Asks PostgreSQL and the catalog, so it works whether firn runs or not.\n"
      "\n"
      "Examples:\n"
      "  firn status --config firn.yaml\n"
      "  firn status --config firn.yaml --json | jq '.tables[] | select(.state != \"streaming\")'");
  status->callback([&] {
    exit_code = WithEachConfiguration(
        arguments, [&](const config::Config& config) { return ShowStatus(config, arguments.status); });
  });

  CLI::App* health = app.add_subcommand("health", "Ask the firn that runs whether it is well, at its http.listen");
  add_pipeline(health, Takes::kFolder);
  health->add_flag("--ready", arguments.health.ready, "Whether it copies or streams, too, as /readyz tells");
  health->footer(
      "The exit code is 0 where it is, else 1: a container's health check.\n"
      "\n"
      "Example:\n"
      "  firn health --config firn.yaml --ready");
  health->callback([&] {
    exit_code = WithEachConfiguration(arguments,
                                      [&](const config::Config& config) { return Health(config, arguments.health); });
  });

  CLI::App* verify = app.add_subcommand("verify", "Compare the contents of both sides, while firn runs or not");
  add_pipeline(verify);
  verify->add_option("--table", arguments.verify.tables, "Tables, as patterns: 'public.orders' (default: all)")
      ->delimiter(',');
  verify->add_flag("--json", arguments.verify.json, "As JSON");
  verify
      ->add_option("--wait", arguments.verify.wait_s,
                   "Seconds to wait for the running firn to commit what PostgreSQL has")
      ->capture_default_str()
      ->check(CLI::Range(0, 86'400));
  verify->footer(
      "The exit code is 1 where a table differs; the differing keys are printed.\n"
      "\n"
      "Example:\n"
      "  firn verify --config firn.yaml --table public.orders");
  verify->callback([&] {
    const SignalWatch signals;
    exit_code = WithConfiguration(arguments, [&](const config::Config& config) {
      return VerifyTables(config, arguments.verify, signals.token());
    });
  });

  CLI::App* check = app.add_subcommand("check", "Look at both sides and name every problem with its remedy");
  add_pipeline(check, Takes::kFolder);
  check->footer(
      "Changes nothing on either side; the exit code is 1 where there is a problem.\n"
      "\n"
      "Example:\n"
      "  firn check --config firn.yaml && firn run --config firn.yaml");
  check->callback([&] { exit_code = WithEachConfiguration(arguments, Check); });

  CLI::App* resync = app.add_subcommand("resync", "Copy tables again while the others stream");
  add_pipeline(resync);
  resync->add_option("--table", arguments.resync.tables, "A table, as public.orders; may be given more than once")
      ->required();
  resync->footer(
      "Readers see the old rows until the new ones are whole. A parked table comes back by this, too.\n"
      "\n"
      "Example:\n"
      "  firn resync --config firn.yaml --table public.orders");
  resync->callback([&] {
    exit_code =
        WithConfiguration(arguments, [&](const config::Config& config) { return Resync(config, arguments.resync); });
  });

  CLI::App* maintain = app.add_subcommand("maintain", "Compact tables, expire snapshots, find orphaned files, now");
  add_pipeline(maintain, Takes::kFolder);
  maintain
      ->add_option("task", arguments.maintain.task,
                   "compact: small files and deletes into large files; expire: snapshots older than "
                   "maintenance.snapshot_retention; orphans: files that no metadata names; all (the default)")
      ->check(CLI::IsMember({"compact", "expire", "orphans", "all"}));
  maintain->add_option("--table", arguments.maintain.tables, "Only this table, as schema.table; may be repeated");
  maintain->add_flag("--delete", arguments.maintain.delete_orphans, "Delete the orphans instead of listing them");
  maintain
      ->add_option("--engine", arguments.maintain.engine,
                   "Who compacts: firn, or an existing Spark (section spark of the configuration)")
      ->capture_default_str()
      ->check(CLI::IsMember({"firn", "spark"}));
  maintain
      ->add_option("--spark-submit", arguments.maintain.spark_submit,
                   "The path of spark-submit (default: spark.submit, $SPARK_HOME or PATH)")
      ->type_name("PATH");
  maintain->footer(
      "Works beside a running firn. Each table is looked after by itself: an error of one leaves the others alone.\n"
      "\n"
      "Examples:\n"
      "  firn maintain --config firn.yaml compact --table public.orders\n"
      "  firn maintain --config firn.yaml compact --engine spark\n"
      "  firn maintain --config firn.yaml orphans          # lists them\n"
      "  firn maintain --config firn.yaml orphans --delete");
  maintain->callback([&] {
    const SignalWatch signals;
    exit_code = WithEachConfiguration(
        arguments, [&](const config::Config& config) { return Maintain(config, arguments.maintain, signals.token()); });
  });

  CLI::App* cleanup = app.add_subcommand("cleanup", "Drop slot and publication; the Iceberg tables stay");
  add_pipeline(cleanup);
  cleanup->footer(
      "For a pipeline that you are done with: its slot keeps WAL in PostgreSQL for as long as it is there.\n"
      "\n"
      "Examples:\n"
      "  firn cleanup --config firn.yaml\n"
      "  firn cleanup --source postgresql://firn@localhost/shop --warehouse ./lake");
  cleanup->callback([&] { exit_code = WithConfiguration(arguments, Cleanup); });

  CLI::App* config = app.add_subcommand("config", "About configuration files");
  config->require_subcommand(1);
  config->add_subcommand("schema", "Print the JSON Schema, for editors")->callback([] {
    fmt::print("{}\n", config::ConfigJsonSchema());
  });
  config->add_subcommand("example", "Print a commented example")->callback([] {
    fmt::print("{}\n", config::ConfigExample());
  });

  CLI::App* completion = app.add_subcommand("completion", "Print a script that completes commands and options");
  completion->add_option("shell", arguments.shell, "bash, zsh or fish")->required()->type_name("SHELL:{bash,zsh,fish}");
  completion->footer(
      "Examples:\n"
      "  source <(firn completion bash)                                        in ~/.bashrc\n"
      "  source <(firn completion zsh)                                         in ~/.zshrc, after compinit\n"
      "  firn completion fish > ~/.config/fish/completions/firn.fish");
  completion->callback([&] {
    const auto script = CompletionScript(app, arguments.shell);
    if (script) fmt::print("{}", *script);
    exit_code = Finish(script ? Status() : Status(std::unexpected(script.error())));
  });

  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& success) {
    return app.exit(success);
  } catch (const CLI::RequiredError& error) {
    const std::string unknown = UnknownCommand(app);
    if (unknown.empty()) {
      app.exit(error, std::cerr, std::cerr);
    } else {
      fmt::print(stderr, "firn: {}\n", unknown);
    }
    return kUsage;
  } catch (const CLI::ParseError& error) {
    app.exit(error, std::cerr, std::cerr);
    return kUsage;
  }
  return exit_code;
}

}  // namespace
}  // namespace firn::cli

int main(int argc, char** argv) {
  // Arrow gives the memory of each batch back and takes it again. In huge pages the kernel would clear several times
  // more than is used: a sixth of a copy's CPU.
  (void)prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
  return firn::cli::Main(argc, argv);
}
