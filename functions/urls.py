"""What came of a batch of URLs, those that failed included."""


def summary(body, context):
    """Returns the answers to a batch and its failures, each with their count."""
    failures = [
        {"url": failed["input"]["url"], "result": failed["error"]["message"]}
        for failed in body["failures"]
    ]
    return {
        "batchId": context.job,
        "failures": {"count": len(failures), "results": failures},
        "results": {"count": len(body["inputs"]), "results": body["inputs"]},
    }
