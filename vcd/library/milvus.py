"""The index of collections too large for one machine: positions in Milvus, embedded or a server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from vcd.errors import MissingExtraError, OutputError
from vcd.library.index import NOTHING, ExhaustiveIndex, Ids
from vcd.records import FloatArray

__all__ = ["MilvusIndex"]

_POSITION, _VECTOR = "position", "vector"
_AT_ONCE = 64  # vectors in a search


class MilvusIndex:
    """Finds near positions in a collection of Milvus, which may lie on many machines.

    Parameters
    ----------
    address : str
        Of a server or cluster (``http://host:19530``, also with ``user:password@``), or a file
        ``*.db`` that Milvus Lite keeps.
    collection : str
        Its name there.

    Raises
    ------
    MissingExtraError
        pymilvus is not installed.
    OSError
        The server cannot be reached, or holds no such collection.
    """

    name = "Milvus"
    exact = False

    def __init__(self, address: str, collection: str) -> None:
        self.address, self.collection = address, collection
        self._client = _connect(address)
        with _told(address):
            if not self._client.has_collection(collection):
                raise FileNotFoundError(f"{address} holds no collection {collection}")
            self._client.load_collection(collection)
            count = self._client.query(collection, "", output_fields=["count(*)"])
        self._count = int(count[0]["count(*)"])

    @classmethod
    def build(
        cls, address: str, collection: str, positions: ExhaustiveIndex, dimensions: int
    ) -> MilvusIndex:
        """Put the positions of an exhaustive index into a new collection.

        Raises
        ------
        MissingExtraError
            pymilvus is not installed.
        OutputError
            The server cannot be reached or takes nothing.
        """
        from pymilvus import DataType

        client = _connect(address)
        try:
            with _told(address):
                schema = client.create_schema(auto_id=True)
                schema.add_field("number", DataType.INT64, is_primary=True)
                schema.add_field(_POSITION, DataType.INT64)
                schema.add_field(_VECTOR, DataType.FLOAT_VECTOR, dim=dimensions)
                wanted = client.prepare_index_params()
                wanted.add_index(_VECTOR, index_type="AUTOINDEX", metric_type="IP")
                client.create_collection(collection, schema=schema, index_params=wanted)
                first = 0
                for ids, _ in positions.batches():
                    rows = positions.vectors(np.arange(first, first + len(ids)))
                    first += len(ids)
                    client.insert(
                        collection,
                        [
                            {_POSITION: position, _VECTOR: row}
                            for position, row in zip(ids.tolist(), rows.tolist(), strict=True)
                        ],
                    )
                client.flush(collection)
            return cls(address, collection)
        except OSError as error:
            raise OutputError(
                f"Milvus cannot keep the index ({error})",
                file=address,
                remedy="check its address, and that it runs",
            ) from error

    def drop(self) -> None:
        """Remove the collection."""
        with _told(self.address):
            self._client.drop_collection(self.collection)

    def __len__(self) -> int:
        return self._count

    def search(self, vectors: FloatArray, count: int) -> tuple[FloatArray, Ids]:
        """Return the nearest positions of each vector, as `vcd.library.index.Index` says."""
        cosines = np.full((len(vectors), count), -1, np.float32)
        ids = np.full((len(vectors), count), NOTHING, np.int64)
        for first in range(0, len(vectors), _AT_ONCE):
            with _told(self.address):
                answers = self._client.search(
                    self.collection,
                    vectors[first : first + _AT_ONCE].tolist(),
                    limit=count,
                    output_fields=[_POSITION],
                )
            for row, hits in enumerate(answers, first):
                cosines[row, : len(hits)] = [hit["distance"] for hit in hits]
                ids[row, : len(hits)] = [hit["entity"][_POSITION] for hit in hits]
        return cosines, ids


def _connect(address: str) -> Any:
    try:
        from pymilvus import MilvusClient
    except ImportError as error:
        raise MissingExtraError(
            "the index lies in Milvus, whose client is not installed",
            remedy='pip install "vcd-engine[milvus]"',
        ) from error
    with _told(address):
        return MilvusClient(address)


@contextmanager
def _told(address: str) -> Iterator[None]:
    """Turn Milvus's errors into OSError, which is what an index on disk raises, too."""
    from pymilvus.exceptions import MilvusException

    try:
        yield
    except MilvusException as error:
        raise ConnectionError(f"{address}: {error.message}") from error
