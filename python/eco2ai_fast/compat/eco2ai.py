"""eco2AI 0.3.12: its modules and names, and where each one stands here."""

from __future__ import annotations

from .installer import detached, resolve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# The version that is stood in for.
VERSION = "0.3.12"

_ERRORS = "tracking.errors:"
_UTILS = "compat.eco2ai_utils:"
_DEVICES = "compat.eco2ai_devices:"

_CPU = {
    "CPU": f"{_DEVICES}CPU",
    "all_available_cpu": f"{_DEVICES}all_available_cpu",
}
_GPU = {
    "GPU": f"{_DEVICES}GPU",
    "all_available_gpu": f"{_DEVICES}all_available_gpu",
}
_RAM = {"RAM": f"{_DEVICES}RAM"}
_PARAMETERS = {
    "set_params": f"{_UTILS}set_params",
    "get_params": f"{_UTILS}get_params",
}
_TRACKER = {
    "Tracker": "tracker:Tracker",
    "track": "tracked:track",
    "__version__": "compat.eco2ai:VERSION",
}
_ENCODING = {
    "encode": f"{_UTILS}encode",
    "encode_dataframe": f"{_UTILS}encode_dataframe",
    "is_file_opened": f"{_UTILS}is_file_opened",
    "electricity_pricing_check": f"{_UTILS}electricity_pricing_check",
    "calculate_price": f"{_UTILS}calculate_price",
    "define_carbon_index": f"{_UTILS}define_carbon_index",
}

MODULES: dict[str, dict[str, str]] = {
    "eco2ai": _TRACKER
    | _CPU
    | _GPU
    | _RAM
    | _PARAMETERS
    | {
        "available_devices": f"{_DEVICES}available_devices",
        "summary": f"{_UTILS}summary",
    },
    "eco2ai.utils": _PARAMETERS
    | _ENCODING
    | {
        "all_available_cpu": f"{_DEVICES}all_available_cpu",
        "all_available_gpu": f"{_DEVICES}all_available_gpu",
        "available_devices": f"{_DEVICES}available_devices",
        "summary": f"{_UTILS}summary",
        "FileDoesNotExistsError": f"{_ERRORS}FileDoesNotExistsError",
        "NotNeededExtensionError": f"{_ERRORS}NotNeededExtensionError",
        "NoCountryCodeError": f"{_ERRORS}NoCountryCodeError",
        "IncorrectPricingDict": f"{_ERRORS}IncorrectPricingDict",
    },
    "eco2ai.emission_track": _TRACKER
    | _CPU
    | _GPU
    | _RAM
    | _PARAMETERS
    | _ENCODING
    | {
        "IncorrectMethodSequenceError": f"{_ERRORS}IncorrectMethodSequenceError",
        "FileDoesNotExistsError": f"{_ERRORS}FileDoesNotExistsError",
        "NotNeededExtensionError": f"{_ERRORS}NotNeededExtensionError",
        "FROM_mWATTS_TO_kWATTH": f"{_DEVICES}MJ_PER_KWH",
        "FROM_kWATTH_TO_MWATTH": f"{_DEVICES}KWH_PER_MWH",
    },
    "eco2ai.MLTracker": {},
    "eco2ai.tools": {},
    "eco2ai.tools.tools_cpu": _CPU
    | {
        "number_of_cpu": f"{_DEVICES}number_of_cpu",
        "find_tdp_value": f"{_DEVICES}find_tdp_value",
        "find_tdp_value_2": f"{_DEVICES}find_tdp_value",
        "get_cpu_percent_linux": f"{_DEVICES}get_cpu_percent",
        "get_cpu_percent_mac_os": f"{_DEVICES}get_cpu_percent",
        "get_cpu_percent_windows": f"{_DEVICES}get_cpu_percent",
        "NoCPUinTableWarning": f"{_ERRORS}NoCPUinTableWarning",
        "NoNeededLibrary": f"{_ERRORS}NoNeededLibrary",
        "CONSTANT_CONSUMPTION": f"{_DEVICES}UNKNOWN_TDP_W",
        "FROM_WATTs_TO_kWATTh": f"{_DEVICES}J_PER_KWH",
    },
    "eco2ai.tools.tools_gpu": _GPU
    | {
        "is_gpu_available": f"{_DEVICES}is_gpu_available",
        "NoGPUWarning": f"{_ERRORS}NoGPUWarning",
        "FROM_mWATTS_TO_kWATTH": f"{_DEVICES}MJ_PER_KWH",
    },
    "eco2ai.tools.tools_ram": _RAM | {"FROM_WATTs_TO_kWATTh": f"{_DEVICES}J_PER_KWH"},
}

# The original's internals that have no counterpart: how it cleans a processor's name to look it up in its table.
WITHOUT_COUNTERPART = frozenset(
    {
        "CPU_TABLE_NAME",
        "NUM_CALCULATION",
        "find_max_tdp",
        "get_patterns",
        "transform_cpu_name",
        "transform_cpu_name_2",
    }
)


def attribute(name: str) -> Any:
    """`eco2ai.NAME` for `import eco2ai_fast as eco2ai`: a name of the package, or one of its submodules."""
    if name in MODULES["eco2ai"] and not name.startswith("_"):
        return resolve(MODULES["eco2ai"][name])
    if f"eco2ai.{name}" in MODULES:
        return detached(f"eco2ai.{name}")
    raise AttributeError(f"module 'eco2ai_fast' has no attribute {name!r}")
