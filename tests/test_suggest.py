from amr.suggest import did_you_mean, nearest


def test_the_nearest_name_is_found() -> None:
    assert nearest("reducr", ["mapper", "reducer", "reduce"]) == "reducer"


def test_capitals_make_no_difference() -> None:
    assert nearest("MAPPER", ["mapper", "reducer"]) == "mapper"


def test_a_name_like_none_of_the_known_has_no_suggestion() -> None:
    assert nearest("zzz", ["mapper", "reducer"]) is None
    assert nearest("mapper", []) is None


def test_a_very_long_name_is_not_compared() -> None:
    assert nearest("m" * 1_000_000, ["m" * 1_000_000]) is None


def test_the_question_names_the_nearest_or_is_empty() -> None:
    assert did_you_mean("maper", ["mapper"]) == '; did you mean "mapper"?'
    assert did_you_mean("zzz", ["mapper"]) == ""
