package org.apache.iceberg.rest;

import com.azure.core.exception.HttpResponseException;
import com.azure.storage.blob.BlobClient;
import com.azure.storage.blob.BlobServiceClient;
import com.azure.storage.blob.BlobServiceClientBuilder;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.URI;
import java.util.Map;
import org.apache.iceberg.exceptions.NotFoundException;
import org.apache.iceberg.io.FileIO;
import org.apache.iceberg.io.InputFile;
import org.apache.iceberg.io.OutputFile;
import org.apache.iceberg.io.PositionOutputStream;
import org.apache.iceberg.io.SeekableInputStream;

/**
 * The metadata files of a catalog in Azure, by the blob interface alone: Azurite has no other, and Iceberg's own
 * ADLSFileIO writes by the one of Data Lake Storage. Whole files in memory. Property: blob.connection-string.
 */
public class BlobFileIO implements FileIO {
  private transient BlobServiceClient service;

  @Override
  public void initialize(Map<String, String> properties) {
    service = new BlobServiceClientBuilder().connectionString(properties.get("blob.connection-string")).buildClient();
  }

  /** abfss://container@account.host/path */
  private BlobClient blob(String location) {
    URI uri = URI.create(location);
    return service.getBlobContainerClient(uri.getUserInfo()).getBlobClient(uri.getPath().substring(1));
  }

  @Override
  public InputFile newInputFile(String location) {
    return new InputFile() {
      @Override
      public long getLength() {
        return content(location).length;
      }

      @Override
      public SeekableInputStream newStream() {
        return new SeekableBytes(content(location));
      }

      @Override
      public String location() {
        return location;
      }

      @Override
      public boolean exists() {
        return blob(location).exists();
      }
    };
  }

  private byte[] content(String location) {
    try {
      return blob(location).downloadContent().toBytes();
    } catch (HttpResponseException failure) {
      if (failure.getResponse().getStatusCode() == 404) {
        throw new NotFoundException(failure, "No file at %s", location);
      }
      throw failure;
    }
  }

  @Override
  public OutputFile newOutputFile(String location) {
    return new OutputFile() {
      @Override
      public PositionOutputStream create() {
        return new Upload(location, false);
      }

      @Override
      public PositionOutputStream createOrOverwrite() {
        return new Upload(location, true);
      }

      @Override
      public String location() {
        return location;
      }

      @Override
      public InputFile toInputFile() {
        return newInputFile(location);
      }
    };
  }

  @Override
  public void deleteFile(String location) {
    blob(location).deleteIfExists();
  }

  private static class SeekableBytes extends SeekableInputStream {
    private final ByteArrayInputStream bytes;
    private final int length;

    SeekableBytes(byte[] content) {
      bytes = new ByteArrayInputStream(content);
      length = content.length;
    }

    @Override
    public long getPos() {
      return length - bytes.available();
    }

    @Override
    public void seek(long position) {
      bytes.reset();
      bytes.skip(position);
    }

    @Override
    public int read() {
      return bytes.read();
    }

    @Override
    public int read(byte[] buffer, int offset, int count) {
      return bytes.read(buffer, offset, count);
    }
  }

  private class Upload extends PositionOutputStream {
    private final String location;
    private final boolean overwrite;
    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    private boolean closed = false;

    Upload(String location, boolean overwrite) {
      this.location = location;
      this.overwrite = overwrite;
    }

    @Override
    public long getPos() {
      return bytes.size();
    }

    @Override
    public void write(int value) {
      bytes.write(value);
    }

    @Override
    public void write(byte[] buffer, int offset, int count) {
      bytes.write(buffer, offset, count);
    }

    @Override
    public void close() throws IOException {
      if (!closed) {
        closed = true;
        blob(location).upload(new ByteArrayInputStream(bytes.toByteArray()), bytes.size(), overwrite);
      }
    }
  }
}
