"""Random tables and random transactions on them, all from one seed: the same seed makes the same statements."""

import psycopg

# Column types, each with SQL literals to choose from; NULL comes by itself. Texts that paths and CSV stumble over.
TYPES = {
    "int": ["0", "1", "-1", "7", "2147483647", "-2147483648", "41", "42"],
    "bigint": ["0", "-1", "1234567890123", "-9223372036854775808", "9223372036854775807"],
    "text": ["''", "'plain'", "'a/b=c&d%25'", "'ünï 漢字 🐘'", "' '", "'null'", "'quo\"te'", "E'line\\nbreak'", "repeat('x', 300)"],
    "varchar(30)": ["'one'", "'two'", "'three hundred'"],
    "numeric(12, 3)": ["0", "1.5", "-0.001", "999999999.999", "-999999999.999"],
    "float8": ["0.1", "'NaN'", "'-Infinity'", "-0.5", "1e300"],
    "real": ["0.1", "'NaN'", "'Infinity'", "-2.5"],
    "bool": ["true", "false"],
    "date": ["'2024-02-29'", "'1969-12-31'", "'1970-01-01'", "'0001-01-01'", "'2024-03-01'"],
    "timestamp": ["'2024-02-29 23:59:59.999999'", "'1969-12-31 23:59:59.999999'", "'1970-01-01'"],
    "timestamptz": ["'2024-02-29 23:30:00.5+02'", "'1969-12-31 23:00+00'", "'2024-02-29 23:00+00'"],
    "uuid": ["'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'", "'ffffffff-ffff-ffff-ffff-ffffffffffff'"],
    "bytea": ["''", "'\\x00ff10'", "'\\xffffff'"],
    "time": ["'12:34:56.789'", "'00:00'"],
    "jsonb": ["""'{"a": [1, null]}'""", "'\"x\"'"],
    "int[]": ["'{1,NULL,3}'", "'{}'"],
}
KEYS = {
    "int": ("id int PRIMARY KEY", "id"),
    "bigint": ("id bigint PRIMARY KEY", "id"),
    "text": ("id text PRIMARY KEY", "id"),
    "two": ("id int, part text, PRIMARY KEY (part, id)", "part, id"),
    "full": ("id int PRIMARY KEY", "id"),  # With REPLICA IDENTITY FULL.
    "none": ("id int", None),  # With REPLICA IDENTITY FULL, and rows that are the same.
}
# More than fits in a page: kept apart, and not sent by an update that leaves it alone.
LARGE = "(SELECT string_agg(md5((i * {n})::text), '') FROM generate_series(1, 400) i)"


