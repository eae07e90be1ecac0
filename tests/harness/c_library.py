"""libfirn.so, as ctypes loads it, and PyArrow's own export of Arrow's C data interface."""

import ctypes

from .firn_process import REPOSITORY

INSERT, UPSERT, DELETE = range(3)
OK, INVALID, UNSUPPORTED, SCHEMA_MISMATCH, TABLE_NOT_FOUND, ALREADY_EXISTS = 0, 4, 6, 7, 8, 10


def words(texts):
    return (ctypes.c_char_p * (len(texts) + 1))(*[text.encode() for text in texts], None)


def load_library():
    path = REPOSITORY / "build/release/libfirn.so"
    assert path.exists(), f"{path} is missing: run scripts/build release firn_c"
    library = ctypes.CDLL(str(path))
    library.firn_last_error.restype = ctypes.c_char_p
    library.firn_last_error.argtypes = [ctypes.c_void_p]
    library.firn_version.restype = ctypes.c_char_p
    library.firn_open.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
    library.firn_close.argtypes = [ctypes.c_void_p]
    library.firn_define_table.argtypes = [ctypes.c_void_p] + [ctypes.c_char_p] * 2 + [ctypes.c_void_p] * 3
    library.firn_add.argtypes = [ctypes.c_void_p] + [ctypes.c_char_p] * 2 + [ctypes.c_int] + [ctypes.c_void_p] * 2
    library.firn_truncate.argtypes = [ctypes.c_void_p] + [ctypes.c_char_p] * 2
    library.firn_commit.argtypes = [ctypes.c_void_p, ctypes.c_uint64]
    library.firn_position.argtypes = [ctypes.c_void_p] + [ctypes.c_char_p] * 2 + [ctypes.c_void_p] * 2
    return library


class Destination:
    """The calls as a program makes them: codes, and an error's text."""

    def __init__(self, library, *options, name_space=b"app"):
        self.library = library
        self.name_space = name_space
        self.handle = ctypes.c_void_p()
        self.code = library.firn_open(words(options), ctypes.byref(self.handle))

    def __enter__(self):
        assert self.code == OK, self.error()
        return self

    def __exit__(self, *_):
        self.library.firn_close(self.handle)

    def error(self):
        return self.library.firn_last_error(self.handle).decode()

    def expect(self, code, wanted):
        assert code == wanted, self.error()

    def define(self, columns, key=("id",), options=(), wanted=OK, name=b"t"):
        with ExportedSchema(columns) as schema:
            self.expect(self.library.firn_define_table(self.handle, self.name_space, name, schema.address, words(key), words(options)), wanted)

    def add(self, operation, rows, wanted=OK, name=b"t"):
        with ExportedBatch(rows) as exported:
            self.expect(
                self.library.firn_add(self.handle, self.name_space, name, operation, exported.schema_address, exported.address), wanted
            )

    def commit(self, position, wanted=OK):
        self.expect(self.library.firn_commit(self.handle, position), wanted)

    def position(self):
        position, has_position = ctypes.c_uint64(), ctypes.c_int()
        self.expect(self.library.firn_position(self.handle, self.name_space, b"t", ctypes.byref(position), ctypes.byref(has_position)), OK)
        return position.value if has_position.value else None


class Struct:
    """Room for one of Arrow's structs; `release` is expected to be gone once a call has had it."""

    def __init__(self, words, release):
        self.memory = (ctypes.c_void_p * words)()
        self.release = release
        self.address = ctypes.addressof(self.memory)

    def expect_released(self):
        assert self.memory[self.release] is None, "the call did not take the struct over"


class ExportedSchema(Struct):
    def __init__(self, schema):
        super().__init__(9, 7)
        schema._export_to_c(self.address)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.expect_released()


class ExportedBatch(Struct):
    def __init__(self, rows):
        super().__init__(10, 8)
        self.schema = Struct(9, 7)
        self.schema_address = self.schema.address
        rows._export_to_c(self.address, self.schema_address)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.expect_released()
        self.schema.expect_released()
