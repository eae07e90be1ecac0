"""The definition of a random table, and random changes of it. A change gives its statements, and the definition is then what
they make of it."""

import copy

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
# Those that columns get by changes alone.
WIDER_TYPES = {
    "varchar(60)": ["'one'", "'sixty characters and not one of them more than there may be!'"],
    "numeric(20, 3)": ["0", "-0.001", "99999999999999999.999"],
    "numeric(14, 5)": ["0", "1.00001", "-999999999.99999"],
}
VALUES = TYPES | WIDER_TYPES
# By type: those that it can become without USING and keep every value.
WIDENINGS = {
    "int": ["bigint"],
    "real": ["float8"],
    "numeric(12, 3)": ["numeric(20, 3)"],
    "varchar(30)": ["varchar(60)", "text"],
    "varchar(60)": ["text"],
}
# By type: others that it can become, each with the expression for USING; {} is the column.
CONVERSIONS = {
    "int": [("text", "'v' || {}"), ("numeric(12, 3)", "{} % 1000"), ("float8", "{}"), ("int", "{} / 2")],
    "bigint": [("int", "({} % 1000)::int"), ("text", "{}::text"), ("bigint", "{} / 2")],
    "text": [("int", "length({})"), ("varchar(30)", "left({}, 30)"), ("bytea", "convert_to({}, 'UTF8')"), ("text", "{} || '!'")],
    "varchar(30)": [("int", "length({})")],
    "numeric(12, 3)": [("numeric(14, 5)", "{}"), ("text", "{}::text"), ("float8", "{}")],
    "numeric(20, 3)": [("numeric(12, 3)", "{} % 1000"), ("text", "{}::text")],
    "float8": [("text", "{}::text"), ("real", "{}")],  # 1e300 is out of range.
    "real": [("text", "{}::text")],
    "bool": [("int", "{}::int"), ("text", "{}::text")],
    "date": [("timestamp", "{}"), ("text", "{}::text")],
    "timestamp": [("timestamptz", "{}"), ("date", "{}::date")],
    "timestamptz": [("timestamp", "{}"), ("text", "{}::text")],
    "uuid": [("text", "{}::text")],
    "bytea": [("text", "encode({}, 'hex')")],
    "time": [("text", "{}::text")],
    "jsonb": [("text", "{}::text")],
    "int[]": [("text", "{}::text")],
}
# Defaults that differ from row to row: PostgreSQL rewrites the table for them.
VOLATILE_DEFAULTS = {
    "int": "(random() * 100)::int",
    "bigint": "(random() * 1e12)::bigint",
    "text": "md5(random()::text)",
    "float8": "random()",
    "uuid": "gen_random_uuid()",
    "timestamptz": "clock_timestamp()",
}
# The first columns of a new table, and which of them are its primary key.
KEYS = {
    "int": ({"id": "int"}, ["id"]),
    "bigint": ({"id": "bigint"}, ["id"]),
    "text": ({"id": "text"}, ["id"]),
    "two": ({"id": "int", "part": "text"}, ["part", "id"]),
    "full": ({"id": "int"}, ["id"]),  # With REPLICA IDENTITY FULL.
    "none": ({"id": "int"}, []),  # With REPLICA IDENTITY FULL, and rows that are the same.
}
PARTITION_TRANSFORMS = {
    "int": ["bucket(4, {})", "truncate(8, {})"],  # Widths that divide the least value, which is rounded down.
    "bigint": ["bucket(4, {})", "truncate(1024, {})"],
    "text": ["bucket(3, {})", "truncate(2, {})", "{}"],
    "varchar(30)": ["{}", "truncate(1, {})"],
    "numeric(12, 3)": ["bucket(3, {})", "truncate(999, {})"],
    "bool": ["{}"],
    "date": ["year({})", "month({})", "day({})", "bucket(3, {})"],
    "timestamp": ["year({})", "month({})", "day({})", "hour({})"],
    "timestamptz": ["month({})", "day({})", "hour({})", "bucket(3, {})"],
    "uuid": ["bucket(2, {})"],
    "bytea": ["bucket(2, {})", "truncate(1, {})"],
    "time": ["bucket(2, {})"],
}


