/* The library in C: rows of Arrow's C data interface into Iceberg tables, for every language that has an Arrow.
 *
 *   firn_destination* lake;
 *   const char* options[] = {"catalog_uri=sqlite:///lake/catalog.db", "warehouse=/lake", NULL};
 *   if (firn_open(options, &lake) != FIRN_OK) fail(firn_last_error(NULL));
 *   firn_define_table(lake, "shop", "orders", &columns, key, NULL);
 *   firn_add(lake, "shop", "orders", FIRN_UPSERT, &schema, &rows);
 *   firn_commit(lake, position);
 *   firn_close(lake);
 *
 * It is <firn/destination.h>, which says more of each call. libfirn.so exports these functions alone.
 *
 * Errors: each call returns FIRN_OK or another firn_status; firn_last_error then says what happened, where, and what to
 * do. Strings are UTF-8 and end with a zero; lists of strings end with NULL, and NULL is an empty list.
 * Thread-safety: a firn_destination belongs to one thread at a time; several may be open at once.
 * Arrow's structs are taken over by the call they are given to, whatever it returns: it releases them. */
#ifndef FIRN_FIRN_H_
#define FIRN_FIRN_H_

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* As Arrow's specification of its C data interface has them. */
#ifndef ARROW_C_DATA_INTERFACE
#define ARROW_C_DATA_INTERFACE

#define ARROW_FLAG_DICTIONARY_ORDERED 1
#define ARROW_FLAG_NULLABLE 2
#define ARROW_FLAG_MAP_KEYS_SORTED 4

struct ArrowSchema {
  const char* format;
  const char* name;
  const char* metadata;
  int64_t flags;
  int64_t n_children;
  struct ArrowSchema** children;
  struct ArrowSchema* dictionary;
  void (*release)(struct ArrowSchema*);
  void* private_data;
};

struct ArrowArray {
  int64_t length;
  int64_t null_count;
  int64_t offset;
  int64_t n_buffers;
  int64_t n_children;
  const void** buffers;
  struct ArrowArray** children;
  struct ArrowArray* dictionary;
  void (*release)(struct ArrowArray*);
  void* private_data;
};

#endif

/* What can be done about an error. */
typedef enum firn_status {
  FIRN_OK = 0,
  FIRN_TRANSIENT = 1,       /* May pass by itself: try again later. */
  FIRN_CONFLICT = 2,        /* Another writer was faster. */
  FIRN_COMMIT_UNKNOWN = 3,  /* Open again, and ask for the position. */
  FIRN_INVALID = 4,         /* Wrong arguments or options; nothing was changed. */
  FIRN_PERMISSION = 5,      /* A right is missing. */
  FIRN_UNSUPPORTED = 6,     /* What firn or Iceberg can't do. */
  FIRN_SCHEMA_MISMATCH = 7, /* Rows and table disagree. */
  FIRN_TABLE_NOT_FOUND = 8, /* firn_define_table first. */
  FIRN_NOT_FOUND = 9,
  FIRN_ALREADY_EXISTS = 10, /* The table is not this pipeline's. */
  FIRN_CORRUPT = 11,
  FIRN_SOURCE_LOST = 12,
  FIRN_WRITE_FAILED = 13, /* Given up after max_retries. */
  FIRN_CANCELLED = 14,
  FIRN_INTERNAL = 15 /* A bug in firn. */
} firn_status;

typedef enum firn_operation {
  FIRN_INSERT = 0, /* Rows that the table doesn't hold. */
  FIRN_UPSERT = 1, /* Whole rows, in place of those with their keys. */
  FIRN_DELETE = 2  /* Key columns. */
} firn_operation;

typedef struct firn_destination firn_destination;

/* "0.1.0" */
const char* firn_version(void);

/* options: "name=value" of catalog_uri, catalog_name, warehouse, configuration, state_directory, pipeline,
 * target_file_size_bytes, compression, max_retries, format_version and deletes (position, vector, equality), as
 * DestinationOptions has them. On an error *destination is NULL. */
int firn_open(const char* const* options, firn_destination** destination);

/* What was added and not committed is dropped. NULL is allowed. */
void firn_close(firn_destination* destination);

/* Of the last call on it that failed; valid until the next call on it. NULL: of this thread's last firn_open. */
const char* firn_last_error(const firn_destination* destination);

/* Makes the table, or opens the one that is there. columns: a struct type with a field for each column. key: names of
 * its key columns. options: "mode=" mirror, soft-delete, history or append; "track_changes=true"; "partition_by=" a
 * term such as day(created_at), any number of times, in order. */
int firn_define_table(firn_destination* destination, const char* name_space, const char* name,
                      struct ArrowSchema* columns, const char* const* key, const char* const* options);

/* Adds rows, a struct array with a field for each column, to the next commit. */
int firn_add(firn_destination* destination, const char* name_space, const char* name, firn_operation operation,
             struct ArrowSchema* schema, struct ArrowArray* rows);

/* Adds a truncate to the next commit: all rows before it go. */
int firn_truncate(firn_destination* destination, const char* name_space, const char* name);

/* Commits what was added, of all tables together, with a position that grows from commit to commit. After an error the
 * destination is of no more use: close it, open another, ask for the position and go on from there. */
int firn_commit(firn_destination* destination, uint64_t position);

/* The position of the table's last commit, with *has_position 1; 0 before the first. */
int firn_position(firn_destination* destination, const char* name_space, const char* name, uint64_t* position,
                  int* has_position);

#ifdef __cplusplus
}
#endif

#endif
