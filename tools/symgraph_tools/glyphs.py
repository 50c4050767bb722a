"""How wide text is, without a font at hand: the advance of each character, in 1/1000 em.

The table holds the larger of two widths, of DejaVu Sans (which matplotlib brings and most Linux
systems fall back to) and of Liberation Sans (as wide as Arial and Helvetica), so a box made for a
text holds it in any font of ``FONTS``. Read from the fonts' ``hmtx`` tables, releases 2.37 and 2.1.
"""

from __future__ import annotations

import unicodedata

FONTS = "Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif"
OTHER = 1100  # of letters without a row; few are wider in either font
WIDE = 1300  # of East Asian wide characters and emoji, which other fonts draw
ADVANCES = (
    # ASCII
    (
        0x0020,
        """
        318 401 460 838 636 950 780 275 390 390 500 838 318 361 318 337 636 636 636 636 636 636
        636 636 636 636 337 337 838 838 838 556 1015 684 686 722 770 667 611 778 752 295 500
        667 557 863 748 787 667 787 722 667 611 732 684 989 685 667 685 390 337 390 838 556 500
        613 635 550 635 615 352 635 634 278 278 579 278 974 634 612 635 635 411 521 392 634 592
        818 592 592 525 636 337 636 838
        """,
    ),
    # Latin-1
    (
        0x00A0,
        """
        318 401 636 636 636 636 337 556 500 1000 471 612 838 361 1000 552 500 838 401 401 500
        636 636 333 500 401 471 612 969 969 969 611 684 684 684 684 684 684 1000 722 667 667
        667 667 295 295 295 295 775 748 787 787 787 787 787 838 787 732 732 732 732 667 667 630
        613 613 613 613 613 613 982 550 615 615 615 615 278 278 278 278 612 634 612 612 612 612
        612 838 612 634 634 634 634 592 635 592
        """,
    ),
    # Greek
    (
        0x0391,
        """
        684 686 557 684 667 685 752 787 295 667 684 863 748 650 787 752 667 1000 632 611 667
        798 685 835 764 295 667 659 541 634 338 579 659 638 592 612 541 544 634 612 338 589 592
        636 559 558 612 690 635 587 634 602 579 660 578 713 837
        """,
    ),
    # dashes, quotes, ellipsis
    (
        0x2010,
        """
        361 361 636 556 1000 1000 500 552 318 318 318 318 518 518 518 518 556 556 590 590 334
        667 1000
        """,
    ),
    # raised and lowered digits and letters
    (
        0x2070,
        """
        401 179 1000 1000 430 415 412 401 422 428 528 528 528 246 246 398 415 401 401 407 408
        403 403 401 415 401 528 528 528 246 246 1000 392 417 414 444 417 404 426 166 623 398
        428 373 295
        """,
    ),
    # arrows
    (
        0x2190,
        """
        1000 838 1000 838 1000 838
        """,
    ),
    # mathematical operators
    (
        0x2200,
        """
        684 636 517 632 632 871 669 669 871 871 718 871 871 718 636 823 757 713 838 838 838 337
        637 838 626 626 637 637 637 714 833 979 896 896 838 500 500 500 500 732 732 732 732 521
        789 1057 521 789 1057 521 521 521 636 636 260 636 838 838 838 838 838 838 838 838
        """,
    ),
    # comparisons
    (
        0x2260,
        """
        838 838 1000 838 838 838 838 838
        """,
    ),
    # circled operators
    (
        0x2295,
        """
        838 838 838 838 838
        """,
    ),
)


def text_width(text: str, size: float) -> float:
    """Width in px of one line, in a font of this size in px."""
    total = 0
    for character in text:
        advance = _ADVANCE.get(character)
        total += _unlisted(character) if advance is None else advance
    return total * size / 1000


def displayable(text: str) -> str:
    """The text with what XML forbids or a line cannot show replaced by U+FFFD, tabs by spaces."""
    if text.isprintable():
        return text
    return "".join(map(_shown, text))


def wrapped(text: str, most: int) -> list[str]:
    """Lines of at most that many characters, broken after spaces and commas where there are any."""
    lines = []
    for line in text.splitlines() or [""]:
        rest = displayable(line)
        while len(rest) > most:
            # A break in the first half would leave ragged lines: better to split a word.
            end = max(rest.rfind(" ", most // 2, most), rest.rfind(",", most // 2, most)) + 1
            end = end or most
            lines.append(rest[:end].rstrip())
            rest = rest[end:]
        lines.append(rest)
    return lines


def _shown(character: str) -> str:
    if character == "\t":
        return " "
    category = unicodedata.category(character)
    # Cf holds the marks that reorder text, which would let a name disguise itself.
    is_bad = category in ("Cc", "Cs", "Cn", "Cf", "Zl", "Zp")
    return "\N{REPLACEMENT CHARACTER}" if is_bad else character


def _unlisted(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return WIDE if unicodedata.east_asian_width(character) in "WF" else OTHER


_ADVANCE = {
    chr(first + offset): int(advance)
    for first, row in ADVANCES
    for offset, advance in enumerate(row.split())
}
