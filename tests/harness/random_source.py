"""Random tables, random transactions on them and random changes of their definitions, all from one seed: the same seed makes
the same statements."""

import psycopg

from .random_definition import RandomDefinition

# More than fits in a page: kept apart, and not sent by an update that leaves it alone.
LARGE = "(SELECT string_agg(md5((i * {n})::text), '') FROM generate_series(1, 400) i)"
# What PostgreSQL may say to a random statement.
REFUSALS = (
    psycopg.errors.UniqueViolation,
    psycopg.errors.NumericValueOutOfRange,
    psycopg.errors.NotNullViolation,
    psycopg.errors.CardinalityViolation,  # ON CONFLICT DO UPDATE of a row that the statement itself made.
    psycopg.errors.ObjectNotInPrerequisiteState,  # An UPDATE or DELETE of a published table without a replica identity.
    psycopg.errors.DeadlockDetected,  # With COPY commands of firn's.
    psycopg.errors.LockNotAvailable,
)


class RandomTable(RandomDefinition):
    """What changes the rows of a table; its definition and what changes that are in the base."""

    def predicate(self):
        """Some of the rows, by what hash the key has: a third, or some hundredth of them."""
        divisor = self.random.choice([3, 10, 10, 100])
        return f"abs(hashtext({self.id}::text)) % {divisor} = {self.random.randrange(divisor)}"

    def insert(self, count):
        """New rows, or now and then ones whose keys were there before."""
        first = self.next_id if self.random.random() < 0.8 else self.random.randint(1, self.next_id)
        self.next_id = max(self.next_id, first + count)
        values = {self.id: "'key ' || n" if self.id_type == "text" else "n"}
        if self.repeats_ids and self.random.random() < 0.5:
            values[self.id] = "n % 3"
        if self.part:
            values[self.part] = "'p' || n % 3"
        for name, kind in self.columns.items():
            if name in self.with_default and self.random.random() < 0.3:
                continue
            values[name] = f"{self.value(name)}::{kind}"
        if self.large:
            values[self.large] = LARGE.format(n="n") if count < 50 and self.random.random() < 0.3 else "NULL"
        conflict = ""
        if self.key:
            conflict = " ON CONFLICT DO NOTHING"
            if self.columns and self.random.random() < 0.4:
                column = self.random.choice(list(self.columns))
                conflict = f" ON CONFLICT ({', '.join(self.key)}) DO UPDATE SET {column} = excluded.{column}"
        return (
            f"INSERT INTO {self.name} ({', '.join(values)})"
            f" SELECT {', '.join(values.values())} FROM generate_series({first}, {first + count - 1}) n{conflict}"
        )

    def update(self):
        chosen = self.random.sample(list(self.columns), self.random.randint(1, min(3, len(self.columns))))
        changes = ", ".join(f"{name} = {self.value(name)}" for name in chosen)
        if self.large and self.random.random() < 0.1:
            changes += f", {self.large} = " + self.random.choice(["NULL", "'short'", LARGE.format(n=self.random.randint(2, 9))])
        return f"UPDATE {self.name} SET {changes} WHERE {self.predicate()}"

    def update_key(self):
        other = f"{self.id} || 'x'" if self.id_type == "text" else f"{self.id} + {self.random.choice([1, 100000])}"
        return f"UPDATE {self.name} SET {self.id} = {other} WHERE abs(hashtext({self.id}::text)) % 50 = {self.random.randrange(50)}"

    def delete(self):
        return f"DELETE FROM {self.name} WHERE {self.predicate()}"

    def change(self):
        """One random statement that changes rows."""
        kind = self.random.choices(
            ["insert", "update", "update_key", "delete", "truncate", "many"], weights=[35, 30, 10, 15, 2, 4]
        )[0]
        if kind == "insert" or (kind == "update" and not self.columns):
            return self.insert(self.random.randint(1, 40))
        if kind == "many":  # Streamed by PostgreSQL before it commits.
            return self.insert(self.random.randint(500, 3000))
        if kind == "truncate":
            return f"TRUNCATE {self.name}"
        return {"update": self.update, "update_key": self.update_key, "delete": self.delete}[kind]()


