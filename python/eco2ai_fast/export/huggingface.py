"""The `co2_eq_emissions` of a Hugging Face model card.

Form: huggingface/hub-docs, docs/hub/model-cards-co2.md. `emissions` is in grams, and the Hub takes the first number of
its text, so that it must not have an exponent, not even after a parser. YAML 1.1 and 1.2 read the strings here alike.
"""

from __future__ import annotations

import json

from ..report.total import Total
from ..report.wording import decimal, intensity, tool

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any


def text(records: Sequence[Mapping[str, Any]]) -> str:
    """The front matter of a model card. Raises ValueError where the grams are unknown: a card has no word for that."""
    total = Total(records)
    if total.co2e_g is None:
        raise ValueError("no grams are known of these records, and a model card cannot say so")
    fields = {
        "emissions": _amount(total.co2e_g),
        "source": _quoted(_source(total)),
        "training_type": _quoted(", ".join(total.stages()) or "unknown"),
        "geographical_location": _quoted(", ".join(total.places()) or "unknown"),
        "hardware_used": _quoted(", ".join(total.hardware()) or "unknown"),
    }
    return "---\nco2_eq_emissions:\n" + "".join(f"  {key}: {value}\n" for key, value in fields.items()) + "---\n"


def _amount(grams: float) -> str:
    """A number; but text where a reader that parses it and writes it again would come to an exponent.

    huggingface_hub 2.4.0 searches `str()` of the parsed value: of 0.0000115 that is "1.15e-05", read as 1.15 grams.
    """
    text = decimal(grams)
    return f'"{text}"' if "e" in str(grams) else text


def _source(total: Total) -> str:
    how = "of unknown provenance" if total.provenance == "unknown" else total.provenance
    tools = dict.fromkeys(tool(record) for record in total.records)
    factors = dict.fromkeys(intensity(record["intensity"]) for record in total.records)
    return "; ".join([*tools, f"energy {how}", *factors, *total.attribution])


def _quoted(value: str) -> str:
    """A double-quoted scalar: JSON's, with every character that YAML counts as a break or does not allow escaped."""
    readable = value.encode("utf-8", "replace").decode()  # half of a surrogate pair is no character
    text = json.dumps(readable, ensure_ascii=False)
    return "".join(letter if letter.isprintable() else _escape(letter) for letter in text)


def _escape(letter: str) -> str:
    return f"\\u{ord(letter):04x}" if ord(letter) < 0x10000 else f"\\U{ord(letter):08x}"
