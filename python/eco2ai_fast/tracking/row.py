"""The line of a run in the CSV file: eco2AI's thirteen columns, its forms of text and its obfuscation."""

from __future__ import annotations

from _csv import writer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# The file format of eco2AI 0.3.12, in its order.
COLUMNS = (
    "id",
    "project_name",
    "experiment_description",
    "epoch",
    "start_time",
    "duration(s)",
    "power_consumption(kWh)",
    "CO2_emissions(kg)",
    "CPU_name",
    "GPU_name",
    "OS",
    "region/country",
    "cost",
)
# Outside training there are no epochs.
NO_EPOCH = "N/A"

# The obfuscation of `encode_file`: both streams are cut into fives and laid in turn, left before right; every letter
# becomes the one five places on. The two dots begin a five that has no other two; what has no successor stays.
_LEFT = "··0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ!#$%&()*+-./:;<=>"
_RIGHT = "?@[\\]^_`{|}~ йцукенгшщзхъфывапролджэячсмитьбюёЁЙЦУКЕНГШЩЗХЪФЫВАПРОЛДЖЭЯЧСМИТЬБЮ="


class _Lines:
    """What a csv writer writes to."""

    __slots__ = ("write",)

    def __init__(self, written: list[str]) -> None:
        self.write = written.append


def line(cells: Iterable[str]) -> str:
    """One CSV line with its newline; quotes only where they are needed.

    A NUL becomes the replacement character: Python 3.10's csv and many other readers stop at one.
    """
    written: list[str] = []
    # The writer quotes the letters of its line end: with both, a lone carriage return is quoted too.
    writer(_Lines(written), lineterminator="\r\n").writerow([cell.replace("\0", "\ufffd") for cell in cells])
    return f"{written[0][:-2]}\n"


HEADER = line(COLUMNS)


def encode(text: str) -> str:
    """`text` in the letters of `encode_file`: an obfuscation, no encryption."""
    return text.translate(_substitution())


def epoch_cell(epoch: int, parameters: Mapping[object, object]) -> str:
    """`epoch: 1, loss: 0.5, `, with the comma and space that eco2AI leaves at the end."""
    pairs = [("epoch", epoch), *parameters.items()]
    return "".join(f"{name}: {value}, " for name, value in pairs)


def _substitution() -> dict[int, str]:
    """Left becomes right in the same place; right becomes left one five later."""
    left = list(zip(_LEFT, _RIGHT, strict=False))
    right = list(zip(_RIGHT, _LEFT[5:], strict=False))
    # A letter that stands twice keeps its first successor.
    return {ord(letter): successor for letter, successor in reversed(left + right) if letter != "·"}
