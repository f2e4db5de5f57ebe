"""All that one test run measures: its paths, each opened and measured at the first test's asking."""
