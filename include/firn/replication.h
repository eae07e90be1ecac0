// The whole of firn in an application: PostgreSQL into Iceberg tables, as `firn run` does it.
//
//   std::jthread replication([](std::stop_token stop) {
//     const firn::Status ended = firn::Replicate({.configuration = yaml}, stop);
//   });
#pragma once

#include <stop_token>
#include <string>

#include "firn/result.h"

namespace firn {

struct Replication {
  /// The text of a configuration file (docs/configuration.md): YAML, and so JSON, too. ${VAR} expands, and the
  /// process's FIRN_… variables win, as for a file.
  std::string configuration;
  /// End once all that was committed in PostgreSQL before the start is in Iceberg; else only a stop ends it.
  bool until_caught_up = false;
};

/// Copies what is not copied yet, then follows changes. Blocks until it is caught up (where asked), `stop`, which
/// commits what is complete and is no error, or an error that trying again does not heal. kInvalidConfig names every
/// problem of the configuration, with its line; nothing was touched then.
///
/// Thread-safety: one slot has one reader, so one call at a time for each source.slot; several slots may be read by
/// several threads. SIGPIPE is to be ignored in the process. What it logs goes to standard error, as log.level and
/// log.format say; the process has one of each: those of the call that began last.
Status Replicate(const Replication& replication, std::stop_token stop);

}  // namespace firn
