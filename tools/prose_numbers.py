"""Find the numbers in a chapter's prose that nothing in the chapter computes.

A number may stand in prose if an output prints it, rounded or as a percentage, or if the chapter's code
has just this number or share, or if it is small and whole, or a year, or part of a formula. What else is
allowed stands in `KNOWN` with its source.
"""

import re
from collections.abc import Iterable, Iterator

LARGEST_PLAIN = 20  # whole numbers up to here are words of the language
SIZES = {"24", "32", "64", "128", "192", "255", "256", "512"}  # of pictures, blocks, sample values, Kodak
NUMBER = re.compile(r"(?<![\w.^_{\\/-])(\d{1,3}(?:,\d{3})+|\d+(?:\.\d+)?)(?!\w)")
YEAR = re.compile(r"(?:19|20)\d\d")
SILENT = (  # what is no claim: code, formulas, links, markup, the line about seconds
    re.compile(r"```.*?```", re.DOTALL),
    re.compile(r"`[^`]*`"),
    re.compile(r"\$\$.*?\$\$", re.DOTALL),
    re.compile(r"\$[^$]*\$"),
    re.compile(r"\]\([^)]*\)"),
    re.compile(r"<[^>]*>"),
    re.compile(r"\*\*Runs in\*\*[^.]*"),
    re.compile(r"## Further reading.*", re.DOTALL),
)
KNOWN: dict[str, dict[str, str]] = {  # by the chapter's title: what says so
    "A second network that does not believe it": {
        "95": "Rippel and Bourdev 2017, section 3.3",
    },
    "Benchmark: every codec on the same pictures": {
        "6.5": "255^2 / 10^4",
        "0.05": "10 log10(1 + 1 / (12 * 6.5))",
    },
    "Around a codec": {"4096": "512^2 / 64"},
    "Conditional probabilities": {
        "169": "128 channels of 64 x 64 symbols, log2(6) bits each",
        "0.0001": "-log2 of a table's largest probability, 1 - 5 / 2^16 at least",
        "200": "Mentzer et al. 2018, section 4",
        "196608": "64 * 96 * 32",
        "190": "64 + 96 + 32 - 2",
    },
    "Context models: what the neighbours already say": {"3840": "ultra HD", "2160": "ultra HD"},
    "Decode anywhere: integers, containers, hostile bytes": {
        "279": "CompressAI's issue",
        "118": "DCVC's issue",
        "150": "DCVC's issue",
        "0.01": "PyTorch's default for LeakyReLU",
    },
    "Entropy: what a symbol costs": {"786432": "3 * 512^2", "1022": "2 * 511"},
    "GDN: dividing by the neighbours": {"0.001": "the root of 10^-6"},
    "GDN in a recurrent codec, and a figure with wrong rates": {"0.25": "2 / 8"},
    "One file, cut anywhere": {"1100": "12 in binary"},
    "Transforms: from the DCT to a first autoencoder": {"0.01": "a value that papers state, for instance"},
    "Range coding: fractions of a bit in whole bytes": {"1.7": "1 / 0.585"},
    "Rate control": {"280": "3.3 / (0.005 (10 / 3 - 1))"},
}


def unsupported(title: str, prose: list[str], code: list[str], printed: list[str]) -> Iterator[str]:
    """Yield the numbers in prose, with a few words around each, that nothing supports."""
    written, shown = ({float(n) for part in parts for n in numbers_in(part)} for parts in (code, printed))
    exact = written | {round(100 * share, 9) for share in written if share <= 1}
    allowed = KNOWN.get(title, {})
    for part in prose:
        for pattern in SILENT:
            part = pattern.sub(" ", part)
        for match in NUMBER.finditer(part):
            text = match.group().replace(",", "")
            if text in allowed or is_plain(text) or float(text) in exact or is_supported(text, shown):
                continue
            around = part[max(0, match.start() - 30) : match.end() + 20]
            yield f"{match.group()} in '{' '.join(around.split())}'"


def numbers_in(text: str) -> list[str]:
    """All numbers of code or of an output, without the commas of thousands."""
    return re.findall(r"\d+(?:\.\d+)?", re.sub(r"(?<=\d)[,_](?=\d{3})", "", text))


def is_plain(text: str) -> bool:
    """Whether it is a small whole number or a year."""
    if "." in text:
        return False
    return float(text) <= LARGEST_PLAIN or text in SIZES or YEAR.fullmatch(text) is not None


def is_supported(text: str, values: Iterable[float]) -> bool:
    """Whether it is one of the values rounded, or one of the shares among them in percent."""
    digits = len(text.partition(".")[2])
    value, slack = float(text), 0.5 * 10**-digits + 1e-9
    return any(abs(v - value) <= slack or (v <= 1 and abs(100 * v - value) <= slack) for v in values)
