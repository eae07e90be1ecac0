/* The library in C: a table of two columns, made of Arrow's C data interface by hand, as a program without any Arrow
 * does it.
 *
 *   firn_example_destination_c /tmp/lake
 *   python -c "from pyiceberg.catalog.sql import SqlCatalog
 *   print(SqlCatalog('firn', uri='sqlite:////tmp/lake/catalog.db').load_table('app.readings').scan().to_arrow())" */

#include <firn/firn.h>
#include <stdio.h>

enum { kRows = 3 };

/* All memory is this program's own, and lives longer than the calls: there is nothing to free. */
static void ReleaseSchema(struct ArrowSchema* schema) { schema->release = NULL; }
static void ReleaseArray(struct ArrowArray* array) { array->release = NULL; }

static struct ArrowSchema Field(const char* name, const char* format) {
  struct ArrowSchema field = {.format = format, .name = name, .flags = ARROW_FLAG_NULLABLE, .release = ReleaseSchema};
  return field;
}

/* sensor: int64, "l"; celsius: double, "g"; both in a struct, "+s". */
static struct ArrowSchema fields[2];
static struct ArrowSchema* field_list[] = {&fields[0], &fields[1]};

static struct ArrowSchema Columns(void) {
  fields[0] = Field("sensor", "l");
  fields[1] = Field("celsius", "g");
  struct ArrowSchema columns = Field("", "+s");
  columns.n_children = 2;
  columns.children = field_list;
  return columns;
}

static int Add(firn_destination* lake, const int64_t* sensors, const double* celsius) {
  /* A column of fixed width has two buffers: which values are there (NULL: all), and the values. */
  const void* sensor_buffers[] = {NULL, sensors};
  const void* celsius_buffers[] = {NULL, celsius};
  const void* row_buffers[] = {NULL};
  struct ArrowArray columns[] = {
      {.length = kRows, .n_buffers = 2, .buffers = sensor_buffers, .release = ReleaseArray},
      {.length = kRows, .n_buffers = 2, .buffers = celsius_buffers, .release = ReleaseArray},
  };
  struct ArrowArray* column_list[] = {&columns[0], &columns[1]};
  struct ArrowArray rows = {.length = kRows,
                            .n_buffers = 1,
                            .n_children = 2,
                            .buffers = row_buffers,
                            .children = column_list,
                            .release = ReleaseArray};
  struct ArrowSchema schema = Columns();
  return firn_add(lake, "app", "readings", FIRN_UPSERT, &schema, &rows);
}

static int Write(firn_destination* lake) {
  const char* key[] = {"sensor", NULL};
  struct ArrowSchema columns = Columns();
  int status = firn_define_table(lake, "app", "readings", &columns, key, NULL);
  if (status != FIRN_OK) return status;

  /* A second start goes on where the first ended. */
  uint64_t position = 0;
  int has_position = 0;
  status = firn_position(lake, "app", "readings", &position, &has_position);
  if (status != FIRN_OK) return status;

  const int64_t sensors[kRows] = {1, 2, (int64_t)(position + 3)};
  const double celsius[kRows] = {20.5, (double)position, 19.0};
  status = Add(lake, sensors, celsius);
  if (status != FIRN_OK) return status;
  return firn_commit(lake, position + 1);
}

int main(int argc, char** argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: %s WAREHOUSE_FOLDER\n", argv[0]);
    return 2;
  }
  char catalog[4096];
  char warehouse[4096];
  snprintf(catalog, sizeof(catalog), "catalog_uri=sqlite://%s/catalog.db", argv[1]);
  snprintf(warehouse, sizeof(warehouse), "warehouse=%s", argv[1]);
  const char* options[] = {catalog, warehouse, NULL};
  firn_destination* lake = NULL;
  if (firn_open(options, &lake) != FIRN_OK) {
    fprintf(stderr, "%s\n", firn_last_error(NULL));
    return 1;
  }
  const int status = Write(lake);
  if (status != FIRN_OK) fprintf(stderr, "%s\n", firn_last_error(lake));
  firn_close(lake);
  return status == FIRN_OK ? 0 : 1;
}
