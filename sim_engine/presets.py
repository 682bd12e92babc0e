"""Rules of settlement by the name of a real system: what a scenario's `preset` stands for.

docs/presets.md says of each switch which public rule it follows, how well that is known, and what is left out.
"""

from collections.abc import Mapping
from typing import Any, Literal, get_args

PresetName = Literal["plain_rtgs", "t2", "chaps", "rits", "lynx"]

PRESETS: dict[str, dict[str, dict[str, object]]] = {
    "plain_rtgs": {
        "queue2": {"discipline": "bypass", "entry": "settle"},
        "lsm": {
            "bilateral": False,
            "ring": False,
            "gridlock": False,
            "entry_offset": False,
            "bilateral_max_payments": None,
            "every_ticks": 1,
        },
    },
    "t2": {
        "queue2": {"discipline": "bypass", "entry": "settle"},
        "lsm": {
            "bilateral": True,
            "ring": False,
            "gridlock": True,
            "entry_offset": True,
            "bilateral_max_payments": None,
            "every_ticks": 1,
        },
    },
    "chaps": {
        "queue2": {"discipline": "bypass", "entry": "settle_urgent"},
        "lsm": {
            "bilateral": True,
            "ring": False,
            "gridlock": True,
            "entry_offset": False,
            "bilateral_max_payments": None,
            "every_ticks": 2,
        },
    },
    "rits": {
        "queue2": {"discipline": "bypass", "entry": "settle"},
        "lsm": {
            "bilateral": True,
            "ring": False,
            "gridlock": False,
            "entry_offset": False,
            "bilateral_max_payments": 10,
            "every_ticks": 1,
        },
    },
    "lynx": {
        "queue2": {"discipline": "bypass", "entry": "settle"},
        "lsm": {
            "bilateral": True,
            "ring": False,
            "gridlock": True,
            "entry_offset": False,
            "bilateral_max_payments": None,
            "every_ticks": 1,
        },
    },
}
"""By name and key of a scenario file, the switches of that system."""

assert get_args(PresetName) == tuple(PRESETS)


def with_preset(raw: Mapping[str, Any]) -> dict[str, Any]:
    """A scenario as its file states it, with the switches of its preset where the file states none.

    What is no preset, or stands where switches should, is left for the models to refuse.
    """
    resolved = dict(raw)
    name = raw.get("preset")
    switches = PRESETS.get(name, {}) if isinstance(name, str) else {}
    for key, preset in switches.items():
        stated = raw.get(key, {})
        if isinstance(stated, dict):
            resolved[key] = stated | {switch: value for switch, value in preset.items() if switch not in stated}
    return resolved
