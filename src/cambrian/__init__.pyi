from cambrian._version import __version__ as __version__
from cambrian.archive.reader import open as open  # noqa: A004 - as in `gzip`
