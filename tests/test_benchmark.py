"""What the benchmark's figures rest on: bench/ compares contents, measures processes and keeps results rightly."""

import sys
import time

import pytest
from harness.lake import REPOSITORY

sys.path.append(str(REPOSITORY))

from bench import changes, contents, measure, report, results, source  # noqa: E402

ROWS = "(1, 'a', 1.50, 'x'), (2, NULL, NULL, NULL), (3, '', 0.00, '')"


@pytest.fixture
def database(postgres, request):
    name = postgres.create_database(f"benchmark_{request.node.name.split('[')[0]}"[:50].lower())
    yield source.Database(postgres, name)
    postgres.drop_database(name)


@pytest.fixture
def table(database):
    database.execute("CREATE TABLE t (id int, word text, amount numeric(10,2), code char(3))", f"INSERT INTO t VALUES {ROWS}")
    return database


def copied(rows):
    """What DuckDB takes for a copy that has these rows."""
    return f"(SELECT id, word, amount::DECIMAL(10,2) amount, code FROM (VALUES {rows}) v(id, word, amount, code))"


def test_equal_contents_in_any_order_are_equal(table):
    contents.expect_equal(table, {"t": copied("(3, '', 0, ''), (1, 'a', 1.5, 'x  '), (2, NULL, NULL, NULL)")}, "the copy")


@pytest.mark.parametrize(
    "rows",
    [
        "(1, 'a', 1.5, 'x'), (3, '', 0, '')",
        "(1, 'a', 1.5, 'x'), (2, NULL, NULL, NULL), (3, NULL, 0, '')",
        "(1, 'a', 1.51, 'x'), (2, NULL, NULL, NULL), (3, '', 0, '')",
        "(1, 'a', 1.5, 'x'), (1, 'a', 1.5, 'x'), (3, '', 0, '')",
        "(3, 'a', 1.5, 'x'), (2, NULL, NULL, NULL), (1, '', 0, '')",
    ],
    ids=["a row is missing", "NULL for an empty text", "another amount", "a row twice for another", "values of other rows"],
)
def test_other_contents_are_told(table, rows):
    with pytest.raises(RuntimeError, match="3 rows with the checksum"):
        contents.expect_equal(table, {"t": copied(rows)}, "the copy")


def test_each_change_concerns_a_row(database):
    database.make_accounts(4000)
    before = database.value("SELECT count(*) FROM pgbench_accounts WHERE abalance <> 0")
    source_changes = changes.Changes(database, changes.Load(1000, "uiud", 100), 4000)
    source_changes.make_all()
    assert before == 0
    assert database.value("SELECT count(*) FROM pgbench_accounts") == 4000
    # Each update adds its number, whichever row it meets; 1, 3, 5, … 999.
    assert database.value("SELECT sum(abalance) FROM pgbench_accounts WHERE aid <= 4000") == 500 * 500


def test_changes_that_miss_their_row_are_told(database):
    database.make_accounts(4000)
    database.execute("DELETE FROM pgbench_accounts WHERE aid % 4 = 0")
    with pytest.raises(RuntimeError, match="were expected"):
        changes.Changes(database, changes.Load(1000, "uiud", 100), 4000).make_all()


def test_a_measure_has_what_child_processes_take():
    burn = "import time\nwhile time.process_time() < 0.4: pass\nheld = bytearray(100 << 20)\ntime.sleep(1)"
    program = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {burn!r}])"
    taken = measure.run([sys.executable, "-c", program])
    assert taken.cpu_seconds >= 0.4
    assert taken.peak_mib >= 100
    assert taken.seconds >= 1


def test_what_a_command_leaves_running_is_ended_and_counted():
    burn = "import time\nwhile time.process_time() < 0.4: pass\nprint(1, flush=True)\ntime.sleep(300)"
    program = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {burn!r}], stdout=subprocess.PIPE).stdout.readline()"
    began = time.monotonic()
    taken = measure.run([sys.executable, "-c", program])
    assert taken.cpu_seconds >= 0.4
    assert time.monotonic() - began < 300


def test_a_command_that_fails_says_why():
    with pytest.raises(RuntimeError, match="gave 3: no such thing"):
        measure.run([sys.executable, "-c", "import sys; sys.stderr.write('no such thing'); sys.exit(3)"])


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Results and a README.md of their own, with the firn that made them called 1.2."""
    (tmp_path / "README.md").write_text(f"before\n{report.MARKS[0]}\nold\n{report.MARKS[1]}\nbehind\n")
    (tmp_path / "results").mkdir()
    monkeypatch.setattr(report, "README", tmp_path / "README.md")
    monkeypatch.setattr(results, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(results, "SCALED_DOWN", tmp_path / "scaled-down")
    monkeypatch.setattr(results.pipeline, "version", lambda: "1.2")
    return tmp_path


def result_of(per_second):
    lines = [results.Line("floor", 1.0, 1000.0, 0.5, 8.0), results.Line("**firn**", 2.0, per_second, 0.5, 80.0, 0.5, "≥ 0.80")]
    return results.Result("rows", "rows", lines, [results.Figure("files", 3, "", "≤ 4")])


def test_a_scenario_alone_leaves_the_rows_of_others(folder):
    for name, per_second in (("one", 500.0), ("two", 501.0)):
        results.write(name, result_of(per_second), scale_down=1)
    report.update(["one", "two"])
    results.write("two", result_of(777.0), scale_down=1)
    report.update(["one", "two"])
    text = (folder / "README.md").read_text()
    assert text.startswith("before\n") and text.endswith("behind\n") and "old" not in text
    assert "| 500 rows |" in text and "| 777 rows |" in text and "| 501 rows |" not in text
    assert text.count("| one | files | 3 | ≤ 4 |") == 1
    assert text.count("0.50 (goal ≥ 0.80, **missed**)") == 2
    assert (folder / "results/two.svg").read_text().startswith("<svg")


def test_a_run_of_less_is_no_result(folder):
    path = results.write("one", result_of(500.0), scale_down=100)
    assert path == folder / "scaled-down/one.json"
    assert not list((folder / "results").iterdir())