class RandomDefinition:
    """`number` is no other table's, of those that there have been either."""

    def __init__(self, random, name, number):
        self.random = random
        self.name = name
        self.number = number
        key_kind = random.choice(list(KEYS))
        self.first_columns, key = KEYS[key_kind]
        self.key = list(key)  # The columns of the primary key.
        self.key_name = f"key_{number}"
        self.id, self.id_type = "id", self.first_columns["id"]
        self.part = "part" if "part" in self.first_columns else None
        self.is_full = key_kind in ("full", "none")  # The replica identity.
        self.repeats_ids = key_kind == "none"
        self.large = "large"  # A text column of which some values are not sent with an update that leaves them alone.
        self.columns = {}  # Name to type: all but those above, and `filled`.
        self.not_null = set()
        self.with_default = set()
        self.filled = []  # Columns that no statement names: PostgreSQL fills them.
        self.used = set()  # Columns that the configuration names: they have to stay under their names.
        self.next_id = 1
        self.names = 0
        for _ in range(random.randint(1, 6)):
            self.columns[self.new_name()] = random.choice(list(TYPES))

    def state(self):
        """What `restore` takes back when the statements after it are rolled back."""
        return {name: copy.deepcopy(value) for name, value in vars(self).items() if name not in ("random", "used")}

    def restore(self, state):
        vars(self).update(copy.deepcopy(state))

    def new_name(self):
        self.names += 1
        return f"c{self.names}"

    def create(self):
        columns = [f"{name} {kind}" for name, kind in (self.first_columns | self.columns).items()]
        if self.key:
            columns.append(f"CONSTRAINT {self.key_name} PRIMARY KEY ({', '.join(self.key)})")
        statements = [f"CREATE TABLE {self.name} ({', '.join(columns)}, large text)", self.alter("ALTER large SET STORAGE EXTERNAL")]
        return statements + ([self.alter("REPLICA IDENTITY FULL")] if self.is_full else [])

    def value(self, column):
        """For the column, as SQL: NULL now and then, where it may be."""
        if self.random.random() < 0.15 and column not in self.not_null and column not in self.key:
            return "NULL"
        return self.literal(self.columns[column])

    def literal(self, kind):
        return self.random.choice(VALUES[kind])

    def use_partition_fields(self, identity):
        """Some legal partition fields, each of another column; often none. They are to be configured. `identity`: also by
        the values themselves, after which no other column can take the name."""
        fields = {}
        for name, kind in self.columns.items():
            transforms = [transform for transform in PARTITION_TRANSFORMS.get(kind, []) if identity or transform != "{}"]
            if transforms and self.random.random() < 0.3 and len(fields) < 3:
                fields[name] = self.random.choice(transforms).format(name)
        self.used = set(fields)
        return list(fields.values())

    # --- Changes ---

    def alter(self, action):
        return f"ALTER TABLE {self.name} {action}"

    def redefine(self):
        """Statements that are one random change; none where the table has nothing for it."""
        changes = {
            self.add_column: 25,
            self.add_filled_column: 6,
            self.drop_column: 14,
            self.replace_column: 6,
            self.rename_column: 12,
            self.swap_names: 8,
            self.rename_in_a_chain: 6,
            self.widen: 10,
            self.convert: 10,
            self.change_not_null: 8,
            self.change_key: 8,
            self.change_id_type: 2,
        }
        (change,) = self.random.choices(list(changes), weights=changes.values())
        return change()

    def add_column(self):
        """Under a new name, or that of a column that has gone."""
        gone = [name for n in range(1, self.names + 1) if (name := f"c{n}") not in self.all_names()]
        name = self.random.choice(gone) if gone and self.random.random() < 0.3 else self.new_name()
        kind, clause = self.random.choice(list(TYPES)), ""
        default = self.random.choice(["none", "none", "constant", "volatile"])
        if default == "constant":
            kind = self.random.choice([kind for kind in TYPES if kind != "uuid"])  # iceberg-rust can't read such defaults.
            clause = f" DEFAULT {self.literal(kind)}"
        elif default == "volatile":
            kind = self.random.choice(list(VOLATILE_DEFAULTS))
            clause = f" DEFAULT {VOLATILE_DEFAULTS[kind]}"
        if clause and self.random.random() < 0.3:
            clause += " NOT NULL"
            self.not_null.add(name)
        self.columns[name] = kind
        statements = [self.alter(f"ADD {name} {kind}{clause}")]
        if default != "none" and self.random.random() < 0.2:  # For the rows that are there alone.
            statements.append(self.alter(f"ALTER {name} DROP DEFAULT"))
        elif default != "none":
            self.with_default.add(name)
        return statements

    def add_filled_column(self):
        name = self.new_name()
        self.filled.append(name)
        kind = self.random.choice(["bigserial", "int GENERATED ALWAYS AS IDENTITY", "int GENERATED ALWAYS AS (6 * 7) STORED"])
        statements = [self.alter(f"ADD {name} {kind}")]
        if "STORED" in kind and self.random.random() < 0.5:
            statements.append(self.alter(f"ALTER {name} DROP EXPRESSION"))
        return statements

    def free_columns(self):
        """Those that may go, or become something else."""
        return [name for name in self.columns if name not in self.used and name not in self.key]

    def drop_column(self):
        choices = self.free_columns() + [name for name in [*self.filled, self.large] if name and name not in self.key]
        return [self.drop(self.random.choice(choices))] if choices else []

    def drop(self, name):
        self.columns.pop(name, None)
        self.not_null.discard(name)
        self.with_default.discard(name)
        self.filled = [other for other in self.filled if other != name]
        self.large = None if self.large == name else self.large
        return self.alter(f"DROP {name}")

    def replace_column(self):
        """A column goes and another takes its name at once, often with its type."""
        if not (choices := self.free_columns()):
            return []
        name = self.random.choice(choices)
        kind = self.columns[name] if self.columns[name] in TYPES and self.random.random() < 0.5 else self.random.choice(list(TYPES))
        drop = self.drop(name)
        self.columns[name] = kind
        return [drop, self.alter(f"ADD {name} {kind}")]

    def all_names(self):
        return [name for name in (self.id, self.part, self.large, *self.columns, *self.filled) if name]

    def names_to_change(self, count_max):
        names = [name for name in self.all_names() if name not in self.used]
        return self.random.sample(names, min(len(names), count_max))

    def rename(self, old, new):
        def renamed(name):
            return new if name == old else name

        self.id, self.part, self.large = map(renamed, (self.id, self.part, self.large))
        self.key, self.filled = list(map(renamed, self.key)), list(map(renamed, self.filled))
        self.not_null, self.with_default = set(map(renamed, self.not_null)), set(map(renamed, self.with_default))
        self.columns = {renamed(name): kind for name, kind in self.columns.items()}
        return self.alter(f"RENAME {old} TO {new}")

    def rename_column(self):
        (name,) = self.names_to_change(1)
        return [self.rename(name, self.new_name())]

    def swap_names(self):
        if len(names := self.names_to_change(2)) < 2:
            return []
        one, other = names
        return [self.rename(one, "aside"), self.rename(other, one), self.rename("aside", other)]

    def rename_in_a_chain(self):
        """Each takes the name of the one before."""
        statements, free = [], self.new_name()
        for name in self.names_to_change(3):
            statements.append(self.rename(name, free))
            free = name
        return statements

    def widen(self):
        return self.retype([(name, kind, "") for name, old in self.columns.items() for kind in WIDENINGS.get(old, [])])

    def convert(self):
        return self.retype(
            [
                (name, kind, f" USING {expression.format(name)}")
                for name in self.free_columns()
                for kind, expression in CONVERSIONS.get(self.columns[name], [])
            ]
        )

    def retype(self, choices):
        """By one of `choices` = (column, type, USING)."""
        if not choices:
            return []
        name, kind, using = self.random.choice(choices)
        self.columns[name] = kind
        self.with_default.discard(name)
        return [self.alter(f"ALTER {name} DROP DEFAULT"), self.alter(f"ALTER {name} TYPE {kind}{using}")]

    def change_not_null(self):
        choices = [name for name in self.columns if name not in self.key]
        if not choices:
            return []
        name = self.random.choice(choices)
        if name in self.not_null:
            self.not_null.discard(name)
            return [self.alter(f"ALTER {name} DROP NOT NULL")]
        self.not_null.add(name)
        return [self.fill(name), self.alter(f"ALTER {name} SET NOT NULL")]

    def fill(self, name):
        return f"UPDATE {self.name} SET {name} = {self.literal(self.columns[name])} WHERE {name} IS NULL"

    def change_key(self):
        """Another primary key, none, or another replica identity."""
        kind = self.random.choice(["full", "default", "id", "filled", "two", "none"])
        if kind in ("full", "default"):
            self.is_full = kind == "full"
            return [self.alter(f"REPLICA IDENTITY {kind}")]
        statements = [self.alter(f"DROP CONSTRAINT {self.key_name}")] if self.key else []
        self.key = []
        if kind == "none":
            if self.random.random() < 0.8:  # Else only rows that are new can be followed.
                self.is_full = True
                statements.append(self.alter("REPLICA IDENTITY FULL"))
            return statements
        self.key = [self.id]
        if kind == "filled":
            self.key = [self.new_name()]
            self.filled += self.key
            statements.append(self.alter(f"ADD {self.key[0]} bigserial"))
        elif kind == "two" and (choices := [name for name, kind in self.columns.items() if kind not in ("real", "float8")]):
            name = self.random.choice(choices)
            self.key = [name, self.id]
            self.not_null.add(name)
            statements.append(self.fill(name))
        self.key_name = f"key_{self.number}_{self.new_name()}"
        return [*statements, self.alter(f"ADD CONSTRAINT {self.key_name} PRIMARY KEY ({', '.join(self.key)})")]

    def change_id_type(self):
        if self.id_type == "text":
            return []
        self.id_type = "bigint" if self.id_type == "int" else "text"
        return [self.alter(f"ALTER {self.id} TYPE {self.id_type}")]
