// A program of its own around the whole of firn: PostgreSQL into Iceberg tables, with flags in place of a configuration
// file.
//
//   firn_example_postgres_to_iceberg --source postgresql://firn@localhost/shop
//       --catalog-uri https://catalog.example.com --warehouse shop --region eu-central-1          a REST catalog
//   firn_example_postgres_to_iceberg --source postgresql://firn@localhost/shop
//       --catalog-uri sqlite:////var/lib/firn/catalog.db --bucket lake --prefix shop              a catalog in a file
//
// Ctrl-C commits what is complete, and ends.

#include <firn/replication.h>
#include <getopt.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <map>
#include <string>
#include <thread>

namespace {

constexpr const char* kUsage =
    "usage: %s --source URL --catalog-uri URI [--warehouse NAME_OR_URI] [--bucket BUCKET [--prefix PATH]]\n"
    "  [--region REGION] [--namespace NAME] [--format-version 2|3] [--commit-interval-ms N] [--http ADDRESS]\n"
    "  [--state-dir DIR] [--no-deletes] [--track-changes] [--until-caught-up]\n";

constexpr option kOptions[] = {{"source", required_argument, nullptr, 0},
                               {"catalog-uri", required_argument, nullptr, 0},
                               {"warehouse", required_argument, nullptr, 0},
                               {"bucket", required_argument, nullptr, 0},
                               {"prefix", required_argument, nullptr, 0},
                               {"region", required_argument, nullptr, 0},
                               {"namespace", required_argument, nullptr, 0},
                               {"format-version", required_argument, nullptr, 0},
                               {"commit-interval-ms", required_argument, nullptr, 0},
                               {"http", required_argument, nullptr, 0},
                               {"state-dir", required_argument, nullptr, 0},
                               {"no-deletes", no_argument, nullptr, 0},
                               {"track-changes", no_argument, nullptr, 0},
                               {"until-caught-up", no_argument, nullptr, 0},
                               {nullptr, 0, nullptr, 0}};

/// In YAML's double quotes.
std::string Quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

using Flags = std::map<std::string, std::string>;

/// "  key: value" of a section, where the flag is given.
std::string Line(const Flags& flags, const std::string& flag, const std::string& key,
                 const std::string& indent = "  ") {
  const auto found = flags.find(flag);
  return found == flags.end() ? "" : indent + key + ": " + Quoted(found->second) + "\n";
}

std::string Configuration(const Flags& flags) {
  const bool is_rest = flags.at("catalog-uri").starts_with("http");
  std::string text = "source:\n" + Line(flags, "source", "url");
  text += "catalog:\n  type: " + std::string(is_rest ? "rest" : "sql") + "\n" + Line(flags, "catalog-uri", "uri");
  if (flags.contains("warehouse")) {
    text += Line(flags, "warehouse", "warehouse");
  } else if (flags.contains("bucket")) {
    const std::string prefix = flags.contains("prefix") ? "/" + flags.at("prefix") : "";
    text += "  warehouse: " + Quoted("s3://" + flags.at("bucket") + prefix) + "\n";
  }
  if (flags.contains("region")) text += "storage:\n  s3:\n" + Line(flags, "region", "region", "    ");
  text += "destination:\n  format_version: " + (flags.contains("format-version") ? flags.at("format-version") : "2") +
          "\n" + Line(flags, "namespace", "namespace");
  text += std::string("cdc:\n  enable_deletes: ") + (flags.contains("no-deletes") ? "false" : "true") + "\n";
  text += std::string("  track_changes: ") + (flags.contains("track-changes") ? "true" : "false") + "\n";
  if (flags.contains("commit-interval-ms"))
    text += "writer:\n  commit_interval_ms: " + flags.at("commit-interval-ms") + "\n";
  if (flags.contains("http")) text += "http:\n" + Line(flags, "http", "listen");
  return text + Line(flags, "state-dir", "state_dir", "");
}

}  // namespace

int main(int argc, char** argv) {
  Flags flags;
  int index = 0;
  int found = 0;
  while ((found = getopt_long(argc, argv, "", kOptions, &index)) == 0) {
    flags[kOptions[index].name] = optarg == nullptr ? "" : optarg;
  }
  if (found != -1 || optind != argc || !flags.contains("source") || !flags.contains("catalog-uri")) {
    std::fprintf(stderr, kUsage, argv[0]);
    return 2;
  }

  // Signals become a stop request. Blocked before any thread is made, so that this one alone takes them.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);

  firn::Status ended;
  std::jthread replication([&](std::stop_token stop) {
    ended = firn::Replicate(
        {.configuration = Configuration(flags), .until_caught_up = flags.contains("until-caught-up")}, stop);
    kill(getpid(), SIGTERM);
  });
  int taken = 0;
  sigwait(&signals, &taken);
  replication.request_stop();
  replication.join();
  if (ended) return 0;
  std::fprintf(stderr, "%s\n", ended.error().message().c_str());
  return ended.error().kind() == firn::ErrorKind::kInvalidConfig ? 2 : 1;
}
