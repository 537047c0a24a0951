"""Where the site and its repository live, said once; all that has an address derives from it.

``SITE_URL`` and ``REPOSITORY_URL`` in the environment say it, or ``html: baseurl`` and
``repository: url`` in ``_config.yml``; ``HUB_URL``, or ``launch_buttons: jupyterhub_url``, names a
JupyterHub with nbgitpuller. Without the one there is no canonical link, no sitemap, no
page for what is not found, and no link to what is published beside the site; without the other
there are no buttons that lead to the repository and none that launch a chapter.
"""

import os
import re
from importlib.metadata import version
from urllib.parse import quote, urlencode, urlsplit

from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.errors import ConfigError

NOTEBOOKS = "notebooks"  # the branch that holds the run copies, in its top folder
FORM = "1_text.yml"  # of .github/ISSUE_TEMPLATE, for errors in the text
COLAB = "https://colab.research.google.com"
BINDER = "https://mybinder.org"


def checked(name: str, url: str) -> str:
    """Return ``url`` without a slash at its end, if it is empty or a web address."""
    if url and not re.fullmatch(r"https?://[^/\s?#]+(/[^\s?#]*)?", url):
        raise ConfigError(f"{name} must be a web address like https://example.org/book; got {url}")
    return (url or "").rstrip("/")


def github(repository: str) -> str:
    """Return "owner/name" of a repository on GitHub; "" for any other."""
    parts = urlsplit(repository)
    path = parts.path.strip("/").removesuffix(".git")
    return path if parts.netloc == "github.com" and path.count("/") == 1 else ""


def derive(app: Sphinx, config: Config) -> None:
    """Set every option that depends on one of the two addresses."""
    theme = config.html_theme_options
    site = checked("SITE_URL", os.environ.get("SITE_URL") or config.html_baseurl)
    repository = checked(
        "REPOSITORY_URL", os.environ.get("REPOSITORY_URL") or theme.get("repository_url")
    )
    config.nnlab_site_url, config.nnlab_repository_url = site, repository
    config.nnlab_hub_url = checked(
        "HUB_URL",
        os.environ.get("HUB_URL") or theme.pop("launch_buttons", {}).get("jupyterhub_url"),
    )
    config.html_baseurl = f"{site}/" if site else ""
    config.release = config.version = version("nnlab")
    theme["extra_footer"] += f" Version {config.release}."
    # The theme can write links to files and issues for these hosts only, and stops at others.
    known = re.search(r"//(github|gitlab|bitbucket)\.", repository)
    theme["repository_url"] = repository if known else ""
    theme["repository_branch"] = "main"
    for button in ("repository", "issues", "edit_page"):
        theme[f"use_{button}_button"] = bool(known)
    if site:
        config.ogp_site_url = config.html_baseurl
        config.ogp_image = config.html_baseurl + config.ogp_image
        config.sitemap_url_scheme = "{link}"
        config.sitemap_excludes = ["404.html", "search.html", "genindex.html"]
        config.notfound_urls_prefix = urlsplit(site).path + "/"
        app.setup_extension("sphinx_sitemap")
        app.setup_extension("notfound.extension")
        app.tags.add("published")


def launch_links(page: str, repository: str, hub: str) -> list[tuple[str, str, str]]:
    """Return (name, icon, address) of every place that can run the copy of a chapter."""
    owner_and_name, file = github(repository), f"{page.rpartition('/')[2]}.ipynb"
    links = []
    if owner_and_name:
        links += [
            ("Colab", "logo_colab.png", f"{COLAB}/github/{owner_and_name}/blob/{NOTEBOOKS}/{file}"),
            (
                "Binder",
                "logo_binder.svg",
                f"{BINDER}/v2/gh/{owner_and_name}/{NOTEBOOKS}?"
                + urlencode({"urlpath": f"lab/tree/{file}"}),
            ),
        ]
    if repository and hub:
        folder = quote(repository.rpartition("/")[2].removesuffix(".git"))
        query = {"repo": repository, "branch": NOTEBOOKS, "urlpath": f"lab/tree/{folder}/{file}"}
        address = f"{hub}/hub/user-redirect/git-pull?{urlencode(query)}"
        links.append(("JupyterHub", "logo_jupyterhub.svg", address))
    return links


def add_buttons(app: Sphinx, page: str, template: str, context: dict, doctree) -> None:
    """Put the links into the page's header, where it is a chapter; let the issue name the page."""
    repository = app.config.nnlab_repository_url
    place = f"{app.config.html_baseurl}{page}.html"
    for button in (one for group in context["header_buttons"] for one in group.get("buttons", [])):
        if button["label"] == "source-issues-button" and github(repository):
            query = urlencode({"template": FORM, "place": place})
            button["url"] = f"{repository}/issues/new?{query}"
    if context.get("page_source_suffix") != ".ipynb":
        return
    links = launch_links(page, repository, app.config.nnlab_hub_url)
    buttons = [
        {
            "type": "link",
            "text": name,
            "tooltip": f"Run this chapter on {name}",
            "icon": f"_static/images/{icon}",
            "url": url,
        }
        for name, icon, url in links
    ]
    if buttons:
        context["header_buttons"].insert(
            0,
            {
                "type": "group",
                "tooltip": "Run this chapter",
                "icon": "fas fa-rocket",
                "buttons": buttons,
                "label": "launch-buttons",
            },
        )


def setup(app: Sphinx) -> dict:
    app.add_config_value("nnlab_site_url", "", "env")
    app.add_config_value("nnlab_repository_url", "", "env")
    app.add_config_value("nnlab_hub_url", "", "env")
    app.connect("config-inited", derive, priority=100)  # before the theme looks
    app.connect("html-page-context", add_buttons, priority=900)  # after it made its own
    return {"parallel_read_safe": True, "parallel_write_safe": True}
