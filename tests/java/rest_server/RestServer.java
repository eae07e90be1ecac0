package org.apache.iceberg.rest;

import jakarta.servlet.DispatcherType;
import jakarta.servlet.FilterChain;
import jakarta.servlet.ServletException;
import jakarta.servlet.http.HttpFilter;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import org.apache.hadoop.conf.Configuration;
import org.apache.iceberg.CatalogUtil;
import org.apache.iceberg.rest.responses.LoadTableResponse;
import org.eclipse.jetty.ee10.servlet.FilterHolder;
import org.eclipse.jetty.ee10.servlet.ServletContextHandler;
import org.eclipse.jetty.ee10.servlet.ServletHolder;
import org.eclipse.jetty.server.Server;

/**
 * Iceberg's REST catalog for tests, over a JdbcCatalog: bound to 127.0.0.1, with OAuth2 client credentials and vended
 * settings on request. Arguments are KEY=VALUE; those that are not told here are properties of the JdbcCatalog.
 *
 * <pre>
 *   port             where it listens; it prints READY when it does
 *   oauth            id:secret of the only client: requests need a token of oauth/tokens
 *   token-seconds    how long a token is good
 *   vend.KEY         KEY=VALUE in the config of each loaded table
 *   vend-expiry.KEY  seconds from now on: KEY is then the time in milliseconds
 *   vend-token.KEY   KEY is then this text, a dot, the time in milliseconds, a dot and a number of its own
 * </pre>
 */
public class RestServer {
  public static void main(String[] arguments) throws Exception {
    Map<String, String> settings = new HashMap<>();
    settings.put("catalog-impl", "org.apache.iceberg.jdbc.JdbcCatalog");
    settings.put("jdbc.schema-version", "V1");
    for (String argument : arguments) {
      int equals = argument.indexOf('=');
      settings.put(argument.substring(0, equals), argument.substring(equals + 1));
    }
    RESTCatalogServer.CatalogContext context =
        new RESTCatalogServer.CatalogContext(
            CatalogUtil.buildIcebergCatalog("rest_backend", settings, new Configuration()), settings);
    ServletContextHandler handler = new ServletContextHandler(ServletContextHandler.NO_SESSIONS);
    handler.setContextPath("/");
    if (settings.containsKey("oauth")) {
      long tokenSeconds = Long.parseLong(settings.getOrDefault("token-seconds", "3600"));
      handler.addFilter(
          new FilterHolder(new OAuth(settings.get("oauth"), tokenSeconds)), "/*", EnumSet.of(DispatcherType.REQUEST));
    }
    handler.addServlet(new ServletHolder(new RESTCatalogServlet(new VendingAdapter(context))), "/*");
    Server server = new Server(new InetSocketAddress("127.0.0.1", Integer.parseInt(settings.get("port"))));
    server.setHandler(handler);
    server.start();
    System.out.println("READY");
    server.join();
  }

  private static class VendingAdapter extends RESTServerCatalogAdapter {
    private final Map<String, String> settings;
    private final AtomicLong vended = new AtomicLong();

    VendingAdapter(RESTCatalogServer.CatalogContext context) {
      super(context);
      settings = context.configuration();
    }

    @Override
    public <T extends RESTResponse> T handleRequest(
        Route route,
        Map<String, String> variables,
        HTTPRequest request,
        Class<T> responseType,
        Consumer<Map<String, String>> responseHeaders) {
      T response = super.handleRequest(route, variables, request, responseType, responseHeaders);
      if (response instanceof LoadTableResponse table) {
        settings.forEach(
            (key, value) -> {
              if (key.startsWith("vend.")) {
                table.config().put(key.substring("vend.".length()), value);
              } else if (key.startsWith("vend-expiry.")) {
                long expiry = System.currentTimeMillis() + 1000 * Long.parseLong(value);
                table.config().put(key.substring("vend-expiry.".length()), Long.toString(expiry));
              } else if (key.startsWith("vend-token.")) {
                String token = value + "." + System.currentTimeMillis() + "." + vended.incrementAndGet();
                table.config().put(key.substring("vend-token.".length()), token);
              }
            });
      }
      return response;
    }
  }

  /** Issues tokens at …/oauth/tokens, and refuses requests without one, or with one that has expired. */
  private static class OAuth extends HttpFilter {
    private final String client;
    private final long tokenSeconds;
    private final Map<String, Long> expiries = new ConcurrentHashMap<>();

    OAuth(String client, long tokenSeconds) {
      this.client = client;
      this.tokenSeconds = tokenSeconds;
    }

    @Override
    protected void doFilter(HttpServletRequest request, HttpServletResponse response, FilterChain chain)
        throws IOException, ServletException {
      response.setContentType("application/json");
      if (request.getRequestURI().endsWith("/oauth/tokens")) {
        issue(request, response);
        return;
      }
      String authorization = request.getHeader("Authorization");
      Long expiry =
          authorization != null && authorization.startsWith("Bearer ")
              ? expiries.get(authorization.substring("Bearer ".length()))
              : null;
      if (expiry == null || expiry < System.currentTimeMillis()) {
        response.setStatus(401);
        response
            .getWriter()
            .write("{\"error\":{\"message\":\"Not authorized\",\"type\":\"NotAuthorizedException\",\"code\":401}}");
        return;
      }
      chain.doFilter(request, response);
    }

    private void issue(HttpServletRequest request, HttpServletResponse response) throws IOException {
      String asking = request.getParameter("client_id") + ":" + request.getParameter("client_secret");
      String authorization = request.getHeader("Authorization");
      if (authorization != null && authorization.startsWith("Basic ")) {
        byte[] decoded = Base64.getDecoder().decode(authorization.substring("Basic ".length()));
        asking = new String(decoded, StandardCharsets.UTF_8);
      }
      if (!"client_credentials".equals(request.getParameter("grant_type")) || !client.equals(asking)) {
        response.setStatus(401);
        response.getWriter().write("{\"error\":\"invalid_client\",\"error_description\":\"Unknown client\"}");
        return;
      }
      String token = UUID.randomUUID().toString();
      expiries.put(token, System.currentTimeMillis() + tokenSeconds * 1000);
      response
          .getWriter()
          .write(
              "{\"access_token\":\"%s\",\"token_type\":\"bearer\",\"expires_in\":%d,"
                      .formatted(token, tokenSeconds)
                  + "\"issued_token_type\":\"urn:ietf:params:oauth:token-type:access_token\"}");
    }
  }
}
