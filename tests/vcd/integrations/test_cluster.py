"""A cluster of several nodes gives what one process gives, and a node that dies loses nothing."""

import pytest

ray = pytest.importorskip("ray")
cluster_utils = pytest.importorskip("ray.cluster_utils")

from vcd.collection import Added, add_files
from vcd.engine import Engine
from vcd.errors import ContractError, MediaNotFoundError
from vcd.integrations.cluster import ClusterEngine
from vcd.library import Library

pytestmark = pytest.mark.filterwarnings("ignore")  # Ray's own


@pytest.fixture(scope="module")
def cluster():
    patient = {"agent_register_timeout_ms": 300_000}  # of a machine that is busy with other tests
    small = {"object_store_memory": 80_000_000, "include_dashboard": False}
    cluster = cluster_utils.Cluster(
        initialize_head=True, head_node_args={"num_cpus": 0, "_system_config": patient, **small}
    )
    nodes = [cluster.add_node(num_cpus=1, **small) for _ in range(2)]
    cluster.wait_for_nodes()
    yield cluster, nodes
    ray.shutdown()
    cluster.shutdown()


def test_a_node_that_dies_loses_nothing(cluster, demo, tmp_path, cache_folder):
    nodes, alone = cluster[1], Engine(cache=cache_folder)
    engine = ClusterEngine(cluster[0].address, cache=None)
    assert engine.jobs == 2
    with Library(tmp_path / "one.vcdlib") as one, Library(tmp_path / "many.vcdlib") as many:
        add_files(alone, one, demo.folder, on_error=pytest.fail)
        killed = []

        def kill(source):
            if not killed:
                killed.append(source)
                cluster[0].remove_node(nodes[0], allow_graceful=False)

        added = add_files(engine, many, demo.folder, on_error=pytest.fail, on_done=kill)
        assert added == Added(described=len(one))
        assert killed
        assert many.video_ids() == one.video_ids()
        for video in one:
            assert many.get(video.video_id).to_bytes() == video.to_bytes()
        again = add_files(engine, many, demo.folder, on_error=pytest.fail)
        assert again == Added(unchanged=len(one))
        query = alone.describe(demo.folder / "queries" / "faster.mp4")
        found = engine.match(query, many, on_error=pytest.fail)
        assert found == alone.match(query, one, on_error=pytest.fail)
        assert len(found) >= 2  # itself and its reference
    with pytest.raises(MediaNotFoundError, match="no such file"):
        engine.describe(tmp_path / "nothing.mp4")
    engine.close()


def test_no_cluster_at_an_address(monkeypatch):
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", lambda **_: (_ for _ in ()).throw(ConnectionError("refused")))
    with pytest.raises(ContractError, match="no cluster at nowhere:1"):
        ClusterEngine("nowhere:1")
