"""ThreatExchange: videos as the signal type `vcd`, for `tx` and Hasher-Matcher-Actioner (HMA).

``tx config extensions add vcd.integrations.threatexchange`` adds it. Needs the extra
`threatexchange`.
"""

from vcd.errors import MissingExtraError

try:
    from threatexchange.extensions.manifest import ThreatExchangeExtensionManifest
except ModuleNotFoundError as error:
    raise MissingExtraError(
        "ThreatExchange is not installed", remedy='pip install "vcd-engine[threatexchange]"'
    ) from error

from vcd.integrations.threatexchange.signal import VcdIndex, VcdMatchInfo, VcdSignal

__all__ = ["TX_MANIFEST", "VcdIndex", "VcdMatchInfo", "VcdSignal"]

TX_MANIFEST = ThreatExchangeExtensionManifest(signal_types=(VcdSignal,))
