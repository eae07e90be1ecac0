"""What is measured. Each scenario is a function of the run (bench.run.Bench) that gives a results.Result."""

from . import backlog, commits, copy, latency, scan, storage, tables

# In the order of the report.
SCENARIOS = {
    "copy-accounts": copy.accounts,
    "copy-trips": copy.trips,
    "backlog-mixed": backlog.mixed,
    "backlog-insert": backlog.insert,
    "backlog-single": backlog.single,
    "latency": latency.measure,
    "commits": commits.measure,
    "tables": tables.measure,
    "storage": storage.measure,
    "scan": scan.measure,
}
