"""What all tests share: made records, the demo and its cache, a browser, the shared data."""

import fcntl
import os

# Every worker process has one core to itself: threads of one would wait for those of another.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pickle
import shutil
import sys
from pathlib import Path

import pytest
from hypothesis import settings

# Machines differ in speed: a property holds or not, however long an example takes.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "vcd"))


BROWSER_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1200,1400",
)


def _shared_folder():
    return Path(os.environ.get("VCD_SHARED", ROOT.parent / "shared"))


def pytest_collection_modifyitems(items):
    if (_shared_folder() / "haystack").is_dir():
        return
    skip = pytest.mark.skip(reason="the shared data folder is not here")
    for item in items:
        if "shared" in item.keywords:
            item.add_marker(skip)


@pytest.fixture(autouse=True)
def ordinary_priority():
    """Take back what the AV1 encoder takes from root: the process would run in real time.

    SVT-AV1 sets the whole calling thread to SCHED_FIFO, and all that it starts inherits that: two
    such test processes and their browsers on two cores starve each other for good.
    """
    yield
    if hasattr(os, "sched_setscheduler") and os.sched_getscheduler(0) != os.SCHED_OTHER:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


@pytest.fixture(scope="session")
def shared():
    """Return the folder of shared data."""
    return _shared_folder()


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory, worker_id):
    """Return a folder that all worker processes of this run of the tests share."""
    folder = tmp_path_factory.getbasetemp()
    return folder if worker_id == "master" else folder.parent


@pytest.fixture(scope="session")
def demo(run_folder):
    """Return the media of `vcd demo`, made once by whichever process needs them first."""
    from vcd_eval.demo import make_demo

    with (run_folder / "demo.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        made = run_folder / "demo.pickle"
        if not made.exists():
            made.write_bytes(pickle.dumps(make_demo(run_folder / "demo")))
        return pickle.loads(made.read_bytes())


@pytest.fixture(scope="session")
def cache_folder(run_folder):
    """Return one cache for all tests that describe the demo's media."""
    folder = run_folder / "cache"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="module")
def chromium(tmp_path_factory, run_folder):
    """Return a browser under control; tests are skipped where there is none."""
    webdriver = pytest.importorskip("selenium.webdriver")
    binary = shutil.which("chromium") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if binary is None or driver is None:
        pytest.skip("Chromium and chromedriver are not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for flag in (*BROWSER_FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    with (run_folder / "browser.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two at once starve each other on a small machine
        chrome = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
        yield chrome
        chrome.quit()
