"""Nested loops as one job: what each cohort of customers spends on each product."""


def revenue(pair):
    """Returns the expected revenue of ``{"cohort", "product"}``."""
    cohort, product = pair["cohort"], pair["product"]
    bought = cohort["size"] * min(1.0, cohort["budget"] / (product["price"] * 100))
    return {
        "cohort": cohort["name"],
        "product": product["name"],
        "revenue": round(bought * product["price"], 2),
    }


def table(body):
    """Returns the revenue by cohort and product."""
    rows = {}
    for cell in body["inputs"]:
        rows.setdefault(cell["cohort"], {})[cell["product"]] = cell["revenue"]
    return rows
