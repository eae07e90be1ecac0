"""Changes of pgbench_accounts, each of one row, made inside of the server. Which row a change concerns follows from its number."""

import dataclasses

# A change's number is that of the whole run, from 1 on: calls go on where the one before ended.
PROCEDURE = """
CREATE OR REPLACE PROCEDURE make_changes(first int, count int, kinds text, per_transaction int, table_rows int)
LANGUAGE plpgsql AS $$
DECLARE
    quarter int := table_rows / 4;
    kind text;
BEGIN
    FOR number IN first..first + count - 1 LOOP
        kind := substr(kinds, (number - 1) % length(kinds) + 1, 1);
        IF kind = 'u' THEN
            UPDATE pgbench_accounts SET abalance = abalance + number
            WHERE aid = (hashint4(number) & 2147483647) % quarter * 4 + 1 + number % 3;
        ELSIF kind = 'i' THEN
            INSERT INTO pgbench_accounts VALUES (table_rows + number, number / 100000, -number, '');
        ELSE
            DELETE FROM pgbench_accounts WHERE aid = ((number * 999999937::bigint % quarter + 1) * 4)::int;
        END IF;
        IF number % per_transaction = 0 THEN
            COMMIT;
        END IF;
    END LOOP;
END $$;
"""


@dataclasses.dataclass(frozen=True)
class Load:
    """`count` changes whose kinds are those of `kinds` in turns: u, i or d for an update, insert or delete.

    Updates meet rows anywhere in the table whose aid is no multiple of 4, deletes those whose aid is, each once (999,999,937 is
    prime), and inserts come behind the last: so each statement changes one row, as long as there are no more changes than
    a quarter of the table's rows, where some are deletes.
    """

    count: int
    kinds: str
    per_transaction: int

    def __post_init__(self):
        assert self.count % len(self.kinds) == 0 and self.count % self.per_transaction == 0, self

    @property
    def added_rows(self):
        """How many rows more the table has afterwards."""
        return self.count // len(self.kinds) * (self.kinds.count("i") - self.kinds.count("d"))


class Changes:
    """Makes a load's changes, all at once or one transaction after the other."""

    def __init__(self, database, load, table_rows):
        assert "d" not in load.kinds or load.count <= table_rows // 4, (load, table_rows)
        self._database = database
        self._load = load
        self._table_rows = table_rows
        self._next = 1
        self._rows_before = database.value("SELECT count(*) FROM pgbench_accounts")
        database.execute(PROCEDURE)

    def make(self, connection, count):
        """The next `count` changes."""
        load = self._load
        connection.execute(f"CALL make_changes({self._next}, {count}, '{load.kinds}', {load.per_transaction}, {self._table_rows})")
        self._next += count

    def make_all(self):
        """Gives the LSN behind the last change."""
        with self._database.connect() as connection:
            self.make(connection, self._load.count)
            end = connection.execute("SELECT pg_current_wal_insert_lsn()").fetchone()[0]
        self.expect_made()
        self._database.checkpoint()  # This also puts something behind `end`.
        return end

    def expect_made(self):
        """Fails unless each insert and delete of the load has changed a row."""
        added = self._database.value("SELECT count(*) FROM pgbench_accounts") - self._rows_before
        if added != self._load.added_rows:
            raise RuntimeError(f"pgbench_accounts has {added:,} rows more after the changes, {self._load.added_rows:,} were expected")
