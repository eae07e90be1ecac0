// Reads Iceberg tables with Iceberg's own Java reader, so that the tests can compare what it sees with PostgreSQL.
//
//   java -cp 'lib/*' ReadTable.java [KEY=VALUE]...
//
// Files are read with HadoopFileIO, or with the FileIO that the properties KEY=VALUE name (io-impl) and configure.
// Standard input has the location of a metadata file per line; "lineage " before it adds the columns of row lineage.
// For each, standard output has a JSON line per row and
// then {"end": {…facts}} or {"error": message}. Values that JSON has no type for are objects of one member that names
// the type.
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStreamWriter;
import java.io.Writer;
import java.math.BigDecimal;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.apache.hadoop.conf.Configuration;
import org.apache.iceberg.BaseTable;
import org.apache.iceberg.CatalogProperties;
import org.apache.iceberg.CatalogUtil;
import org.apache.iceberg.FileScanTask;
import org.apache.iceberg.MetadataColumns;
import org.apache.iceberg.Schema;
import org.apache.iceberg.StaticTableOperations;
import org.apache.iceberg.Table;
import org.apache.iceberg.data.IcebergGenerics;
import org.apache.iceberg.data.Record;
import org.apache.iceberg.hadoop.HadoopFileIO;
import org.apache.iceberg.io.CloseableIterable;
import org.apache.iceberg.io.FileIO;
import org.apache.iceberg.types.Types;
import org.apache.iceberg.variants.Variant;
import org.apache.iceberg.variants.VariantValue;

public class ReadTable {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final JsonNodeFactory NODES = JsonNodeFactory.instance;

  public static void main(String[] arguments) throws IOException {
    Map<String, String> properties = new HashMap<>();
    for (String argument : arguments) {
      int equals = argument.indexOf('=');
      properties.put(argument.substring(0, equals), argument.substring(equals + 1));
    }
    String implementation = properties.getOrDefault(CatalogProperties.FILE_IO_IMPL, HadoopFileIO.class.getName());
    FileIO io = CatalogUtil.loadFileIO(implementation, properties, new Configuration());
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    Writer out = new BufferedWriter(new OutputStreamWriter(System.out, StandardCharsets.UTF_8), 1 << 16);
    for (String location = in.readLine(); location != null; location = in.readLine()) {
      try {
        boolean lineage = location.startsWith("lineage ");
        String metadata = lineage ? location.substring("lineage ".length()) : location;
        printTable(out, new BaseTable(new StaticTableOperations(metadata, io), metadata), lineage);
      } catch (Exception | Error failure) {
        failure.printStackTrace();
        printLine(out, NODES.objectNode().put("error", failure.toString()));
      }
      out.flush();
    }
  }

  private static void printTable(Writer out, Table table, boolean lineage) throws IOException {
    List<Types.NestedField> columns = new ArrayList<>(table.schema().columns());
    if (lineage) {
      columns.add(MetadataColumns.ROW_ID);
      columns.add(MetadataColumns.LAST_UPDATED_SEQUENCE_NUMBER);
    }
    long rows = 0;
    try (CloseableIterable<Record> records = IcebergGenerics.read(table).project(new Schema(columns)).build()) {
      for (Record record : records) {
        ObjectNode row = NODES.objectNode();
        for (int i = 0; i < record.size(); i++) {
          set(row, record.struct().fields().get(i).name(), record.get(i));
        }
        printLine(out, row);
        rows++;
      }
    }
    long dataFiles = 0;
    int deleteFilesPerDataFileMax = 0;
    try (CloseableIterable<FileScanTask> tasks = table.newScan().planFiles()) {
      for (FileScanTask task : tasks) {
        dataFiles++;
        deleteFilesPerDataFileMax = Math.max(deleteFilesPerDataFileMax, task.deletes().size());
      }
    }
    ObjectNode end = NODES.objectNode();
    end.putObject("end")
        .put("rows", rows)
        .put("data_files", dataFiles)
        .put("delete_files_per_data_file_max", deleteFilesPerDataFileMax);
    printLine(out, end);
  }

  private static void set(ObjectNode row, String name, Object value) {
    if (value == null) {
      row.putNull(name);
    } else if (value instanceof String text) {
      row.put(name, text);
    } else if (value instanceof Boolean flag) {
      row.put(name, flag);
    } else if (value instanceof Integer number) {
      row.put(name, number);
    } else if (value instanceof Long number) {
      row.put(name, number);
    } else if (value instanceof List<?> list) {
      ArrayNode items = row.putArray(name);
      for (Object item : list) {
        ObjectNode holder = NODES.objectNode();
        set(holder, "item", item);
        items.add(holder.get("item"));
      }
    } else if (value instanceof Variant variant) {
      row.putObject(name).put("variant", json(variant.value()).toString());
    } else if (value instanceof Record struct) {
      ObjectNode fields = row.putObject(name).putObject("struct");
      for (int i = 0; i < struct.size(); i++) {
        set(fields, struct.struct().fields().get(i).name(), struct.get(i));
      }
    } else {
      row.putObject(name).put(typeName(value), text(value));
    }
  }

  /** A variant as JSON, decimals with all their digits. */
  private static JsonNode json(VariantValue value) {
    switch (value.type()) {
      case OBJECT:
        ObjectNode members = NODES.objectNode();
        for (String member : value.asObject().fieldNames()) {
          members.set(member, json(value.asObject().get(member)));
        }
        return members;
      case ARRAY:
        ArrayNode items = NODES.arrayNode();
        for (int i = 0; i < value.asArray().numElements(); i++) {
          items.add(json(value.asArray().get(i)));
        }
        return items;
      case NULL:
        return NODES.nullNode();
      default:
        return JSON.valueToTree(value.asPrimitive().get());
    }
  }

  private static String typeName(Object value) {
    if (value instanceof Float || value instanceof Double) return "float";
    if (value instanceof BigDecimal) return "decimal";
    if (value instanceof UUID) return "uuid";
    if (value instanceof ByteBuffer || value instanceof byte[]) return "hex";
    if (value instanceof LocalDate) return "date";
    if (value instanceof LocalTime) return "time";
    if (value instanceof LocalDateTime) return "timestamp";
    if (value instanceof OffsetDateTime) return "timestamptz";
    throw new IllegalArgumentException("no text form for " + value.getClass());
  }

  private static String text(Object value) {
    if (value instanceof BigDecimal number) return number.toPlainString();
    if (value instanceof byte[] bytes) return HexFormat.of().formatHex(bytes);
    if (value instanceof ByteBuffer buffer) {
      byte[] bytes = new byte[buffer.remaining()];
      buffer.duplicate().get(bytes);
      return HexFormat.of().formatHex(bytes);
    }
    return value.toString();
  }

  private static void printLine(Writer out, ObjectNode line) throws IOException {
    out.write(JSON.writeValueAsString(line));
    out.write('\n');
  }
}