class RandomSource:
    """Tables in a database, and transactions on them. `statements` is all that was done, to be looked at after a failure."""

    def __init__(self, random, connection, table_count):
        self.random = random
        self.connection = connection
        self.tables = []
        self.table_names = 0
        self.tables_made = 0
        self.statements = []
        for _ in range(table_count):
            for statement in self.make_table(self.new_table_name()):
                self.run(statement)

    def run(self, statement):
        self.statements.append(statement)
        self.connection.execute(statement)

    def transaction(self, redefined=0.0):
        """A few statements that commit or roll back as a whole, with savepoints that do. `redefined` of them, a share, change
        the tables' definitions."""
        before = self.state()
        self.run("BEGIN")
        savepoints = []
        for _ in range(self.random.randint(1, 6)):
            step = self.random.random()
            if step < 0.15:
                savepoints.append(self.state())
                self.run(f"SAVEPOINT s{len(savepoints)}")
            elif step < 0.25 and savepoints:
                undo = self.random.choice(["ROLLBACK TO", "RELEASE"])
                self.run(f"{undo} s{len(savepoints)}")
                state = savepoints.pop()
                if undo == "ROLLBACK TO":
                    self.restore(state)
            else:
                self.attempt(self.redefine if redefined and self.random.random() < redefined else self.change_rows)
        if self.random.random() < 0.1:
            self.run("ROLLBACK")
            self.restore(before)
        else:
            self.run("COMMIT")

    def attempt(self, change):
        """Statements that PostgreSQL may refuse, as a key that would be there twice: they leave nothing then."""
        before = self.state()
        self.run("SAVEPOINT attempt")
        try:
            for statement in change():
                self.run(statement)
        except REFUSALS as refusal:
            self.statements.append(f"-- {str(refusal).splitlines()[0]}")
            self.run("ROLLBACK TO attempt")
            self.restore(before)
        self.run("RELEASE attempt")

    def change_rows(self):
        return [self.random.choice(self.tables).change()]

    def state(self):
        return list(self.tables), [table.state() for table in self.tables]

    def restore(self, state):
        tables, states = state
        self.tables = list(tables)
        for table, state in zip(tables, states, strict=True):
            table.restore(state)

    # --- Changes of definitions ---

    def redefine(self):
        """Statements that are one change of a table's definition, or of which tables there are."""
        free = [table for table in self.tables if not table.used]  # The configuration names none of its columns.
        if not free or self.random.random() < 0.85:
            return self.random.choice(self.tables).redefine()
        table = self.random.choice(free)
        changes = [self.make_again, self.rename_table, self.add_table]
        if len(self.tables) > 1:
            changes.append(self.drop_table)
        if len(free) > 1:
            changes.append(self.swap_tables)
        return self.random.choice(changes)(table)

    def new_table_name(self):
        self.table_names += 1
        return f"t{self.table_names}"

    def make_table(self, name):
        self.tables_made += 1
        self.tables.append(RandomTable(self.random, name, self.tables_made))
        return self.tables[-1].create()

    def add_table(self, _):
        """Under a new name, or that of one that has gone."""
        names = {f"t{n}" for n in range(1, self.table_names + 1)} - {table.name for table in self.tables}
        if names and self.random.random() < 0.5:
            return self.make_table(self.random.choice(sorted(names)))
        return self.make_table(self.new_table_name())

    def drop_table(self, table):
        self.tables.remove(table)
        return [f"DROP TABLE {table.name}"]

    def make_again(self, table):
        return self.drop_table(table) + self.make_table(table.name)

    def rename_table(self, table):
        return [self.rename(table, self.new_table_name())]

    def swap_tables(self, table):
        other = self.random.choice([other for other in self.tables if other is not table and not other.used])
        one, two = table.name, other.name
        return [self.rename(table, "aside"), self.rename(other, one), self.rename(table, two)]

    @staticmethod
    def rename(table, name):
        statement = table.alter(f"RENAME TO {name}")
        table.name = name
        return statement

    def rewrite(self):
        """Moves a table's rows and changes nothing; not in a transaction."""
        table = self.random.choice(self.tables)
        self.run(f"VACUUM FULL {table.name}")
