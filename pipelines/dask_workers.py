"""Chunks simulated by the workers of Dask, on this machine or on others. Needs the extra `dask`."""

import logging
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from uuid import uuid4

import dask
from distributed import Client, Future, KilledWorker, LocalCluster, as_completed
from distributed.scheduler import NoWorkerError

from pipelines.chunks import ChunkDay, MemberDone, Refused, Staged, stage
from pipelines.fanout import cores
from pipelines.files import Place, is_on_disk
from pipelines.raw_store import RawStore
from sim_engine import InputError, Problem
from sim_engine.errors import ABSENT

_LOCAL = re.compile(r"local(?::([1-9][0-9]{0,3}))?")
_ADDRESS = re.compile(r"(tcp|tls|ws|wss|ucx)://[^/\s]+")
_ANSWERS_WITHIN_SECONDS = 20
_NO_WORKER_FOR = {"distributed.scheduler.no-workers-timeout": "600s"}
"""How long the scheduler of local workers waits for one to come back; others have a setting of their own."""


class WorkersLost(ConnectionError):
    """Dask lost the workers that a chunk was given to, one after the other; or the scheduler."""


class Dask:
    """Workers of Dask; each simulates a chunk in one thread, several if it has several threads.

    client: connected to their scheduler. key: what stated which, as messages name it.
    """

    def __init__(self, client: Client, key: str) -> None:
        self._client, self._key = client, key

    def check(self, store: RawStore) -> None:
        """Raises InputError if there is no worker, or if one does not see the store's folder."""
        try:
            self._client.wait_for_workers(1, timeout=_ANSWERS_WITHIN_SECONDS)
        except TimeoutError:
            raise self._refused("the scheduler has no worker; start some: dask worker ADDRESS --nthreads 1") from None
        seen = _absolute(store.root) / f".seen-by-workers-{uuid4().hex}"
        store.files.write(seen, b"")
        try:
            found = self._client.run(_sees, seen, on_error="return")
        finally:
            store.files.remove([seen])
            store.files.remove_empty(store.root)
        blind = sorted(worker for worker, sees in found.items() if sees is not True)
        if blind:
            why = f" ({' '.join(str(found[blind[0]]).split())})" if isinstance(found[blind[0]], Exception) else ""
            remedy = (
                f"worker {blind[0]} does not see {store.root}{why}; name a store that all machines reach, as "
                "PAYMENT_SIM_STORE=s3://BUCKET/PREFIX, with its credentials in the environment of every worker"
            )
            raise self._refused(remedy)

    def staged(self, chunks: Sequence[ChunkDay], on_member: MemberDone | None) -> Iterator[Staged | Refused]:
        """What became of each chunk, in their order; members of a chunk are told of when all of it is staged."""
        futures = [self._client.submit(_stage, _for_workers(chunk), pure=False, key=_name(chunk)) for chunk in chunks]
        places = {future.key: place for place, future in enumerate(futures)}
        outcomes: dict[int, Staged | Refused] = {}
        wanted = len(futures)
        try:
            for future in as_completed(futures):
                place = places[future.key]
                if place >= wanted:
                    continue
                if future.status == "finished":
                    outcomes[place] = self._result(future)
                    future.release()  # else it would be done again if its worker were lost now
                if not isinstance(outcomes.get(place), Staged):
                    wanted = place + 1
                    self._client.cancel(self._not_begun(futures[wanted:]))
                elif on_member:
                    for _ in chunks[place].members:
                        on_member()
            for place, future in enumerate(futures[:wanted]):
                yield outcomes[place] if place in outcomes else self._result(future)
        finally:
            self._client.cancel(futures)

    def _not_begun(self, futures: Sequence[Future]) -> list[Future]:
        """Those that no worker has. What a worker has would go on all the same, and stage what nobody clears away."""
        begun = {key for keys in self._client.processing().values() for key in keys}
        return [future for future in futures if future.key not in begun]

    def _result(self, future: Future) -> Staged | Refused:
        try:
            result: Staged | Refused = future.result()
            return result
        except KilledWorker as lost:
            raise WorkersLost(
                f"{lost.allowed_failures + 1} workers died of the same chunk, for want of memory perhaps; "
                "make chunk_size smaller, or give workers more memory"
            ) from lost
        except NoWorkerError as lost:
            raise WorkersLost(
                f"no worker was left for {lost.timeout:g} s; start some, and launch again: days before are stored"
            ) from lost
        except CancelledError as lost:
            raise WorkersLost("the Dask scheduler was lost; launch again when it is back") from lost

    def _refused(self, remedy: str) -> InputError:
        return InputError("configuration", [Problem(self._key, ABSENT, remedy)])


def dask_of(stated: str, key: str) -> AbstractContextManager[Dask]:
    """The Dask that is stated: `local`, `local:N`, or a scheduler's address. Raises InputError as fanout_of does.

    key: what states it, as messages name it.
    """
    local = _LOCAL.fullmatch(stated)
    if local:
        return _local_workers(int(local[1] or cores()), key)
    if _ADDRESS.fullmatch(stated):
        return _workers_of(stated, key)
    remedy = "is no Dask; state local, local:N for N workers, or the address of a scheduler, as tcp://HOST:8786"
    raise InputError("configuration", [Problem(key, ABSENT, remedy)])


@contextmanager
def _local_workers(number: int, key: str) -> Iterator[Dask]:
    with (
        dask.config.set(_NO_WORKER_FOR),
        LocalCluster(
            n_workers=number,
            threads_per_worker=1,
            dashboard_address="127.0.0.1:0",  # any port: the usual one may be another cluster's
            scheduler_kwargs={"dashboard": False},
            silence_logs=logging.ERROR,
        ) as cluster,
        Client(cluster) as client,
    ):
        yield Dask(client, key)


@contextmanager
def _workers_of(address: str, key: str) -> Iterator[Dask]:
    try:
        client = Client(address, timeout=_ANSWERS_WITHIN_SECONDS)
    except (OSError, TypeError, ValueError) as error:  # a TypeError, where an address of tls:// has no certificates
        remedy = f"no scheduler answers there ({error}); start one: dask scheduler"
        raise InputError("configuration", [Problem(key, ABSENT, remedy)]) from error
    with client:
        yield Dask(client, key)


def _stage(chunk: ChunkDay) -> Staged | Refused:
    """What a worker does. The states stay in the store: the next day's worker, another perhaps, reads them there."""
    outcome = stage(chunk, threads=1)
    return outcome if isinstance(outcome, Refused) else replace(outcome, closing=())


def _sees(file: Place) -> bool:
    return file.exists()


def _for_workers(chunk: ChunkDay) -> ChunkDay:
    return replace(chunk, store=RawStore(_absolute(chunk.store.root)))


def _absolute(root: Place) -> Place:
    return root.absolute() if is_on_disk(root) else root


def _name(chunk: ChunkDay) -> str:
    """How Dask calls the task: by what it is of, and apart from the same chunk's of an earlier launch."""
    return f"{chunk.run_id}-day-{chunk.day}-chunk-{chunk.number}-{uuid4().hex}"