class RandomTable:
    def __init__(self, random, name):
        self.random = random
        self.name = name
        self.key_kind = random.choice(list(KEYS))
        self.columns = {}  # Name to type, the key's columns and `large` apart.
        self.next_id = 1
        self.names = 0
        for _ in range(random.randint(1, 6)):
            self.columns[self.new_name()] = random.choice(list(TYPES))

    def new_name(self):
        self.names += 1
        return f"c{self.names}"

    def create(self):
        key, _ = KEYS[self.key_kind]
        columns = "".join(f", {name} {kind}" for name, kind in self.columns.items())
        statements = [f"CREATE TABLE {self.name} ({key}{columns}, large text)", f"ALTER TABLE {self.name} ALTER large SET STORAGE EXTERNAL"]
        if self.key_kind in ("full", "none"):
            statements.append(f"ALTER TABLE {self.name} REPLICA IDENTITY FULL")
        return statements

    def value(self, column):
        return "NULL" if self.random.random() < 0.15 else self.random.choice(TYPES[self.columns[column]])

    def predicate(self):
        """Some of the rows, by what hash the key has: a third, or some hundredth of them."""
        divisor = self.random.choice([3, 10, 10, 100])
        return f"abs(hashtext(id::text)) % {divisor} = {self.random.randrange(divisor)}"

    def insert(self, count):
        """New rows, or now and then ones whose keys were there before."""
        first = self.next_id if self.random.random() < 0.8 else self.random.randint(1, self.next_id)
        self.next_id = max(self.next_id, first + count)
        key = {"text": "'key ' || n", "two": "n, 'p' || n % 3"}.get(self.key_kind, "n")
        key_columns = "id, part" if self.key_kind == "two" else "id"
        if self.key_kind == "none" and self.random.random() < 0.5:
            key = "n % 3"
        names = "".join(f", {name}" for name in self.columns)
        values = "".join(f", {self.value(name)}::{kind}" for name, kind in self.columns.items())
        large = LARGE.format(n="n") if count < 50 and self.random.random() < 0.3 else "NULL"
        conflict = "" if self.key_kind == "none" else " ON CONFLICT DO NOTHING"
        _, key_list = KEYS[self.key_kind]
        if key_list and self.columns and self.random.random() < 0.4:
            column = self.random.choice(list(self.columns))
            conflict = f" ON CONFLICT ({key_list}) DO UPDATE SET {column} = excluded.{column}"
        return (
            f"INSERT INTO {self.name} ({key_columns}{names}, large)"
            f" SELECT {key}{values}, {large} FROM generate_series({first}, {first + count - 1}) n{conflict}"
        )

    def update(self):
        chosen = self.random.sample(list(self.columns), self.random.randint(1, min(3, len(self.columns))))
        changes = ", ".join(f"{name} = {self.value(name)}" for name in chosen)
        if self.random.random() < 0.1:
            changes += ", large = " + self.random.choice(["NULL", "'short'", LARGE.format(n=self.random.randint(2, 9))])
        return f"UPDATE {self.name} SET {changes} WHERE {self.predicate()}"

    def update_key(self):
        other = "id || 'x'" if self.key_kind == "text" else f"id + {self.random.choice([1, 100000])}"
        return f"UPDATE {self.name} SET id = {other} WHERE abs(hashtext(id::text)) % 50 = {self.random.randrange(50)}"

    def delete(self):
        return f"DELETE FROM {self.name} WHERE {self.predicate()}"

    def change(self):
        """One random statement that changes rows."""
        kind = self.random.choices(
            ["insert", "update", "update_key", "delete", "truncate", "many"], weights=[35, 30, 10, 15, 2, 4]
        )[0]
        if kind == "insert":
            return self.insert(self.random.randint(1, 40))
        if kind == "many":  # Streamed by PostgreSQL before it commits.
            return self.insert(self.random.randint(500, 3000))
        if kind == "truncate":
            return f"TRUNCATE {self.name}"
        return {"update": self.update, "update_key": self.update_key, "delete": self.delete}[kind]()

    def partition_fields(self):
        """Some legal partition fields, each of another column; often none."""
        fields = []
        for name, kind in self.columns.items():
            transforms = {
                "int": ["bucket(4, {})", "truncate(10, {})"],
                "bigint": ["bucket(4, {})", "truncate(1000, {})"],
                "text": ["bucket(3, {})", "truncate(2, {})", "{}"],
                "varchar(30)": ["{}", "truncate(1, {})"],
                "numeric(12, 3)": ["bucket(3, {})", "truncate(50, {})"],
                "bool": ["{}"],
                "date": ["year({})", "month({})", "day({})", "bucket(3, {})"],
                "timestamp": ["year({})", "month({})", "day({})", "hour({})"],
                "timestamptz": ["month({})", "day({})", "hour({})", "bucket(3, {})"],
                "uuid": ["bucket(2, {})"],
                "bytea": ["bucket(2, {})", "truncate(1, {})"],
                "time": ["bucket(2, {})"],
            }.get(kind)
            if transforms and self.random.random() < 0.3:
                fields.append(self.random.choice(transforms).format(name))
        return fields[:3]


class RandomSource:
    """Tables in a database, and transactions on them. `statements` is all that was done, to be looked at after a failure."""

    def __init__(self, random, connection, table_count):
        self.random = random
        self.connection = connection
        self.tables = [RandomTable(random, f"t{n}") for n in range(table_count)]
        self.statements = []
        for table in self.tables:
            for statement in table.create():
                self.run(statement)

    def run(self, statement):
        self.statements.append(statement)
        self.connection.execute(statement)

    def transaction(self):
        """A few statements that commit or roll back as a whole, with savepoints that do."""
        self.run("BEGIN")
        savepoints = 0
        for _ in range(self.random.randint(1, 6)):
            step = self.random.random()
            if step < 0.15:
                savepoints += 1
                self.run(f"SAVEPOINT s{savepoints}")
            elif step < 0.25 and savepoints:
                self.run(f"{self.random.choice(['ROLLBACK TO', 'RELEASE'])} s{savepoints}")
                savepoints -= 1
            else:
                self.attempt(self.random.choice(self.tables).change())
        self.run("ROLLBACK" if self.random.random() < 0.1 else "COMMIT")

    def attempt(self, statement):
        """A statement that PostgreSQL may refuse, as a key that would be there twice: it leaves nothing then."""
        self.run("SAVEPOINT attempt")
        try:
            self.run(statement)
        except (psycopg.errors.UniqueViolation, psycopg.errors.NumericValueOutOfRange):
            self.run("ROLLBACK TO attempt")
        self.run("RELEASE attempt")
