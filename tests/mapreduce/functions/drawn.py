"""Functions of the property test: the records are the pairs that a mapper gives."""


def pairs(record, context):
    context.count("records")
    return record


async def pairs_later(record, context):
    context.count("records")
    return record


def by_text(key, partitions):
    return len(str(key))


def total(key, values):
    return sum(values)


def listed(key, values):
    return list(values)


def each(key, values):
    for value in values:
        yield [value, key]
