"""All that one test run measures: its routes, each opened and measured at the first test's asking."""
