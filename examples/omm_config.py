"""Configuration of HMA (Hasher-Matcher-Actioner) with the signal type `vcd`.

Install vcd where HMA runs, pip install "vcd-engine[threatexchange]", and name this file in the
environment variable OMM_CONFIG.
"""

import os

from OpenMediaMatch.storage.postgres.impl import DefaultOMMStore
from threatexchange.content_type.photo import PhotoContent
from threatexchange.content_type.video import VideoContent
from threatexchange.exchanges.impl.file_api import LocalFileSignalExchangeAPI
from threatexchange.signal_type.md5 import VideoMD5Signal
from threatexchange.signal_type.pdq.signal import PdqSignal

from vcd.integrations.threatexchange import VcdSignal

DATABASE_URI = os.environ.get(
    "HMA_DATABASE", "postgresql+psycopg2://media_match:media_match@localhost/media_match"
)

PRODUCTION = True
ROLE_HASHER = ROLE_MATCHER = ROLE_CURATOR = True
UI_ENABLED = False
TASK_FETCHER = TASK_INDEXER = TASK_INDEX_CACHE = True

MAX_REMOTE_FILE_SIZE = 500 * 1024 * 1024

STORAGE_IFACE_INSTANCE = DefaultOMMStore(
    signal_types=[PdqSignal, VideoMD5Signal, VcdSignal],
    content_types=[PhotoContent, VideoContent],
    exchange_types=[LocalFileSignalExchangeAPI],
)
