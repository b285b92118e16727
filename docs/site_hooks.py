"""The functions that MkDocs calls while it builds the site (`hooks` in mkdocs.yml). site_pages.py makes the pages."""

import sys
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

# MkDocs runs this file by its path, so the project's root may not be on the import path.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from docs import site_pages


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Adds the API section to the navigation."""
    section = [
        {package: [{page.title: page.place} if page.title != package else page.place for page in pages]}
        for package in site_pages.PACKAGES
        for pages in [site_pages.api_pages(package)]
    ]
    config.nav.append({"API": section})
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages in the repository's root, the API pages and the files to download."""
    for place, path in site_pages.ROOT_PAGES.items():
        files.append(File.generated(config, place, abs_src_path=str(site_pages.ROOT / path)))
    for path in site_pages.downloads():
        files.append(File.generated(config, path, abs_src_path=str(site_pages.ROOT / path)))
    for package in site_pages.PACKAGES:
        for page in site_pages.api_pages(package):
            files.append(File.generated(config, page.place, content=page.text))
    return files


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """Turns links to the repository's files into links within the site."""
    place = page.file.src_uri
    if place.startswith("api/"):
        return markdown
    return site_pages.site_markdown(markdown, site_pages.ROOT_PAGES.get(place, f"docs/{place}"))
