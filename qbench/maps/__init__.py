"""Maps of a sensitivity profile: which parts of a model are fragile, as one HTML page, Markdown and figures.

`compute` reads a profile and computes every number once; `charts` draws, `wording` says, and `page` and `markdown` put both together.
"""

import hashlib
import pkgutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from qbench.errors import QBenchError, did_you_mean
from qbench.maps.compute import Maps, compute
from qbench.maps.wording import findings
from qbench.pages.folder import write_folder
from qbench.stats import check_confidence

__all__ = ["DEFAULT_FORMATS", "FORMATS", "Drawn", "Maps", "check_formats", "report"]

FORMATS = {
    "html": "qbench.maps.page:render",
    "md": "qbench.maps.markdown:render",
    "figures": "qbench.maps.charts:render",
}
"""Functions of the maps, imported when asked for. They return the content of ``sensitivity.<name>``, or several files by their names."""
DEFAULT_FORMATS = ("html", "md")


@dataclass(frozen=True)
class Drawn:
    """The maps and the files that they were written to."""

    maps: Maps
    paths: tuple[Path, ...]

    def __str__(self) -> str:
        return "\n".join(findings(self.maps))


def report(
    profile: Path,
    *,
    validation: Sequence[Path] = (),
    out: Path | None = None,
    formats: Sequence[str] = DEFAULT_FORMATS,
    format: str = "",
    confidence: float = 0.95,
    seed: int = 0,
) -> Drawn:
    """Draw what a sensitivity profile says.

    Args:
        profile: file that ``qbench sensitivity`` wrote.
        validation: files ``validation.json`` that ``qbench sensitivity validate`` wrote of mixes of this profile, one for each size.
        out: folder to write to; ``NAME-maps`` beside ``NAME.json`` if not given.
        formats: names of FORMATS; all but ``figures``, which are PDF and SVG for a paper, if not given.
        format: that sentences and verdicts are about; q4 if the profile has it, else the middle one.
        confidence: nominal coverage of every interval.
        seed: of the random orders that a checked order has to beat.

    Raises:
        ProfileError: a file cannot be read, or a validation is of another profile.
    """
    check_formats(formats)
    check_confidence(confidence)
    path = Path(profile)
    maps = compute(path, [*map(Path, validation)], format=format, confidence=confidence, seed=seed)
    contents = {file: content for name in formats for file, content in _rendered(name, maps).items()}
    made_of = hashlib.sha256(repr((maps.sha256, maps.sizes, maps.judged, confidence, seed)).encode()).hexdigest()
    folder = Path(out) if out else path.with_name(f"{path.stem}-maps")
    return Drawn(maps, write_folder(folder, contents, made_of))


def check_formats(formats: Sequence[str]) -> None:
    """Refuse a format that there is not, before anything is computed."""
    for name in formats:
        if name not in FORMATS:
            raise QBenchError(
                f"Maps come in no format {name!r}.{did_you_mean(name, FORMATS)} Choose from {', '.join(FORMATS)}."
            )


def _rendered(name: str, maps: Maps) -> dict[str, bytes]:
    """The files of one format."""
    content = pkgutil.resolve_name(FORMATS[name])(maps)
    return dict(content) if isinstance(content, Mapping) else {f"sensitivity.{name}": content.encode()}
