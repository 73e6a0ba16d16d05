"""Classics on lines of text: word count, grep, inverted index, sort."""

import re


def words(line):
    """Yields each word of a line, and 1."""
    for word in re.findall(r"[^\W\d_]+", line.lower()):
        yield word, 1


def matches(line):
    """Yields a line that speaks of a queue or a stream, under the word that it has."""
    for word in ("queue", "stream"):
        if word in line.lower():
            yield word, line.strip()


def occurrences(document):
    """Yields each word of ``{"id", "text"}``, and the id."""
    for word in set(re.findall(r"[^\W\d_]+", document["text"].lower())):
        yield word, document["id"]


def sorted_ids(word, ids):
    """Returns the documents that have a word, in order and each once."""
    return sorted(set(ids))


def keyed(line):
    """Yields a line under its first ten characters, by which it is sorted."""
    yield line[:10], line


def lines(_key, lines):
    """Yields lines again, without their keys."""
    yield from lines
