"""Print the whole book as one file with a table of contents: `make pdf`, after `make book`.

The pages are opened one by one, as a reader sees them, and put into one document, so that the
numbers of the pages run through and every link leads to its place in the book.
"""

import os
import re
import shutil
import sys
from pathlib import Path

import yaml
from offline import BUILD
from playwright.sync_api import Browser, Playwright, sync_playwright
from pypdf import PdfReader

from nnlab.files import whole

# Makes the article of a page ready for a document that holds others, too.
TAKE = """name => {
  const article = document.querySelector('article.bd-article');
  const folder = new URL('.', location.href).href;
  for (const part of article.querySelectorAll('script, .toggle-button')) part.remove();
  for (const part of article.querySelectorAll('.toggle-hidden'))
    part.classList.remove('toggle-hidden');
  // Each chapter has a #summary.
  for (const part of article.querySelectorAll('[id]')) part.id = `${name}.${part.id}`;
  for (const attribute of ['href', 'clip-path'])
    for (const part of article.querySelectorAll(`svg [${attribute}*='#']`))
      part.setAttribute(attribute, part.getAttribute(attribute).replace('#', `#${name}.`));
  for (const link of article.querySelectorAll('a[href]')) {
    const [, page, id] = link.href.match(/^(?:.*\\/)?([^#]*?)(?:\\.html)?(?:#(.*))?$/);
    if (link.href.startsWith(folder)) link.href = id ? `#${page}.${id}` : `#${page}`;
    else if (link.protocol === 'file:') link.removeAttribute('href'); // not in the book
  }
  return {
    text: `<section class="chapter" id="${name}">${article.innerHTML}</section>`,
    styles: [...document.querySelectorAll('style')].map(
      part => [...part.sheet.cssRules].map(rule => rule.cssText).join('')),
  };
}"""

# Puts the articles into a page, after a table of contents made from their headings.
JOIN = """([text, styles, title]) => {
  document.querySelector('#jb-print-docs-body').remove();
  // First, so that the theme's own styles keep the last word.
  document.head.prepend(Object.assign(document.createElement('style'), { textContent: styles }));
  const article = document.querySelector('article.bd-article');
  article.innerHTML = `<h1>${title}</h1><ul class="contents"></ul>` + text;
  for (const heading of article.querySelectorAll('.chapter :is(h1, h2)')) {
    const line = article.querySelector('.contents').appendChild(document.createElement('li'));
    const link = line.appendChild(document.createElement('a'));
    link.className = heading.tagName;
    heading.id ||= heading.closest('[id]').id + '.title'; // a section may begin a page earlier
    link.href = '#' + heading.id;
    link.textContent = heading.textContent.replace('#', '');
    line.appendChild(document.createElement('span'));
  }
}"""

# A browser that prints does not know yet on which page something will be.
NUMBER = """pages => {
  for (const line of document.querySelectorAll('.contents li')) {
    const id = decodeURIComponent(line.querySelector('a').hash.slice(1));
    line.querySelector('span').textContent = pages[id];
  }
}"""
STYLE = """
  .bd-main .bd-content .bd-article h1:first-of-type { display: block; }
  .chapter { break-before: page; }
  .contents { list-style: none; padding: 0; }
  .contents li { display: flex; justify-content: space-between; margin: 0; }
  .contents .H1 { font-weight: bold; margin-top: 0.6rem; }
  .contents .H2 { padding-left: 1.5rem; }
"""


def launch(playwright: Playwright) -> Browser | None:
    """Start the Chromium that is in CHROMIUM, the system's, or Playwright's; None if none is."""
    names = ("chromium", "chromium-browser", "google-chrome")
    paths = [os.environ.get("CHROMIUM"), *map(shutil.which, names)]
    for path in filter(None, [*paths, playwright.chromium.executable_path]):
        if Path(path).exists():
            return playwright.chromium.launch(executable_path=path)
    return None


def read(name: str) -> dict:
    """Read one of the book's settings files."""
    return yaml.safe_load((BUILD.parent / name).read_text(encoding="utf-8"))


def pages() -> list[str]:
    """Return the names of the pages, in order."""
    toc = read("_toc.yml")
    files = [toc["root"], *re.findall(r"'file': '([^']+)'", str(toc))]
    return [Path(file).name for file in files]


def save(browser: Browser, site: Path, file: Path) -> None:
    """Print the site to ``file``."""
    page = browser.new_page()
    texts, styles = [], {}
    for name in pages():
        page.goto((site / "book" / f"{name}.html").as_uri())
        taken = page.evaluate(TAKE, name)
        texts.append(taken["text"])
        styles |= dict.fromkeys(taken["styles"])
    page.goto((site / "book" / f"{pages()[0]}.html").as_uri())
    page.evaluate(JOIN, ["".join(texts), "".join(styles), read("_config.yml")["title"]])
    page.add_style_tag(content=STYLE)
    for _ in range(2):  # the first time to see on which page everything is
        page.pdf(path=file, format="A4", outline=True, tagged=True)
        reader = PdfReader(file)
        found = {
            name.lstrip("/"): reader.get_destination_page_number(place) + 1
            for name, place in reader.named_destinations.items()
        }
        page.evaluate(NUMBER, found)
    page.close()


def main() -> None:
    file = BUILD / "nnlab.pdf"
    with sync_playwright() as playwright:
        browser = launch(playwright)
        if browser is None:
            sys.exit("There is no Chromium: install it, or say in CHROMIUM where it is.")
        with whole(file) as part:
            save(browser, BUILD / "html", part)
        browser.close()
    print(f"{file}, {len(PdfReader(file).pages)} pages")


if __name__ == "__main__":
    main()
