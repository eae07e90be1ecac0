"""Many small tables at once, beside one table with as many rows and changes: what a table costs."""

import contextlib

from .. import contents, floors, results, turns
from ..pipeline import Pipeline
from ..source import Source

TABLES = 1000
ROWS_PER_TABLE = 100
VISITS_PER_TABLE = 100
CHANGES_PER_VISIT = 10
VISITS_PER_TRANSACTION = 10

MAKE_TABLES = """
CREATE PROCEDURE make_tables(tables int, table_rows int) LANGUAGE plpgsql AS $$
BEGIN
    FOR number IN 1..tables LOOP
        EXECUTE format('CREATE TABLE small_%s (id int PRIMARY KEY, amount int, note text)', number);
        EXECUTE format('INSERT INTO small_%s SELECT i, 0, ''note '' || i FROM generate_series(1, %s) i', number, table_rows);
        EXECUTE format('INSERT INTO small_%s SELECT 1000000 + i, 0, ''new'' FROM generate_series(0, 2) i', number);
        COMMIT;
    END LOOP;
END $$
"""

# A visit of a table: five updates, three inserts, and two deletes of what the visit before has inserted.
VISIT_TABLES = """
CREATE PROCEDURE visit_tables(tables int, table_rows int, first_visit int, last_visit int) LANGUAGE plpgsql AS $$
DECLARE
    visited int := 0;
    row int;
    new int;
BEGIN
    FOR visit IN first_visit..last_visit LOOP
        row := (visit - 1) * 5 % table_rows;
        new := 1000000 + visit * 3;
        FOR number IN 1..tables LOOP
            EXECUTE format('UPDATE small_%s SET amount = amount + 1 WHERE id BETWEEN %s AND %s', number, row + 1, row + 5);
            EXECUTE format('INSERT INTO small_%s SELECT i, %s, ''new'' FROM generate_series(%s, %s) i', number, visit, new, new + 2);
            EXECUTE format('DELETE FROM small_%s WHERE id IN (%s, %s)', number, new - 3, new - 2);
            visited := visited + 1;
            IF visited % {per_transaction} = 0 THEN
                COMMIT;
            END IF;
        END LOOP;
    END LOOP;
END $$
""".format(per_transaction=VISITS_PER_TRANSACTION)


def measure(bench):
    tables = max(bench.scaled(TABLES), 10)
    count = tables * VISITS_PER_TABLE * CHANGES_PER_VISIT
    with contextlib.ExitStack() as stack:
        # Each with a server of its own: firn catches up with a server's whole WAL, whichever database it is of.
        other_source = stack.enter_context(Source(bench.directory / "postgres-tables"))
        one_database = stack.enter_context(bench.source.database("one_table"))
        many_database = stack.enter_context(other_source.database("many_tables"))
        one = Group(bench, one_database, "one_table", 1, tables * ROWS_PER_TABLE, tables * VISITS_PER_TABLE)
        many = Group(bench, many_database, "many_tables", tables, ROWS_PER_TABLE, VISITS_PER_TABLE)
        steps = {"floor one": one.floor, "firn one": one.drain, "floor many": many.floor, "firn many": many.drain}
        taken = turns.take(bench.rounds, steps)
        one.finish()
        many.finish()
    what = (
        f"{tables:,} tables of {ROWS_PER_TABLE} rows, and one of {tables * ROWS_PER_TABLE:,}: {count:,} changes (half updates, three in ten"
        f" inserts, two in ten deletes) in transactions of {CHANGES_PER_VISIT * VISITS_PER_TRANSACTION}, which visit"
        f" {VISITS_PER_TRANSACTION} tables each"
    )
    titles = {
        "floor one": f"{floors.RECEIVE_TITLE}, one table",
        "floor many": f"{floors.RECEIVE_TITLE}, {tables:,} tables",
        "firn one": "**firn**, one table",
        "firn many": f"**firn**, {tables:,} tables",
    }
    result = results.from_turns(what, count, "changes", taken, titles, {"firn one": "floor one", "firn many": "floor many"})
    result.figures = [
        results.Figure(f"rate of {tables:,} tables / rate of one", turns.rate_of(taken, "firn many", "firn one"), "", "≥ 0.70"),
        results.Figure(f"the first copy of {tables:,} tables", many.copy.seconds, "s"),
        results.Figure(f"catching up with a change of each of {tables:,}, which builds their indexes", many.index_build.seconds, "s"),
        results.Figure(f"a start with {tables:,} tables and nothing to do, to its end", many.idle.seconds, "s"),
        results.Figure("the same with one table", one.idle.seconds, "s"),
    ]
    return result


class Group:
    """A database of some of these tables, its pipeline, and the backlog of their changes."""

    def __init__(self, bench, database, name, tables, table_rows, visits):
        print(f"  making {name}", flush=True)
        self.database = database
        self._tables = tables
        database.execute(MAKE_TABLES, VISIT_TABLES, f"CALL make_tables({tables}, {table_rows})", "ANALYZE")
        self.pipeline = Pipeline(bench.directory / name, database, slot=name)
        self.copy = self.pipeline.catch_up()
        # Once, so that the indexes are there.
        database.execute(f"CALL visit_tables({tables}, {table_rows}, 1, 1)")
        self.index_build = self.pipeline.catch_up()
        self.idle = self.pipeline.catch_up()
        self.pipeline.keep()
        database.execute(f"CALL visit_tables({tables}, {table_rows}, 2, {visits + 1})")
        self._end = database.value("SELECT pg_current_wal_insert_lsn()::text")
        database.checkpoint()

    def floor(self):
        return floors.receive(self.pipeline, self._end)

    def drain(self):
        self.pipeline.return_to_kept()
        return self.pipeline.catch_up()

    def finish(self):
        contents.expect_lake_equal(self.database, self.pipeline.lake, *(f"small_{number}" for number in range(1, self._tables + 1)))
        self.pipeline.delete_files()
