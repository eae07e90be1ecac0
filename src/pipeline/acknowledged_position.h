// What was acknowledged to the slot, kept in state_dir: a slot that is further on at the next start is another one,
// made again under the name, or was moved by somebody else.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "firn/result.h"
#include "model/lsn.h"
#include "postgres/replication_stream.h"

namespace firn::pipeline {

std::string AcknowledgedFile(const std::string& state_dir);

/// At least what the slot was told; nothing where no file says. kCorrupt for a file that says nothing.
Result<std::optional<Lsn>> ReadAcknowledged(const std::string& state_dir);

/// For a slot that starts anew.
Status ForgetAcknowledged(const std::string& state_dir);

/// The stream, which writes down each acknowledgement before the slot gets it: at most once a second, the later ones
/// together. `known`: where the slot may be already; that is written down at once.
Result<std::unique_ptr<postgres::ReplicationStream>> RecordAcknowledged(
    std::unique_ptr<postgres::ReplicationStream> stream, std::string state_dir, Lsn known);

}  // namespace firn::pipeline
