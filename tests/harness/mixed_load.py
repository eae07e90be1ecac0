"""A load of every kind of change from one seed: rows of all sizes, keys that change, large values that updates leave as they
are, transactions over several tables, large ones that PostgreSQL streams before they commit, savepoints and transactions that
are rolled back, TRUNCATE, and changes of the tables' definitions."""

import random

TABLES = ("items", "notes", "events", "ledger_a", "ledger_b", "ledger_c")

SETUP = """
CREATE TABLE items (id int PRIMARY KEY, state text, amount numeric(12, 2));
CREATE TABLE notes (id int PRIMARY KEY, version int, body text, seal bytea);
CREATE TABLE events (at int, what text);
ALTER TABLE events REPLICA IDENTITY FULL;
CREATE TABLE ledger_a (id int PRIMARY KEY, amount int);
CREATE TABLE ledger_b (id int PRIMARY KEY, amount int);
CREATE TABLE ledger_c (id int PRIMARY KEY, amount int);
INSERT INTO items SELECT n, 'first', n FROM generate_series(1, 500) n;
INSERT INTO notes SELECT n, 1, (SELECT string_agg(md5((i * n)::text), '') FROM generate_series(1, 200) i), NULL
  FROM generate_series(1, 40) n;
INSERT INTO events SELECT n % 10, 'event' FROM generate_series(1, 50) n;
"""

# More than fits in a page: kept apart, and not sent by an update that leaves it alone.
LARGE = "(SELECT string_agg(md5((i * {n} + {salt})::text), '') FROM generate_series(1, 200) i)"


class MixedLoad:
    """Transactions on TABLES, one at each `step`; some through a `connection` of their own while the server is there."""

    def __init__(self, connection, seed):
        self.connection = connection
        self.dice = random.Random(seed)
        self.next_id = 1000
        self.transfers = 0
        self.extra_columns = set()

    def set_up(self):
        self.connection.execute(SETUP)

    def step(self):
        """One transaction of a random kind."""
        kinds = {
            self.insert: 20,
            self.update: 15,
            self.update_beside_large_values: 15,
            self.update_keys: 6,
            self.delete: 10,
            self.transfer: 20,
            self.large_transaction: 4,
            self.roll_back: 4,
            self.truncate: 3,
            self.redefine: 3,
        }
        self.run(self.dice.choices(list(kinds), list(kinds.values()))[0]())

    def every_kind(self):
        """One of each that changes rows, the large ones too."""
        for kind in (
            self.insert,
            self.update,
            self.update_beside_large_values,
            self.update_keys,
            self.delete,
            self.transfer,
            self.large_transaction,
            self.roll_back,
            self.truncate,
            self.insert,
            self.transfer,
            self.update,
        ):
            self.run(kind())

    def run(self, statements):
        """As one transaction; nothing of it is there after an error."""
        self.connection.execute(statements)

    def insert(self):
        first, count = self.next_id, self.dice.randint(1, 30)
        self.next_id += count
        return f"""
        INSERT INTO items SELECT n, 'new', n * 0.5 FROM generate_series({first}, {first + count - 1}) n;
        INSERT INTO notes SELECT n, 1, {LARGE.format(n="n", salt=first)}, '\\x00ff' FROM generate_series({first}, {first + 2}) n
          ON CONFLICT DO NOTHING;
        INSERT INTO events SELECT n % 5, 'new' FROM generate_series(1, {count}) n
        """

    def update(self):
        part = self.dice.randrange(7)
        return f"""
        UPDATE items SET amount = amount + 1, state = 'updated' WHERE id % 7 = {part};
        UPDATE events SET what = what || '.' WHERE at = {part} AND length(what) < 50
        """

    def update_beside_large_values(self):
        part = self.dice.randrange(5)
        return f"""
        UPDATE notes SET version = version + 1 WHERE id % 5 = {part};
        UPDATE notes SET body = {LARGE.format(n="id", salt=part)} WHERE id % 50 = {part};
        UPDATE notes SET version = version + 1 WHERE id % 5 = {part}
        """

    def update_keys(self):
        self.next_id += 100
        return f"""
        UPDATE items SET id = -id WHERE id % 40 = {self.dice.randrange(40)}
          AND NOT EXISTS (SELECT FROM items other WHERE other.id = -items.id);
        UPDATE notes SET id = {self.next_id} WHERE id = (SELECT min(id) FROM notes)
        """

    def delete(self):
        part = self.dice.randrange(20)
        return f"""
        DELETE FROM items WHERE id % 20 = {part};
        DELETE FROM notes WHERE id % 20 = {part};
        DELETE FROM events WHERE ctid IN (SELECT ctid FROM events WHERE at = {part} LIMIT 3)
        """

    def transfer(self):
        """The same id in three tables, with amounts that add up to nothing."""
        self.transfers += 1
        n, amount = self.transfers, self.dice.randint(1, 1000)
        return f"""
        INSERT INTO ledger_a VALUES ({n}, {amount});
        INSERT INTO ledger_b VALUES ({n}, -{2 * amount});
        INSERT INTO ledger_c VALUES ({n}, {amount})
        """

    def large_transaction(self):
        """With a part in it that is rolled back."""
        first = self.next_id
        self.next_id += 2000
        return f"""
        BEGIN;
        INSERT INTO items SELECT n, md5(n::text) || repeat('x', 300), n FROM generate_series({first}, {first + 999}) n;
        SAVEPOINT undone;
        INSERT INTO items SELECT n, md5(n::text) || repeat('y', 300), n FROM generate_series({first + 1000}, {first + 1499}) n;
        DELETE FROM notes;
        UPDATE events SET what = 'never';
        ROLLBACK TO undone;
        UPDATE items SET state = md5(amount::text) WHERE id >= {first} AND id % 3 = 0;
        SAVEPOINT kept;
        UPDATE notes SET version = version + 1;
        RELEASE kept;
        DELETE FROM items WHERE id >= {first} AND id % 50 <> 0;
        COMMIT
        """

    def roll_back(self):
        first = self.next_id
        return f"""
        BEGIN;
        INSERT INTO items SELECT n, md5(n::text) || repeat('z', 200), n FROM generate_series({first}, {first + 799}) n;
        DELETE FROM events;
        ROLLBACK
        """

    def truncate(self):
        return "TRUNCATE " + self.dice.choice(["events", "events, notes", "ledger_a, ledger_b, ledger_c"])

    def redefine(self):
        table = self.dice.choice(["items", "events"])
        if table in self.extra_columns:
            self.extra_columns.remove(table)
            return f"ALTER TABLE {table} DROP COLUMN IF EXISTS extra"
        self.extra_columns.add(table)
        default = self.dice.choice(["", "DEFAULT 7"])
        return f"ALTER TABLE {table} ADD COLUMN IF NOT EXISTS extra int {default}; UPDATE {table} SET extra = 8"
