"""Where a data folder's raw tables and closing states are: in it, or at a URL that the environment names."""

import os
import re
from pathlib import Path
from typing import Any
from uuid import uuid4

from pipelines.files import Place, is_on_disk
from pipelines.raw_store import RawStore
from sim_engine import InputError, Problem
from sim_engine.errors import ABSENT

STORE_VARIABLE = "PAYMENT_SIM_STORE"
"""Environment variable that names where raw tables and states are, as s3://BUCKET/PREFIX; else the data folder."""

_BEGUN_AS_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")

_EXTRAS = {"s3": "s3", "s3a": "s3"}
"""Extras of ours that bring a protocol's file system."""


def store_of(data_root: Path, url: str | None = None) -> RawStore:
    """The store of a data folder. url: where it is; none: where the environment says, else in the folder.

    Raises InputError if no such place can be worked with.
    """
    stated = (os.environ.get(STORE_VARIABLE) or "") if url is None else url
    return RawStore(_place(stated) if stated else data_root)


def check_reachable(store: RawStore, *, writing: bool) -> None:
    """Raises InputError if a store at a URL does not answer, or refuses what is to be done there."""
    if is_on_disk(store.root):
        return
    try:
        if writing:
            probe = store.root / f".writable-{uuid4().hex}"
            store.files.write(probe, b"")
            store.files.remove([probe])
        else:
            store.files.folders_in(store.raw)
    except Exception as error:  # each file system has its own
        said = " ".join(str(error).split()) or type(error).__name__
        remedy = f"cannot be {'written to' if writing else 'read'} ({said}); look at the URL, and at what it asks for"
        raise _refused(remedy, str(store.root)) from error


def _place(url: str) -> Place:
    protocol, divider, rest = url.partition("://")
    if not divider and _BEGUN_AS_URL.match(url):  # not repeated, as it may be a URL with a secret in it
        raise _refused("is neither a URL nor a folder; state one, as s3://BUCKET/PREFIX")
    if not divider:
        return Path(url).absolute()
    if protocol in ("file", "local"):
        return Path(rest).absolute()
    if "@" in rest or "?" in rest:  # not repeated: what stands there may be a secret
        raise _refused("may hold no user, password or query; credentials are read from the environment alone")
    if not rest.strip("/ ") or (protocol in _EXTRAS and rest.startswith("/")):
        raise _refused("names no bucket or folder; state one, as s3://BUCKET/PREFIX", url)
    _check_protocol(protocol, url)
    from upath import UPath

    # Listings are not remembered, as others write there too.
    place: Any = UPath(url.rstrip("/"), use_listings_cache=False)
    return place  # type: ignore[no-any-return]


def _check_protocol(protocol: str, url: str) -> None:
    from fsspec.registry import get_filesystem_class, known_implementations

    try:
        get_filesystem_class(protocol)
    except ImportError as error:
        if extra := _EXTRAS.get(protocol):
            remedy = f"needs a library that is not installed; install the extra: pip install 'payment-sim[{extra}]'"
        else:
            said = known_implementations.get(protocol, {}).get("err", str(error))
            remedy = f"needs a library that is not installed: {said}"
        raise _refused(remedy, url) from error
    except ValueError as error:
        known = ", ".join(name for name in ("s3", "gs", "abfs", "file") if name in known_implementations)
        raise _refused(
            f"'{protocol}' is no file system that fsspec knows; known are, among others: {known}", url
        ) from error


def _refused(remedy: str, value: str = "") -> InputError:
    key = f"{STORE_VARIABLE}={value}" if value else STORE_VARIABLE
    return InputError("configuration", [Problem(key, ABSENT, remedy)])
