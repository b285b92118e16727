"""`python -m docs.package_page ADDRESS > PAGE.md` writes the README with absolute links.

A package index shows the README at an address where relative links do not work.

ADDRESS is the repository's page on a code host, such as https://github.com/OWNER/NAME. Links to files become links to
ADDRESS/blob/main, and pictures are taken from ADDRESS/raw/main. The README itself keeps relative links, because they
work in every copy of the repository and on the documentation site.
"""

import re
import sys

from docs.site_pages import FENCE, LINK, ROOT


def absolute(text: str, address: str) -> str:
    """Replace the relative links in Markdown with links to a repository's files, except inside code blocks.

    Args:
        text: The Markdown of a page in the repository's root.
        address: The address of the repository, without a trailing slash.
    """

    def linked(match: re.Match) -> str:
        picture, words, link = match.groups()
        if re.match(r"\w+:|#", link):
            return match[0]
        words = LINK.sub(linked, words)  # a picture that is a link
        return f"{picture}[{words}]({address}/{'raw' if picture else 'blob'}/main/{link})"

    pieces = FENCE.split(text)
    return "".join(piece if piece.startswith("```") else LINK.sub(linked, piece) for piece in pieces)


def main() -> int:
    """Print the page, and return the exit status."""
    addresses = [name for name in sys.argv[1:] if re.fullmatch(r"https://\S+", name)]
    if len(addresses) != 1 or len(sys.argv) != 2:
        print(
            "package_page: give the address of the repository, such as https://github.com/OWNER/NAME",
            file=sys.stderr,
        )
        return 2
    print(absolute((ROOT / "README.md").read_text(encoding="utf-8"), addresses[0].rstrip("/")), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
