"""Check the built site: `python -m tools.check_site _build/html`.

Every internal link, anchor and picture resolves; every page has a title and one main heading; every
picture has alt text; a page loads nothing from another host, except from those of `ALLOWED_HOSTS`.
"""

import argparse
import re
import sys
from collections import Counter
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

# Hosts that a page may load scripts, styles, fonts or pictures from. None: formulas are typeset when the
# book is built.
ALLOWED_HOSTS: frozenset[str] = frozenset()

LOADS = {
    "img": ("src", "srcset"), "source": ("src", "srcset"), "script": ("src",), "iframe": ("src",),
    "video": ("src",), "audio": ("src",), "embed": ("src",), "object": ("data",), "input": ("src",),
    "g": ("data-src",),  # the crop behind a point of a drawing
}  # fmt: skip
LOADING_LINKS = {
    "stylesheet",
    "icon",
    "preload",
    "modulepreload",
    "prefetch",
    "manifest",
    "preconnect",
}
CSS_URL = re.compile(r"""url\(\s*["']?([^"')]+)|@import\s+["']([^"']+)""")
NOT_ALT = re.compile(r"(^|/)[^/ ]+\.(png|svg|jpe?g|webp|gif)$", re.IGNORECASE)


@dataclass
class Page(HTMLParser):
    """What one HTML file defines (ids), points to (links), loads (resources) and shows."""

    path: Path
    ids: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    resources: list[str] = field(default_factory=list)
    bad_pictures: list[str] = field(default_factory=list)
    pictures: int = 0
    headings: int = 0
    title: str = ""

    def __post_init__(self) -> None:
        super().__init__()
        self._inside = ""
        self._in_article = False  # outside it the theme repeats the heading for print
        self.feed(self.path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self._inside = tag
        self._in_article |= tag == "article"
        self.headings += tag == "h1" and self._in_article
        self.ids |= {values[name] for name in ("id", "name") if name in values and tag != "meta"}
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        if tag == "link" and LOADING_LINKS & set(values.get("rel", "").split()):
            self.resources.append(values.get("href", ""))
        for name in LOADS.get(tag, ()):
            if name in values:
                parts = values[name].split(",") if name == "srcset" else [values[name]]
                self.resources += [part.split()[0] if name == "srcset" else part for part in parts]
        self.resources += css_urls(values.get("style", ""))
        if tag == "img":
            self.pictures += 1
            alt = values.get("alt", "").strip()
            hidden = values.get("aria-hidden") == "true" or values.get("role") == "presentation"
            if not hidden and (not alt or NOT_ALT.search(alt)):
                self.bad_pictures.append(values.get("src", "")[:80])

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""
        self._in_article &= tag != "article"

    def handle_data(self, data: str) -> None:
        if self._inside == "title" and not self.title:
            self.title = data.strip()
        elif self._inside == "style":
            self.resources += css_urls(data)


def css_urls(css: str) -> list[str]:
    """Return what a style sheet loads."""
    return [first or second for first, second in CSS_URL.findall(css)]


class Site:
    """A built site, its pages parsed once."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        paths = sorted(self.root.rglob("*.html"))
        own = [path for path in paths if "_static" not in path.relative_to(self.root).parts]
        self.pages = {path: Page(path) for path in own}
        self.counts: Counter[str] = Counter(pages=len(own))

    def is_redirect(self, page: Page) -> bool:
        """Jupyter Book writes a bare index.html that only forwards to the first page."""
        return page.path.parent == self.root and "http-equiv" in page.path.read_text(encoding="utf-8")[:200]

    def target(self, source: Path, address: str) -> tuple[Path, str]:
        """Return the file and the fragment that a relative address in `source` means."""
        parts = urlsplit(address)
        path = unquote(parts.path)
        base = self.root / path.lstrip("/") if path.startswith("/") else source.parent / path
        file = source if not path else base.resolve()
        return (file / "index.html" if file.is_dir() else file), unquote(parts.fragment)

    def check_resource(self, source: Path, address: str) -> str | None:
        """Return what is wrong with something that `source` loads."""
        parts = urlsplit(address)
        if parts.scheme == "data" or not address:
            return None
        self.counts["resources"] += 1
        if parts.scheme or parts.netloc:
            allowed = parts.netloc in ALLOWED_HOSTS
            return None if allowed else f"loads from another host: {address[:100]}"
        file, _ = self.target(source, address)
        return None if file.is_file() else f"loads a file that is not there: {address}"

    def check_link(self, source: Path, address: str) -> str | None:
        """Return what is wrong with a link of `source`."""
        if urlsplit(address).scheme or address.startswith("//"):
            self.counts["external links, not followed"] += 1
            return None
        self.counts["internal links"] += 1
        file, fragment = self.target(source, address)
        if not file.is_file():
            return f"links to a file that is not there: {address}"
        if fragment and file in self.pages and fragment not in self.pages[file].ids:
            return f"links to an anchor that is not there: {address}"
        self.counts["anchors"] += bool(fragment)
        return None

    def problems(self) -> list[str]:
        """Return everything wrong with the site, each with the page it is on."""
        found = [] if self.pages else ["no page: build the book first"]
        for path, page in self.pages.items():
            complaints = [self.check_link(path, link) for link in page.links]
            complaints += [self.check_resource(path, resource) for resource in page.resources]
            complaints += [f"has a picture without alt text: {picture}" for picture in page.bad_pictures]
            self.counts["pictures"] += page.pictures
            if not page.title and not self.is_redirect(page):
                complaints.append("has no title")
            expected = 0 if path == self.root / "search.html" or self.is_redirect(page) else 1
            if page.headings != expected:
                complaints.append(f"has {page.headings} main headings, not {expected}")
            found += [f"{path.relative_to(self.root)} {complaint}" for complaint in complaints if complaint]
        for sheet in sorted(self.root.rglob("*.css")):
            self.counts["style sheets"] += 1
            complaints = [
                self.check_resource(sheet, url) for url in css_urls(sheet.read_text(encoding="utf-8"))
            ]
            found += [
                f"{sheet.relative_to(self.root)} {complaint}" for complaint in complaints if complaint
            ]
        return list(dict.fromkeys(found))


def main() -> int:
    """Run the command line and return its exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root", type=Path, nargs="?", default=Path("_build/html"))
    site = Site(parser.parse_args().root)
    problems = site.problems()
    for problem in problems:
        print(problem)
    print("checked " + ", ".join(f"{count} {name}" for name, count in site.counts.items()))
    print(f"{len(problems)} problems" if problems else "the site is sound")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
