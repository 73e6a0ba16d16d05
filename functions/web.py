"""On pages and their visits: who links to whom, how often a page was asked for."""

from urllib.parse import urlsplit


def links(page):
    """Yields each target of ``{"url", "links"}``, and the page that has the link."""
    for target in page["links"]:
        yield target, page["url"]


def sources(_target, pages):
    """Returns the pages that link to one, in order."""
    return sorted(pages)


def visits(row):
    """Yields the URL of one row of an access log, and 1."""
    yield row["url"], 1


def host(url, partitions):
    """Brings all URLs of a host into one partition."""
    return sum(urlsplit(url).netloc.encode())
