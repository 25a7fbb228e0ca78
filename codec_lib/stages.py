"""The stages of a file: which of a model's sections it has, and how many groups of them make a picture.

A model says which sections belong together (`Model.stages`). A whole file has them all, a truncated one
has those of the first stages; any other choice of sections is no file. Sections that only some files of a
model have (`Model.optional`) are a stage each, after them. The low bytes of 16-bit samples, of which no
model knows, are one more stage, the last.
"""

from dataclasses import dataclass

from codec_lib import container, picture, weights
from codec_lib.container import File
from codec_lib.errors import BitstreamError, SectionError, is_number, shown
from codec_lib.header import MAX_PIXELS, Header


@dataclass(frozen=True)
class Staged:
    """A file beside the weights that it was written with.

    `groups` are the names of the sections of each stage that the file has, `whole` is how many stages it
    had when it was written.
    """

    file: File
    trained: weights.Trained
    groups: tuple[tuple[str, ...], ...]
    whole: int

    @property
    def header(self) -> Header:
        """What the file says about itself."""
        return self.file.header

    @property
    def promise(self) -> int | None:
        """The largest error of any sample; None for a truncated file, or where nothing is promised."""
        if len(self.groups) < self.whole:
            return None
        return self.trained.model.promise(self.header.value)

    @property
    def beside(self) -> list[str]:
        """Names of the sections that belong to no stage, such as alpha."""
        return [name for name in self.file.names if name in picture.BESIDE]

    def names(self, count: int) -> list[str]:
        """The sections of the first `count` stages, after those beside them."""
        return [*self.beside, *(name for group in self.groups[:count] for name in group)]

    def size(self, count: int) -> int:
        """Bytes of a file that has the first `count` stages only."""
        lengths = {section.name: section.length for section in self.file.sections}
        empty = container.write(self.header, dict.fromkeys(self.names(count), b""))
        return len(empty) + sum(lengths[name] for name in self.names(count))

    def take(self, count: int) -> dict[str, bytes]:
        """The sections beside the stages and those of the first `count`.

        Raises SectionError for the first that is damaged; it says how many stages are intact.
        """
        try:
            return self.file.take(self.names(count))
        except SectionError as error:
            intact = 0
            while intact < count and set(self.groups[intact]) <= set(self.file.intact):
                intact += 1
            if intact == 0 or error.section in picture.BESIDE:
                raise
            hint = f"{intact} of {count} stages {'is' if intact == 1 else 'are'} intact"
            raise SectionError(error.section, f"{error.reason} ({hint})") from None

    def check(self, stages: int | None) -> int:
        """A number of stages that the file has, all of them for None; ValueError for another."""
        count = len(self.groups)
        if stages is None:
            return count
        if not (is_number(stages) and stages in range(1, count + 1)):
            raise ValueError(f"stages: {shown(stages)}; the file has {count}")
        return int(stages)


def read(data: bytes, device: str = "cpu", max_pixels: int = MAX_PIXELS) -> Staged:
    """A file with an intact header, and its weights on a device.

    Raises BitstreamError when there are no such weights here, or when its sections are not those of the
    first stages of such a file.
    """
    file = container.read(data, max_pixels)
    header = file.header
    trained = _weights_of(header, device)
    required = picture.required_sections(header.mode)
    last = tuple((name,) for name in required if name in picture.REFINING)
    more = tuple((name,) for name in trained.model.optional if name in file.names)
    whole = (*trained.model.stages(header.value), *more, *last)
    count = 0
    while count < len(whole) and set(whole[count]) <= set(file.names):
        count += 1
    beside = set(required) - set(picture.REFINING)
    expected = beside.union(*whole[:count])
    if count == 0 or expected != set(file.names) - set(picture.OPTIONAL):
        held = sorted(beside.union(*whole))
        raise BitstreamError(f"sections: {sorted(file.names)}; a file of {header.model} has {held}")
    return Staged(file, trained, whole[:count], len(whole))


def _weights_of(header: Header, device: str) -> weights.Trained:
    trained = weights.of_file(header.model, header.weights, device)
    if trained.probabilities != header.probabilities:
        raise BitstreamError(
            f"probabilities: file needs {header.probabilities}, here are {trained.probabilities}"
        )
    setting = trained.model.setting
    if header.setting != setting.name:
        raise BitstreamError(f"setting: {header.setting!r}; {header.model} has {setting.name}")
    try:
        setting.check(header.value)
    except ValueError as error:
        raise BitstreamError(str(error)) from None
    return trained
