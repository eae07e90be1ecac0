"""The source: a throwaway PostgreSQL server, and tables whose rows are the same in every run."""

import contextlib

from harness.postgres_server import PostgresServer

SETTINGS = {
    "shared_buffers": "512MB",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "1h",
    "autovacuum": "off",
    "logical_decoding_work_mem": "64MB",  # PostgreSQL's default.
    "maintenance_work_mem": "512MB",
    "max_locks_per_transaction": "256",
}

# pgbench's own definition, for any number of rows.
ACCOUNTS = (
    "CREATE TABLE pgbench_accounts (aid int NOT NULL, bid int, abalance int, filler char(84)) WITH (fillfactor = 100)",
    "INSERT INTO pgbench_accounts SELECT i, (i - 1) / 100000 + 1, 0, '' FROM generate_series(1, {rows}) i",
    "ALTER TABLE pgbench_accounts ADD PRIMARY KEY (aid)",
    "VACUUM ANALYZE pgbench_accounts",
)

# The columns of New York's yellow taxi trips, in the order of their pick-up, with values as scattered and as repeated as
# theirs: `u1` … `u6` are even between 0 and 1. A twentieth of the rows lacks what the meter did not send; fees that
# most trips don't have are NULL.
TRIPS = """
CREATE TABLE trips (
    vendor_id int, pickup_at timestamp, dropoff_at timestamp, passenger_count bigint, trip_distance numeric(10,2),
    rate_code_id bigint, store_and_forward text, pickup_location_id int, dropoff_location_id int, payment_type bigint,
    fare_amount numeric(10,2), extra numeric(10,2), mta_tax numeric(10,2), tip_amount numeric(10,2),
    tolls_amount numeric(10,2), improvement_surcharge numeric(10,2), total_amount numeric(10,2),
    congestion_surcharge numeric(10,2), airport_fee numeric(10,2))
"""
TRIPS_ROWS = """
INSERT INTO trips
SELECT vendor, pickup, pickup + make_interval(secs => duration_s),
    CASE WHEN sent THEN least(6, 1 + floor(-ln(u2) * 0.6)) END, distance, CASE WHEN sent THEN rate END,
    CASE WHEN sent THEN CASE WHEN u3 < 0.006 THEN 'Y' ELSE 'N' END END, 1 + (u4 * u4 * 265)::int, 1 + (u5 * sqrt(u5) * 265)::int,
    payment, fare, extra, CASE WHEN u6 < 0.99 THEN 0.5 ELSE 0 END, tip, tolls, 1.0,
    fare + extra + 0.5 + tip + tolls + 1.0, CASE WHEN sent AND u3 < 0.92 THEN 2.5 END, CASE WHEN sent AND rate = 2 THEN 1.25 END
FROM (
    SELECT *, (ceil((3 + 2.4 * distance::float8 + duration_s / 150.0) * 10) / 10)::numeric(10,2) fare,
        (ARRAY[0, 0.5, 1.0, 2.5, 3.5])[1 + (u5 * u6 * 5)::int % 5]::numeric(10,2) extra,
        CASE WHEN payment = 1 THEN (distance::float8 * (0.3 + u3) + u2 * 2)::numeric(10,2) ELSE 0 END tip,
        CASE WHEN u6 * u2 > 0.85 THEN 6.55 ELSE 0 END tolls
    FROM (
        SELECT *, CASE WHEN u1 < 0.27 THEN 1 ELSE 2 END vendor,
            timestamp '2024-01-01' + make_interval(secs => floor(i * 0.9 + u2 * 600)) pickup,
            60 + floor(-ln(u4) * 800) duration_s, (-ln(u5) * 3.1)::numeric(10,2) distance, u6 < 0.95 sent,
            CASE WHEN u3 > 0.99 THEN 5 WHEN u3 > 0.96 THEN 2 ELSE 1 END rate,
            CASE WHEN u1 < 0.78 THEN 1 WHEN u1 < 0.95 THEN 2 ELSE 4 END payment
        FROM (
            SELECT i, {uniform} FROM generate_series(1, {rows}) i OFFSET 0
        ) evenly
    ) trip
) priced
"""
_UNIFORM = ", ".join(f"((hashint8extended(i, {n}) & 9007199254740991) + 1) / 9007199254740992.0::float8 u{n}" for n in range(1, 7))


class Source:
    """A server with one database at a time."""

    def __init__(self, directory):
        self.server = PostgresServer(directory, settings=SETTINGS)

    def __enter__(self):
        self.server.start()
        return self

    def __exit__(self, *failure):
        self.server.stop()

    @contextlib.contextmanager
    def database(self, name):
        """A new database, which is dropped afterwards with its slots."""
        self.server.create_database(name)
        try:
            yield Database(self.server, name)
        finally:
            self.server.drop_database(name)


class Database:
    def __init__(self, server, name):
        self._server = server
        self._name = name

    @property
    def url(self):
        return self._server.url(self._name)

    def connect(self):
        return self._server.connect(self._name)

    def execute(self, *statements):
        """Each in a transaction of its own."""
        with self.connect() as connection:
            for statement in statements:
                connection.execute(statement)

    def value(self, query, parameters=None):
        with self.connect() as connection:
            return connection.execute(query, parameters).fetchone()[0]

    def make_accounts(self, rows):
        self.execute(*(statement.format(rows=rows) for statement in ACCOUNTS))
        self.checkpoint()

    def make_trips(self, rows):
        self.execute(TRIPS, TRIPS_ROWS.format(rows=rows, uniform=_UNIFORM), "VACUUM ANALYZE trips")
        self.checkpoint()

    def checkpoint(self):
        """So that none comes while something is measured."""
        self.execute("CHECKPOINT")

    def drop_slot(self, name):
        """With the publication of that name, where there is one; firn makes both anew."""
        with self.connect() as connection:
            connection.execute("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = %s", [name])

    def copy_slot(self, name, copy):
        """A slot that stands where `name` stands; one that is called `copy` already goes."""
        self.drop_slot(copy)
        self.execute(f"SELECT pg_copy_logical_replication_slot('{name}', '{copy}')")
