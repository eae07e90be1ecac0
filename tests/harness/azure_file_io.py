"""PyIceberg's reader of Azure, for locations that name their account, as Iceberg's specification of them has it."""

from urllib.parse import urlparse

from pyiceberg.io.pyarrow import PyArrowFileIO
from pyiceberg.typedef import EMPTY_DICT


class AzureFileIO(PyArrowFileIO):
    @staticmethod
    def parse_location(location, properties=EMPTY_DICT):
        """abfss://container@account.host/path: PyIceberg 0.12 takes all before the path for the container."""
        uri = urlparse(location)
        return uri.scheme, uri.username, f"{uri.username}{uri.path}"
