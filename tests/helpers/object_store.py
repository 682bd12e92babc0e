"""An S3-compatible server of its own process on loopback, which the environment names to whoever reads it there."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from s3fs import S3FileSystem

from pipelines.files import files_at
from pipelines.raw_store import RawStore
from pipelines.stores import store_of

BUCKET = "payments"
SECRET = "unlikely-Zq7x-secret-of-nobody"
"""The secret that the environment states: a text that nothing else writes."""

_LOOKS, _LOOKS_EVERY_SECONDS = 1200, 0.05
"""A server that is not up after a minute is not waited for."""


@dataclass(frozen=True)
class ObjectStore:
    """A running server. endpoint: its URL; log: what it has said."""

    endpoint: str
    log: Path

    def url(self, prefix: str) -> str:
        """The URL of a store in the server's bucket."""
        return f"s3://{BUCKET}/{prefix}"

    def store(self, prefix: str) -> RawStore:
        """The store that is there."""
        return store_of(Path("nowhere"), self.url(prefix))


def objects_of(store: RawStore) -> dict[str, bytes]:
    """Content of everything that lies below a store's root, staged or not, by its place."""
    files = files_at(store.root)
    places = list(files.listing(store.root))
    return dict(zip(places, files.read([store.root / place for place in places]), strict=True)) if places else {}


@contextmanager
def running_object_store(folder: Path) -> Iterator[ObjectStore]:
    """A server with an empty bucket while the context is open. folder: where it writes its log.

    The environment names it and its credentials meanwhile, to this process and to those that it starts.
    """
    log = folder / "object_store.log"
    with log.open("w") as said, pytest.MonkeyPatch.context() as patch:
        process = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"],
            stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            endpoint = _endpoint(process, log)
            _name_in_environment(patch, endpoint, folder)
            # File systems are kept by how they were asked for, not by what the environment named then.
            S3FileSystem.clear_instance_cache()
            S3FileSystem(use_listings_cache=False).mkdir(BUCKET)
            yield ObjectStore(endpoint, log)
        finally:
            S3FileSystem.clear_instance_cache()
            process.kill()
            process.wait()


def _endpoint(process: "subprocess.Popen[bytes]", log: Path) -> str:
    """Where a server that was just started listens. It has bound its port when it says so."""
    for _ in range(_LOOKS):
        said = log.read_text()
        if found := re.search(r"Running on (\S+)\n", said):
            return found[1]
        assert process.poll() is None, said
        time.sleep(_LOOKS_EVERY_SECONDS)
    raise AssertionError(f"the object store does not come up: {log.read_text()}")


def _name_in_environment(patch: pytest.MonkeyPatch, endpoint: str, folder: Path) -> None:
    stated = {
        "AWS_ACCESS_KEY_ID": "anyone",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": str(folder / "no_config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / "no_credentials"),
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
    }
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        patch.delenv(name)
    for name, value in stated.items():
        patch.setenv(name, value)
