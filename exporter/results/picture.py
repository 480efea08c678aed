"""What every picture of matplotlib has in common: whether it is here, fonts, and a file that appears whole.

matplotlib is an optional dependency (group `report`) and is loaded when a picture is made; only its object
interface is used, so nothing is left behind in pyplot.
"""

import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from exporter.errors import ConfigurationError, ToolMissingError
from exporter.plain_text import one_line
from exporter.results.replacing import replace_file

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = ("png", "svg", "pdf")
_JAPANESE_FONTS = (
    "Noto Sans CJK JP",
    "Noto Sans JP",
    "IPAexGothic",
    "IPAGothic",
    "TakaoGothic",
    "VL Gothic",
    "WenQuanYi Zen Hei",
    "Droid Sans Fallback",
    "Hiragino Sans",
    "Yu Gothic",
    "MS Gothic",
)


def can_draw() -> bool:
    """Whether matplotlib is installed."""
    return find_spec("matplotlib") is not None


def check_matplotlib() -> None:
    """Raise ToolMissingError where matplotlib cannot be loaded."""
    try:
        import matplotlib  # noqa: F401, PLC0415 - optional, and slow to load
    except ImportError as error:
        raise ToolMissingError(f"plots need matplotlib ({error}): pip install matplotlib") from error


def picture_kind(path: Path) -> str:
    """The format that a picture's name asks for; raises ConfigurationError for another."""
    kind = path.suffix.lower().removeprefix(".")
    if kind not in FORMATS:
        raise ConfigurationError(f"{path}: a picture's name must end in .{' or .'.join(FORMATS)}")
    return kind


@contextmanager
def drawing() -> Iterator[None]:
    """While a picture is made and written: its own fonts, and no setting of the user's.

    The user's own matplotlibrc (TeX for all text, a dark background) must not decide whether this works.
    """
    import matplotlib  # noqa: PLC0415

    with matplotlib.rc_context(), warnings.catch_warnings():
        matplotlib.rcdefaults()
        matplotlib.rcParams["font.family"] = _font_families()
        # A character that no font has is drawn as a box, and the picture says so.
        warnings.filterwarnings("ignore", message="Glyph")
        yield


def save_picture(figure: "Figure", path: Path, kind: str) -> None:
    """Write a figure in one step; raises ConfigurationError where it cannot be written."""
    picture = BytesIO()
    figure.savefig(picture, format=kind)
    replace_file(path, picture.getvalue(), "the picture")


def _font_families() -> list[str]:
    """matplotlib's own font, and behind it those here that have Japanese."""
    from matplotlib.font_manager import fontManager  # noqa: PLC0415

    installed = set(fontManager.get_font_names())
    return ["DejaVu Sans", *(name for name in _JAPANESE_FONTS if name in installed)]


def lacking(texts: Iterable[str]) -> bool:
    """Whether any character is in none of the fonts."""
    from matplotlib.font_manager import FontProperties, findfont, get_font  # noqa: PLC0415

    fonts = [get_font(findfont(FontProperties(family=[name]))) for name in _font_families()]
    characters = set(one_line("".join(texts)))
    return any(not any(font.get_char_index(ord(each)) for font in fonts) for each in characters)
