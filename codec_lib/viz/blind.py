"""A blind test on a page: which of two pictures looks more like a photograph?

The reader sees pairs one after the other, chooses, and learns in the end whose pictures they were, and what
metrics say of them. Like the viewers of `codec_lib.viz` it is one piece of HTML with its pictures inside;
what is chosen stays in the page and is gone when it is closed. Which side a codec is on follows from the
bytes of the pictures, so the same pictures always give the same page, and nobody can guess it.
"""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from codec_lib.viz import viewers

if TYPE_CHECKING:
    from IPython.display import HTML

MAX_BYTES = 600_000

_STYLE = """
#{id} {{ margin: 1em 0; max-width: {width}px; }}
#{id} .pair {{ display: grid; grid-template-columns: 1fr 1fr; gap: 8px; }}
#{id} .pair[hidden], #{id} .verdict[hidden] {{ display: none; }}
#{id} button {{ padding: 0; border: 2px solid transparent; border-radius: 4px; background: none;
  cursor: pointer; color: inherit; font: inherit; }}
#{id} button:hover, #{id} button:focus-visible {{ border-color: #1a73e8; outline: none; }}
#{id} img {{ display: block; width: 100%; height: auto; margin: 0; background: none;
  filter: none !important; image-rendering: pixelated; }}
#{id} output {{ display: block; margin-bottom: 0.4em; }}
#{id} td, #{id} th {{ padding: 2px 8px 2px 0; text-align: left; font-size: 0.85em; }}
#{id} .again {{ text-decoration: underline; margin-top: 0.6em; }}
"""
_CHOOSE = (
    "const f = this.closest('figure'), all = [...f.querySelectorAll('.pair')];"
    "const k = all.indexOf(this.closest('.pair')), o = f.querySelector('output');"
    "const rows = f.querySelectorAll('tbody tr');"
    "rows[k].cells[1].textContent = this.dataset.of; all[k].hidden = true;"
    "const next = all[k + 1];"
    "if (next) {{ next.hidden = false; next.querySelector('button').focus({{preventScroll: true}});"
    " o.textContent = 'Pair ' + (k + 2) + ' of ' + all.length + '. {question}' }}"
    " else {{ const n = [...rows].filter(r => r.cells[1].textContent == f.dataset.second).length;"
    " f.querySelector('.verdict').hidden = false;"
    " f.querySelector('.again').focus({{preventScroll: true}});"
    " o.textContent = 'You chose ' + f.dataset.second + ' ' + n + ' times of ' + all.length + '.' }}"
)
_AGAIN = (
    "const f = this.closest('figure'), all = f.querySelectorAll('.pair');"
    "f.querySelector('.verdict').hidden = true; all[0].hidden = false;"
    "all[0].querySelector('button').focus({preventScroll: true});"
    "f.querySelector('output').textContent = f.dataset.ask"
)


def blind_test(
    pairs: Sequence[tuple[Any, Any]],
    names: tuple[str, str],
    notes: Sequence[str],
    question: str = "Which one looks more like a photograph?",
    width: int = 560,
) -> HTML:
    """Return the test.

    Args:
        pairs: for each question a picture of either codec, uint8 arrays (H, W, 3) or PIL images.
        names: what the codecs are called in the end.
        notes: a line about each pair for the end, such as what metrics say.
        question: what is asked.
        width: largest width on the page in CSS pixels.
    Raises:
        ValueError: no pairs; a number of notes other than the number of pairs; two sizes within a pair; or
            more than 600 KB of pictures.
    """
    if not pairs:
        raise ValueError("pairs: none; at least one is needed")
    if len(notes) != len(pairs):
        raise ValueError(f"notes: {len(notes)} for {len(pairs)} pairs; one for each is needed")
    uris = [viewers.pictures_of(pair)[0] for pair in pairs]
    if (size := sum(len(uri) for both in uris for uri in both)) > MAX_BYTES:
        raise ValueError(f"pairs: {size:,} bytes, {MAX_BYTES:,} are allowed; give smaller crops")
    words = [html.escape(text, quote=True) for text in (*names, question)]
    name = f"blind-{viewers.digest([u for both in uris for u in both], [*names, *notes, question], width)}"
    ask = f"Pair 1 of {len(pairs)}. {words[2]}"
    literal = json.dumps(question)[1:-1].replace("'", "\\'")  # between single quotes
    choose = html.escape(_CHOOSE.format(question=literal), quote=True)
    shown = []
    for k, both in enumerate(uris):
        sides = [(both[j], words[j]) for j in (0, 1)]
        if int(viewers.digest(both, (), 0), 16) % 2:
            sides.reverse()
        buttons = "".join(
            f'<button type="button" data-of="{of}" onclick="{choose}">'
            f'<img src="{uri}" alt="Pair {k + 1}, picture {side}"></button>'
            for side, (uri, of) in zip("AB", sides, strict=True)
        )
        shown.append(f'<div class="pair"{" hidden" if k else ""}>{buttons}</div>')
    rows = "".join(
        f"<tr><td>{k}</td><td></td><td>{html.escape(note)}</td></tr>" for k, note in enumerate(notes, 1)
    )
    head = "<thead><tr><th>pair</th><th>you chose</th><th>metrics</th></tr></thead>"
    table, again = f"<table>{head}<tbody>{rows}</tbody></table>", html.escape(_AGAIN, quote=True)
    return viewers.figure_of(
        f"<style>{_STYLE.format(id=name, width=width)}</style>"
        f'<figure id="{name}" data-second="{words[1]}" data-ask="{ask}">'
        f'<output aria-live="polite">{ask}</output>{"".join(shown)}'
        f'<div class="verdict" hidden>{table}'
        f'<button type="button" class="again" onclick="{again}">Once more</button></div></figure>'
    )
