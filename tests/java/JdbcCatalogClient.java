// Uses a SQL catalog through Iceberg's own JdbcCatalog, so that the tests can see that firn and Java share it.
//
//   java -cp 'lib/*' JdbcCatalogClient.java JDBC-URI WAREHOUSE SCHEMA-VERSION     (V0 or V1)
//
// Standard input has a command per line, standard output a JSON line for each: its result, or {"error": message}.
//
//   namespaces | tables NS | create NS T | load NS T | set NS T KEY VALUE | rename NS T NEW-T | drop NS T
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.apache.iceberg.BaseTable;
import org.apache.iceberg.CatalogProperties;
import org.apache.iceberg.Schema;
import org.apache.iceberg.Table;
import org.apache.iceberg.TableMetadata;
import org.apache.iceberg.catalog.Namespace;
import org.apache.iceberg.catalog.TableIdentifier;
import org.apache.iceberg.jdbc.JdbcCatalog;
import org.apache.iceberg.types.Types;

public class JdbcCatalogClient {
  private static final ObjectMapper JSON = new ObjectMapper();

  public static void main(String[] arguments) throws IOException {
    JdbcCatalog catalog = new JdbcCatalog();
    catalog.setConf(new Configuration());
    catalog.initialize(
        "firn",
        Map.of(
            CatalogProperties.URI, arguments[0],
            CatalogProperties.WAREHOUSE_LOCATION, arguments[1],
            "jdbc.schema-version", arguments[2]));
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = in.readLine(); line != null; line = in.readLine()) {
      Object result;
      try {
        result = run(catalog, line.split(" "));
      } catch (Exception failure) {
        failure.printStackTrace();
        result = Map.of("error", failure.toString());
      }
      System.out.println(JSON.writeValueAsString(result));
    }
  }

  private static Object run(JdbcCatalog catalog, String[] command) {
    if (command[0].equals("namespaces")) {
      return catalog.listNamespaces().stream().map(Namespace::toString).toList();
    }
    Namespace namespace = Namespace.of(command[1].split("\\."));
    if (command[0].equals("tables")) {
      return catalog.listTables(namespace).stream().map(TableIdentifier::name).toList();
    }
    TableIdentifier name = TableIdentifier.of(namespace, command[2]);
    switch (command[0]) {
      case "create":
        if (!catalog.namespaceExists(namespace)) {
          catalog.createNamespace(namespace);
        }
        return describe(
            catalog.createTable(name, new Schema(Types.NestedField.required(1, "id", Types.LongType.get()))));
      case "load":
        return describe(catalog.loadTable(name));
      case "set":
        Table table = catalog.loadTable(name);
        table.updateProperties().set(command[3], command[4]).commit();
        return describe(table);
      case "rename":
        catalog.renameTable(name, TableIdentifier.of(namespace, command[3]));
        return true;
      case "drop":
        return catalog.dropTable(name, /* purge= */ false);
      default:
        throw new IllegalArgumentException(command[0]);
    }
  }

  private static Map<String, Object> describe(Table table) {
    TableMetadata metadata = ((BaseTable) table).operations().current();
    return Map.of("metadata_location", metadata.metadataFileLocation(), "properties", metadata.properties());
  }
}
